use leptos::prelude::*;

use super::Place;
use crate::{
    api,
    components::{Glyph, Icon},
    erased, text,
};

/// One per terminal, by number.
#[component]
pub(super) fn Tabs(place: Place) -> impl IntoView {
    // The one in sight has a tab even before the list says so.
    let numbers = Memo::new(move |_| {
        let mut numbers: Vec<u32> =
            place.terminals.with(|all| all.iter().map(|terminal| terminal.number).collect());
        if let Some(chosen) = place.chosen.get()
            && !numbers.contains(&chosen)
        {
            let at = numbers.partition_point(|number| *number < chosen);
            numbers.insert(at, chosen);
        }
        numbers
    });
    view! {
        <nav class="terminal-tabs" aria-label=move || text::terminals_of(place.name.get())>
            <ul>
                {move || numbers.get().into_iter()
                    .map(|number| view! { <Tab place number /> })
                    .collect_view()}
            </ul>
            <button
                type="button"
                class="button ghost small square"
                aria-label=text::new_terminal
                title=text::new_terminal
                aria-disabled=move || place.starting.get().then_some("true")
                on:click=move |_| place.start.run(())
            >
                <Glyph icon=Icon::Plus />
            </button>
        </nav>
    }
}

#[component]
fn Tab(place: Place, number: u32) -> impl IntoView {
    let ended = Memo::new(move |_| {
        place.terminals.with(|all| all.iter().any(|t| t.number == number && t.ended))
    });
    let close = move |_| {
        if ended.get_untracked() {
            forget(place, number);
        } else {
            place.closing.set(Some(number));
        }
    };
    view! {
        <li>
            <a
                href=move || place.route(Some(number))
                aria-current=move || (place.chosen.get() == Some(number)).then_some("page")
            >
                <Glyph icon=Icon::Terminal />
                <span class="unseen">{text::terminal}</span>
                <span>{number}</span>
                <span class="muted">{move || if ended.get() { text::terminal_over() } else { "" }}</span>
            </a>
            <button
                type="button"
                class="button ghost small square"
                aria-label=move || text::end_terminal_number(number)
                on:click=close
            >
                <Glyph icon=Icon::X />
            </button>
        </li>
    }
}

/// It has ended already: only its last output goes.
fn forget(place: Place, number: u32) {
    erased::spawn(async move {
        let (name, owner) = (place.name.get_untracked(), place.owner.get_untracked());
        let result = api::end_terminal(name, owner, number).await;
        if place.error.is_disposed() {
            return;
        }
        match result {
            Ok(()) => leave(place, number),
            Err(error) => place.error.set(Some(error)),
        }
    });
}

/// To another one that is open, if it was the one in sight; without any to the container.
pub(super) fn leave(place: Place, number: u32) {
    place.terminals.update(|all| all.retain(|terminal| terminal.number != number));
    if place.chosen.get_untracked() != Some(number) {
        return;
    }
    match place.terminals.with_untracked(|all| super::newest(all)) {
        Some(other) => place.go.run(Some(other)),
        None => place.away.run(()),
    }
}
