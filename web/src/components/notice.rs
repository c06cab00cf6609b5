//! What stands where something is not, or not yet.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::{
    api::Error,
    state::connection::{self, Connection},
    text,
};

/// The shape of what is coming; says so to those who do not see it.
#[component]
pub(crate) fn Skeleton(#[prop(default = 3)] lines: usize) -> impl IntoView {
    view! {
        <div class="skeleton" role="status">
            <span class="unseen">{text::loading}</span>
            {(0..lines).map(|_| view! { <div class="bone"></div> }).collect_view()}
        </div>
    }
}

/// A sentence, and the way on.
#[component]
pub(crate) fn Failure(
    #[prop(into)] error: Signal<Error>,
    #[prop(optional, into)] retry: Option<Callback<()>>,
) -> impl IntoView {
    view! {
        <div class="notice bad" role="alert">
            <Glyph icon=Icon::Warning />
            <p>{move || error.with(Error::sentence)}</p>
            {retry.map(|retry| view! {
                <button type="button" class="button" on:click=move |_| retry.run(())>
                    <Glyph icon=Icon::Restart />
                    <span>{text::try_again}</span>
                </button>
            })}
        </div>
    }
}

/// Quiet: what is on the page stays, and is brought up to date when the controller is back.
#[component]
pub(crate) fn ConnectionNotice() -> impl IntoView {
    view! {
        <div class="connection" role="status">
            {move || match connection::current() {
                Connection::Good => None,
                Connection::Lost => Some(view! { <p class="pill wait">{text::connection_lost()}</p> }),
                Connection::Restored => {
                    Some(view! { <p class="pill ok">{text::connection_restored()}</p> })
                }
            }}
        </div>
    }
}
