use leptos::{html, prelude::*};

use super::place::{Name, Place, State};
use crate::{
    components::{Glyph, Icon},
    erased,
    files::{self, upload},
    text,
};

/// What brings something into the folder, and what finds something in it.
#[component]
pub(super) fn Tools(place: Place) -> impl IntoView {
    view! {
        <div class="files-tools">
            <div class="acts">
                <Chooser place folders=Folders::No />
                <Chooser place folders=Folders::Yes />
                <button
                    type="button"
                    class="button"
                    on:click=move |_| place.naming.set(Some(Name::NewFolder))
                >
                    <Glyph icon=Icon::FolderPlus />
                    <span>{text::new_folder}</span>
                </button>
            </div>
            <div class="files-find">
                <div class="search">
                    <Glyph icon=Icon::Search />
                    <input
                        type="search"
                        aria-label=text::search_files
                        placeholder=text::search_files
                        autocomplete="off"
                        spellcheck="false"
                        prop:value=move || place.search.get()
                        on:input:target=move |event| place.search.set(event.target().value())
                    />
                </div>
                <button
                    type="button"
                    class="chip"
                    aria-pressed=move || if place.hidden.get() { "true" } else { "false" }
                    on:click=move |_| place.hidden.update(|hidden| *hidden = !*hidden)
                >
                    {text::show_hidden}
                </button>
            </div>
        </div>
    }
}

/// What can be done with the folder, and with what is chosen in it.
#[component]
pub(super) fn Chosen(place: Place) -> impl IntoView {
    let count = Memo::new(move |_| place.chosen.with(std::collections::BTreeSet::len));
    let archive = move || {
        let path = place.here.get();
        place.whose.with(|whose| format!("{}&archive=zip", files::url(whose, &path)))
    };
    view! {
        <div class="acts">
            <Show when=move || count.get() != 0>
                <button
                    type="button"
                    class="button small danger"
                    on:click=move |_| {
                        let names = place.chosen.with_untracked(|all| all.iter().cloned().collect());
                        place.removing.set(names);
                    }
                >
                    <Glyph icon=Icon::Trash />
                    <span>{text::delete_chosen}</span>
                    <span class="figures">{count}</span>
                </button>
            </Show>
            <Show when=move || place.state.get() == State::Here>
                <a class="button small" href=archive download="">
                    <Glyph icon=Icon::Download />
                    <span>{text::download_folder}</span>
                </a>
            </Show>
        </div>
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folders {
    No,
    Yes,
}

/// A button that opens the browser's chooser, whose own control says nothing that fits.
#[component]
pub(super) fn Chooser(place: Place, folders: Folders) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    erased::effect(move || {
        if let Some(input) = input.get() {
            input.set_webkitdirectory(folders == Folders::Yes);
        }
    });
    let choose = move |_| {
        if let Some(input) = input.get_untracked() {
            input.click();
        }
    };
    let chosen = move |_| {
        let Some(input) = input.get_untracked() else { return };
        if let Some(list) = input.files() {
            place.send(std::future::ready(upload::picked(&list)));
        }
        // The same one can be chosen again.
        input.set_value("");
    };
    let (class, icon, words) = match folders {
        Folders::No => ("button primary", Icon::Upload, text::upload_files),
        Folders::Yes => ("button", Icon::Folder, text::upload_folder),
    };
    view! {
        <button type="button" class=class on:click=choose>
            <Glyph icon />
            <span>{words}</span>
        </button>
        <input
            type="file"
            class="files-input"
            multiple
            aria-hidden="true"
            tabindex="-1"
            node_ref=input
            on:change=chosen
        />
    }
}
