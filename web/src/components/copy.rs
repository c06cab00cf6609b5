use leptos::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::icon::{Glyph, Icon};
use crate::{erased, state::announcer::announce, text, time};

/// `what` says what is copied, for those who do not see what the button stands beside.
#[component]
pub(crate) fn CopyButton(
    #[prop(into)] value: Signal<String>,
    #[prop(into)] what: Signal<String>,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let copy = move |_| {
        let value = value.get_untracked();
        erased::spawn(async move {
            if JsFuture::from(window().navigator().clipboard().write_text(&value)).await.is_err() {
                announce(text::copy_failed());
                return;
            }
            announce(text::copied());
            copied.try_set(true);
            time::sleep(2000).await;
            copied.try_set(false);
        });
    };
    view! {
        <button
            type="button"
            class="button ghost small"
            aria-label=move || text::copy_what(what.get())
            on:click=copy
        >
            {move || {
                let icon = if copied.get() { Icon::Check } else { Icon::Copy };
                view! { <Glyph icon /> }
            }}
            <span>{move || if copied.get() { text::copied() } else { text::copy() }}</span>
        </button>
    }
}
