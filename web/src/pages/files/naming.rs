use leptos::{ev, prelude::*};

use super::place::{Name, Place};
use crate::{
    api::{self, Error},
    components::{Dialog, Failure, Need, TextField},
    erased, files,
    state::announcer::announce,
    text,
};

/// Names a new folder, or anew what is there.
#[component]
pub(super) fn Naming(place: Place) -> impl IntoView {
    view! {
        <Ask place which=Which::Folder />
        <Ask place which=Which::Other />
    }
}

/// Two dialogs, because a dialog keeps its title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Folder,
    Other,
}

#[component]
fn Ask(place: Place, which: Which) -> impl IntoView {
    let (id, field, title, label) = match which {
        Which::Folder => ("new-folder", "new-folder-name", text::new_folder, text::folder_name),
        Which::Other => ("rename", "rename-name", text::rename, text::new_name),
    };
    let open = RwSignal::new(false);
    let value = RwSignal::new(String::new());
    let touched = RwSignal::new(false);
    let refused = RwSignal::new(None::<Error>);
    let busy = RwSignal::new(false);
    erased::effect(move || {
        let name = match (place.naming.get(), which) {
            (Some(Name::NewFolder), Which::Folder) => Some(String::new()),
            (Some(Name::Of(name)), Which::Other) => Some(name),
            _ => None,
        };
        if let Some(name) = name {
            value.set(name);
            touched.set(false);
            refused.set(None);
            open.set(true);
            request_animation_frame(move || select(field));
        } else {
            open.set(false);
        }
    });
    erased::effect(move || {
        let mine = matches!(
            (place.naming.get_untracked(), which),
            (Some(Name::NewFolder), Which::Folder) | (Some(Name::Of(_)), Which::Other)
        );
        if !open.get() && mine {
            place.naming.set(None);
        }
    });
    let problem = Memo::new(move |_| value.with(|name| files::name_problem(name)));
    let error =
        Signal::derive(move || problem.get().filter(|_| touched.get()).map(ToOwned::to_owned));
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        touched.set(true);
        if busy.get_untracked() || problem.get_untracked().is_some() {
            return;
        }
        let Some(naming) = place.naming.get_untracked() else { return };
        let name = value.get_untracked();
        busy.set(true);
        refused.set(None);
        erased::spawn(async move {
            let result = apply(place, naming, name).await;
            if busy.is_disposed() {
                return;
            }
            busy.set(false);
            match result {
                Ok(sentence) => {
                    announce(sentence);
                    place.naming.set(None);
                    place.reload();
                }
                Err(error) => refused.set(Some(error)),
            }
        });
    };
    view! {
        <Dialog id open title>
            <form novalidate on:submit=submit>
                <TextField id=field label value error need=Need::Required
                    on_edit=Callback::new(move |()| touched.set(true)) />
                {move || refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
                <div class="dialog-acts">
                    <button type="button" class="button" on:click=move |_| open.set(false)>
                        {text::cancel}
                    </button>
                    <button
                        type="submit"
                        class="button primary"
                        aria-disabled=move || busy.get().then_some("true")
                    >
                        {text::save}
                    </button>
                </div>
            </form>
        </Dialog>
    }
}

async fn apply(place: Place, naming: Name, name: String) -> Result<String, Error> {
    let whose = place.whose.get_untracked();
    let path = |name: &str| untrack(|| place.path_of(name));
    match naming {
        Name::NewFolder => {
            api::make_directory(whose.owner, whose.name, path(&name)).await?;
            Ok(untrack(|| text::folder_made(name)))
        }
        Name::Of(before) => {
            if before != name {
                api::move_file(whose.owner, whose.name, path(&before), path(&name)).await?;
            }
            Ok(untrack(|| text::file_renamed(name)))
        }
    }
}

/// What is typed replaces the name, but not what follows its last dot.
fn select(id: &str) {
    use wasm_bindgen::JsCast as _;
    let input = document()
        .get_element_by_id(id)
        .and_then(|element| element.dyn_into::<web_sys::HtmlInputElement>().ok());
    if let Some(input) = input {
        // Focusing an element that is on the page does not fail, nor does selecting in a text field.
        let _ = input.focus();
        let name = input.value();
        let stem = name.rfind('.').filter(|at| *at > 0).map_or(&*name, |at| &name[..at]);
        // A browser counts in UTF-16.
        let end = u32::try_from(stem.encode_utf16().count()).unwrap_or(u32::MAX);
        let _ = input.set_selection_range(0, end);
    }
}
