use berth_proto::v1::Container;
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use crate::{
    api::{self, Error},
    components::{Dialog, Failure, Glyph, Icon},
    erased, routes,
    state::{announcer::announce, session},
    text,
};

/// Says what goes before it goes.
#[component]
pub(crate) fn DeleteContainer(
    container: ArcRwSignal<Container>,
    open: RwSignal<bool>,
) -> impl IntoView {
    let refused = RwSignal::new(None::<Error>);
    let busy = RwSignal::new(false);
    let navigate = use_navigate();
    let name = {
        let container = container.clone();
        Memo::new(move |_| container.with(|c| c.name.clone()))
    };
    let delete = move |_| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        refused.set(None);
        let name = name.get_untracked();
        let owner = session::person_untracked().map_or_else(String::new, |person| {
            container.with_untracked(|c| person.owner_key(&c.owner))
        });
        let navigate = navigate.clone();
        erased::spawn(async move {
            let result = api::delete_container(name.clone(), owner).await;
            if busy.is_disposed() {
                return;
            }
            busy.set(false);
            match result {
                Ok(_) => {
                    announce(text::being_deleted(name));
                    open.set(false);
                    navigate(routes::CONTAINERS, NavigateOptions::default());
                }
                Err(error) => refused.set(Some(error)),
            }
        });
    };
    view! {
        <Dialog id="delete-container" open title=text::delete_container>
            <p>{move || text::delete_what(name.get())}</p>
            <ul class="plain">
                <li>{text::delete_goes}</li>
                <li>{text::delete_stays}</li>
                <li>{text::delete_frees}</li>
            </ul>
            {move || refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
            <div class="dialog-acts">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    {text::keep}
                </button>
                <button
                    type="button"
                    class="button danger solid"
                    aria-disabled=move || busy.get().then_some("true")
                    on:click=delete
                >
                    <Glyph icon=Icon::Trash />
                    <span>{text::delete}</span>
                </button>
            </div>
        </Dialog>
    }
}
