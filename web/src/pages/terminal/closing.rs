use leptos::prelude::*;

use super::{Place, tabs};
use crate::{
    api::{self, Error},
    components::{Dialog, Failure},
    erased, text,
};

/// Says what goes before it goes.
#[component]
pub(super) fn CloseTerminal(place: Place) -> impl IntoView {
    let open = RwSignal::new(false);
    let refused = RwSignal::new(None::<Error>);
    let busy = RwSignal::new(false);
    erased::effect(move || {
        if place.closing.get().is_some() {
            refused.set(None);
            open.set(true);
        }
    });
    erased::effect(move || {
        if !open.get() {
            place.closing.set(None);
        }
    });
    // Closing it does not change what it says.
    let number = Memo::new(move |before: Option<&u32>| {
        place.closing.get().or_else(|| before.copied()).unwrap_or_default()
    });
    let end = move |_| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        let number = number.get_untracked();
        erased::spawn(async move {
            let (name, owner) = (place.name.get_untracked(), place.owner.get_untracked());
            let result = api::end_terminal(name, owner, number).await;
            if busy.is_disposed() {
                return;
            }
            busy.set(false);
            match result {
                Ok(()) => {
                    open.set(false);
                    tabs::leave(place, number);
                }
                Err(error) => refused.set(Some(error)),
            }
        });
    };
    view! {
        <Dialog id="end-terminal" open title=text::end_terminal>
            <p>{move || text::end_terminal_what(number.get())}</p>
            <ul class="plain">
                <li>{text::end_terminal_goes}</li>
                <li>{text::end_terminal_stays}</li>
            </ul>
            {move || refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
            <div class="dialog-acts">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    {text::leave_it}
                </button>
                <button
                    type="button"
                    class="button danger solid"
                    aria-disabled=move || busy.get().then_some("true")
                    on:click=end
                >
                    {text::end_it}
                </button>
            </div>
        </Dialog>
    }
}
