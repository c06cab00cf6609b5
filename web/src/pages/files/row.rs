use berth_core::text::bytes;
use berth_proto::v1::{File, FileKind};
use leptos::prelude::*;

use super::place::{Name, Place};
use crate::{
    components::{Glyph, Icon, Moment},
    files, text,
};

/// Of everything that is shown of it.
pub(super) fn key(file: &File) -> (String, i32, u64, i64, String) {
    let changed = file.modify_time.as_ref().map_or(0, |at| at.seconds);
    (file.name.clone(), file.kind, file.size_bytes, changed, file.link_target.clone())
}

#[component]
pub(super) fn Row(place: Place, file: File) -> impl IntoView {
    let kind = file.kind();
    let exact = !file.unnameable;
    let name = StoredValue::new(file.name.clone());
    let size = (kind == FileKind::File).then(|| bytes(file.size_bytes));
    let changed = file.modify_time;
    let is_chosen = move || name.with_value(|name| place.chosen.with(|all| all.contains(name)));
    let choose = move |_| {
        name.with_value(|name| {
            place.chosen.update(|all| {
                if !all.remove(name) {
                    all.insert(name.clone());
                }
            });
        });
    };
    let data_name = exact.then(|| file.name.clone());
    view! {
        <tr role="row" data-name=data_name aria-selected=move || is_chosen().then_some("true")>
            <td role="cell" class="file-choose">
                {exact.then(|| view! {
                    <input
                        type="checkbox"
                        aria-label=move || text::choose_what(name.get_value())
                        prop:checked=is_chosen
                        on:change=choose
                    />
                })}
            </td>
            <th scope="row" role="rowheader" class="file-of">
                <div class="file-cell"><NameOf place file /></div>
            </th>
            <td role="cell" class="figures file-size" data-label=text::file_size>{size}</td>
            <td role="cell" class="figures file-changed" data-label=text::file_changed>
                <Moment at=Signal::stored(changed) />
            </td>
            <td role="cell" class="file-acts">
                {exact.then(|| view! { <Acts place name kind /> })}
            </td>
        </tr>
    }
}

/// What opens it: a folder in place, a file on the person's own machine.
#[component]
fn NameOf(place: Place, file: File) -> impl IntoView {
    let kind = file.kind();
    let icon = match kind {
        FileKind::Directory => Icon::Folder,
        FileKind::Link => Icon::Link,
        FileKind::File | FileKind::Other | FileKind::Unspecified => Icon::File,
    };
    let word = match kind {
        FileKind::Directory => text::folder,
        FileKind::File => text::file,
        FileKind::Link | FileKind::Other | FileKind::Unspecified => text::special_file,
    };
    let path = untrack(|| place.path_of(&file.name));
    let name = file.name.clone();
    let opened = match kind {
        _ if file.unnameable => view! { <span class="file-name">{name}</span> }.into_any(),
        // Where a link leads is the blade's to say: one that leads to a folder opens as one.
        FileKind::Directory | FileKind::Link => {
            view! { <a class="file-name" href=untrack(|| place.route(&path))>{name}</a> }.into_any()
        }
        FileKind::File => {
            let url = place.whose.with_untracked(|whose| files::url(whose, &path));
            view! { <a class="file-name" href=url download="">{name}</a> }.into_any()
        }
        FileKind::Other | FileKind::Unspecified => {
            view! { <span class="file-name">{name}</span> }.into_any()
        }
    };
    let target = (kind == FileKind::Link).then(|| file.link_target.clone());
    let special = matches!(kind, FileKind::Other | FileKind::Unspecified);
    view! {
        <Glyph icon />
        <div>
            {(kind != FileKind::Link && !special).then(|| view! { <span class="unseen">{word}</span> })}
            {opened}
            {target.map(|target| view! {
                <span class="hint">{move || text::link_to(&target)}</span>
            })}
            {special.then(|| view! { <span class="hint">{text::special_file}</span> })}
            {file.unnameable.then(|| view! { <span class="hint">{text::unnameable}</span> })}
        </div>
    }
}

#[component]
fn Acts(place: Place, name: StoredValue<String>, kind: FileKind) -> impl IntoView {
    let url = name.with_value(|name| {
        let path = untrack(|| place.path_of(name));
        place.whose.with_untracked(|whose| files::url(whose, &path))
    });
    let download = match kind {
        FileKind::File | FileKind::Link => Some((url, text::download_file as fn(String) -> String)),
        FileKind::Directory => {
            Some((format!("{url}&archive=zip"), text::download_zip as fn(String) -> String))
        }
        FileKind::Other | FileKind::Unspecified => None,
    };
    view! {
        <div class="acts end">
            {download.map(|(url, words)| view! {
                <a
                    class="button ghost small square"
                    href=url
                    download=""
                    aria-label=move || words(name.get_value())
                    title=text::download
                >
                    <Glyph icon=Icon::Download />
                </a>
            })}
            <button
                type="button"
                class="button ghost small square"
                aria-label=move || text::rename_what(name.get_value())
                title=text::rename
                on:click=move |_| place.naming.set(Some(Name::Of(name.get_value())))
            >
                <Glyph icon=Icon::Pencil />
            </button>
            <button
                type="button"
                class="button ghost small square"
                aria-label=move || text::delete_what_file(name.get_value())
                title=text::delete
                on:click=move |_| place.removing.set(vec![name.get_value()])
            >
                <Glyph icon=Icon::Trash />
            </button>
        </div>
    }
}
