use leptos::prelude::*;

use super::{
    place::{PAGE, Place, State},
    row::{self, Row},
    tools::{Chooser, Folders},
};
use crate::{
    api::Code,
    components::{Failure, Glyph, Icon, Skeleton},
    files::{self, Column, Direction},
    i18n::Words,
    text,
};

/// The folder, or why it is not there.
#[component]
pub(super) fn List(place: Place) -> impl IntoView {
    let all = Memo::new(move |_| place.listing.with(|listing| listing.files.len()));
    let count = Memo::new(move |_| place.shown.with(Vec::len));
    let truncated = Memo::new(move |_| place.listing.with(|listing| listing.truncated));
    let is_here = Memo::new(move |_| place.state.get() == State::Here);
    view! {
        {move || match place.state.get() {
            State::Loading => view! { <Skeleton lines=6 /> }.into_any(),
            State::Failed(error) => {
                let retry = Callback::new(move |()| {
                    place.state.set(State::Loading);
                    place.reload();
                });
                let gone = matches!(error.code(), Some(Code::NotFound | Code::FailedPrecondition));
                let above = gone.then(|| files::parent(&place.here.get_untracked())).flatten();
                // A link that leads to a file and not to a folder.
                let file = (error.code() == Some(Code::FailedPrecondition)).then(|| {
                    let here = place.here.get_untracked();
                    place.whose.with_untracked(|whose| files::url(whose, &here))
                });
                view! {
                    <Failure error=Signal::stored(error) retry />
                    {above.map(|above| view! {
                        <div class="acts">
                            <a class="button" href=place.route(&above)>{text::to_files_above}</a>
                            {file.map(|url| view! {
                                <a class="button" href=url download="">{text::download}</a>
                            })}
                        </div>
                    })}
                }
                .into_any()
            }
            State::Here => ().into_any(),
        }}
        <Show when=move || is_here.get() && truncated.get()>
            <p class="notice wait" role="status">{move || text::folder_truncated(all.get())}</p>
        </Show>
        <Show when=move || is_here.get() && count.get() == 0>
            <Nothing place all />
        </Show>
        <Show when=move || is_here.get() && count.get() != 0>
            <Table place />
            <div class="files-foot">
                <p class="muted figures" role="status">{move || text::entries(count.get())}</p>
                <Show when=move || { place.rows.get() < count.get() }>
                    <button
                        type="button"
                        class="button"
                        on:click=move |_| place.rows.update(|rows| *rows += PAGE)
                    >
                        {move || text::show_more(PAGE.min(count.get() - place.rows.get().min(count.get())))}
                    </button>
                </Show>
            </div>
        </Show>
    }
}

#[component]
fn Nothing(place: Place, all: Memo<usize>) -> impl IntoView {
    move || {
        if all.get() == 0 {
            view! {
                <div class="empty">
                    <span class="empty-mark"><Glyph icon=Icon::Folder /></span>
                    <h2>{text::folder_empty}</h2>
                    <p>{text::folder_empty_why}</p>
                    <Chooser place folders=Folders::No />
                </div>
            }
            .into_any()
        } else {
            let searches = !place.search.with(|search| search.trim().is_empty());
            let words = if searches { text::no_file_matches } else { text::only_hidden };
            view! { <p class="notice" role="status">{words}</p> }.into_any()
        }
    }
}

#[component]
fn Table(place: Place) -> impl IntoView {
    let rows = move || {
        let count = place.rows.get();
        place.shown.with(|files| files.iter().take(count).cloned().collect::<Vec<_>>())
    };
    let names = move || {
        place.shown.with(|files| {
            files.iter().filter(|f| !f.unnameable).map(|f| f.name.clone()).collect::<Vec<_>>()
        })
    };
    let all_chosen = move || {
        let names = names();
        place
            .chosen
            .with(|chosen| !names.is_empty() && names.iter().all(|name| chosen.contains(name)))
    };
    let choose_all = move |_| {
        let all = untrack(all_chosen);
        place.chosen.update(|chosen| {
            chosen.clear();
            if !all {
                chosen.extend(untrack(names));
            }
        });
    };
    view! {
        // The roles are said because styles turn the table into cards on a phone, and browsers then forget them.
        <div class="table-box files">
            <table role="table" aria-label=text::files>
                <thead role="rowgroup">
                    <tr role="row">
                        <th scope="col" role="columnheader" class="file-choose">
                            <input
                                type="checkbox"
                                aria-label=text::choose_all
                                prop:checked=all_chosen
                                on:change=choose_all
                            />
                        </th>
                        <Head place column=Column::Name words=text::name />
                        <Head place column=Column::Size words=text::file_size />
                        <Head place column=Column::Changed words=text::file_changed />
                        <th scope="col" role="columnheader">
                            <span class="unseen">{text::actions}</span>
                        </th>
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    <For each=rows key=row::key let:file>
                        <Row place file />
                    </For>
                </tbody>
            </table>
        </div>
    }
}

/// A column that the list can be ordered by.
#[component]
fn Head(place: Place, column: Column, words: Words) -> impl IntoView {
    let sorted = move || {
        let order = place.order.get();
        (order.column == column).then_some(match order.direction {
            Direction::Ascending => "ascending",
            Direction::Descending => "descending",
        })
    };
    let arrow = move || match sorted() {
        Some("ascending") => "\u{2191}",
        Some(_) => "\u{2193}",
        None => "",
    };
    view! {
        <th scope="col" role="columnheader" aria-sort=sorted>
            <button
                type="button"
                class="files-sort"
                on:click=move |_| place.order.update(|order| *order = order.chosen(column))
            >
                {words}
                <span aria-hidden="true">{arrow}</span>
            </button>
        </th>
    }
}
