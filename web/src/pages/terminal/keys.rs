use leptos::prelude::*;

use crate::{
    terminal::{Ctrl, Key},
    text,
};

/// The keys that a phone's keyboard lacks. Ctrl is held for the key after it.
#[component]
pub(super) fn Keys(held: RwSignal<bool>, press: Callback<Key>) -> impl IntoView {
    let label = |key: Key| match key {
        Key::Escape | Key::Tab => key.label(),
        Key::Up => text::key_up(),
        Key::Down => text::key_down(),
        Key::Left => text::key_left(),
        Key::Right => text::key_right(),
    };
    view! {
        // The focus stays where it is: taking it would put the keyboard away.
        <div
            class="terminal-keys"
            role="group"
            aria-label=text::terminal_keys
            on:pointerdown=|event| event.prevent_default()
            on:mousedown=|event| event.prevent_default()
        >
            <button
                type="button"
                class="button small"
                aria-label=text::key_ctrl
                aria-pressed=move || if held.get() { "true" } else { "false" }
                on:click=move |_| held.update(|held| *held = !*held)
            >
                "Ctrl"
            </button>
            {Key::ALL
                .into_iter()
                .map(|key| view! {
                    <button
                        type="button"
                        class="button small"
                        aria-label=move || label(key)
                        on:click=move |_| press.run(key)
                    >
                        {key.label()}
                    </button>
                })
                .collect_view()}
        </div>
    }
}

/// Lets go of Ctrl, and says whether it was held.
pub(super) fn take(held: RwSignal<bool>) -> Ctrl {
    if held.try_get_untracked() == Some(true) {
        held.set(false);
        Ctrl::Held
    } else {
        Ctrl::Up
    }
}
