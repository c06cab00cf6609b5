//! Sentences for a screen reader: what changed without the person having moved there.

use std::sync::LazyLock;

use leptos::prelude::*;

static SAID: LazyLock<ArcRwSignal<String>> = LazyLock::new(ArcRwSignal::default);

pub(crate) fn announce(sentence: impl Into<String>) {
    SAID.set(sentence.into());
}

#[component]
pub(crate) fn Announcer() -> impl IntoView {
    view! { <div class="unseen" role="status" aria-live="polite">{move || SAID.get()}</div> }
}
