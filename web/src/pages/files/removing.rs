use leptos::prelude::*;

use super::place::Place;
use crate::{
    api::{self, Code, Error},
    components::{Dialog, Failure, Glyph, Icon},
    erased,
    state::announcer::announce,
    text,
};

/// So many names are told; of the rest how many.
const TOLD: usize = 8;

/// Says what goes before it goes.
#[component]
pub(super) fn Removing(place: Place) -> impl IntoView {
    let open = RwSignal::new(false);
    let refused = RwSignal::new(None::<Error>);
    let busy = RwSignal::new(false);
    erased::effect(move || {
        let any = place.removing.with(|names| !names.is_empty());
        if any {
            refused.set(None);
        }
        open.set(any);
    });
    erased::effect(move || {
        if !open.get() && place.removing.with_untracked(|names| !names.is_empty()) {
            place.removing.set(Vec::new());
        }
    });
    // Closing it does not change what it says.
    let names = Memo::new(move |before: Option<&Vec<String>>| {
        let names = place.removing.get();
        if names.is_empty() { before.cloned().unwrap_or_default() } else { names }
    });
    let question = move || {
        let names = names.get();
        match names.as_slice() {
            [one] if place.is_folder(one) => text::delete_one_folder(one),
            [one] => text::delete_one(one),
            many => text::delete_many(many.len()),
        }
    };
    let folders =
        move || names.with(|names| names.len() > 1 && names.iter().any(|n| place.is_folder(n)));
    let delete = move |_| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        refused.set(None);
        let names = place.removing.get_untracked();
        erased::spawn(async move {
            let result = remove(place, names).await;
            if busy.is_disposed() {
                return;
            }
            busy.set(false);
            match result {
                Ok(count) => {
                    announce(untrack(|| text::files_deleted(count)));
                    place.removing.set(Vec::new());
                    place.chosen.update(std::collections::BTreeSet::clear);
                }
                Err(error) => refused.set(Some(error)),
            }
            place.reload();
        });
    };
    view! {
        <Dialog id="delete-files" open title=text::delete>
            <p>{question}</p>
            {move || {
                let names = names.get();
                let more = names.len().saturating_sub(TOLD);
                (names.len() > 1).then(|| view! {
                    <ul class="plain">
                        {names.into_iter().take(TOLD).map(|name| view! { <li>{name}</li> }).collect_view()}
                        {(more > 0).then(|| view! { <li class="muted">{text::and_more(more)}</li> })}
                    </ul>
                })
            }}
            {move || folders().then(|| view! { <p class="muted">{text::delete_folders_too}</p> })}
            <p class="muted">{text::delete_for_good}</p>
            {move || refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
            <div class="dialog-acts">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    {text::cancel}
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

/// One after the other; what is gone already is fine. The first that cannot be deleted stops it.
async fn remove(place: Place, names: Vec<String>) -> Result<usize, Error> {
    let whose = place.whose.get_untracked();
    let paths: Vec<String> = names.iter().map(|name| untrack(|| place.path_of(name))).collect();
    for path in &paths {
        match api::delete_file(whose.owner.clone(), whose.name.clone(), path.clone()).await {
            Err(error) if error.code() == Some(Code::NotFound) => {}
            result => result?,
        }
    }
    Ok(paths.len())
}
