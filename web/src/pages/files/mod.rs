//! The files of one container or of the home, a folder at a time.

mod clash;
mod keys;
mod list;
mod naming;
mod place;
mod removing;
mod row;
mod tools;
mod transfers;

use leptos::{ev, prelude::*};

use self::{
    clash::Clash,
    list::List,
    naming::Naming,
    place::Place,
    removing::Removing,
    tools::{Chosen, Tools},
    transfers::Transfers,
};
use crate::{
    components::{Failure, Glyph, Icon, Tab, Tabs, title},
    files::{self, Whose, upload},
    pages::home::HomeHead,
    routes, text,
};

#[component]
pub(crate) fn FilesPage() -> impl IntoView {
    upload::uploads().only_mine();
    let place = Place::new();
    let name = move || place.whose.get().name;
    let is_home = place.whose.with_untracked(Whose::is_home);
    title(
        move || if is_home { text::home_and_volumes().to_owned() } else { text::files_of(name()) },
    );
    let owner = Memo::new(move |_| place.whose.get().owner);
    keys::listen(place);
    let over = drop_zone(place);
    view! {
        <div class="files-page">
            {if is_home {
                view! { <HomeHead owner /> }.into_any()
            } else {
                view! { <ContainerHead place /> }.into_any()
            }}
            <Tools place />
            {move || place.error.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
            {move || place.unread.get().map(|names| view! {
                <p class="notice bad" role="alert">{text::upload_not_read(names)}</p>
            })}
            <Transfers place />
            <div class="files-bar">
                <Way place />
                <Chosen place />
            </div>
            <List place />
            <Show when=move || over.get()>
                <div class="files-drop" aria-hidden="true">
                    <p>{move || text::drop_here(place.here.get())}</p>
                </div>
            </Show>
        </div>
        <Naming place />
        <Removing place />
        <Clash />
    }
}

#[component]
fn ContainerHead(place: Place) -> impl IntoView {
    let name = Signal::derive(move || place.whose.get().name);
    let owner = Signal::derive(move || place.whose.get().owner);
    view! {
        <nav class="crumbs" aria-label=text::breadcrumbs>
            <ol>
                <li><a href=routes::CONTAINERS>{text::containers}</a></li>
                <li><a href=move || place.container()>{name}</a></li>
                <li aria-current="page">{text::files}</li>
            </ol>
        </nav>
        <h1 class="unseen">{move || text::files_of(name.get())}</h1>
        <Tabs name owner here=Tab::Files />
    }
}

/// Each folder on the way to this one.
#[component]
fn Way(place: Place) -> impl IntoView {
    view! {
        <nav class="files-way" aria-label=text::folder>
            {move || files::parent(&place.here.get()).map(|above| view! {
                <a href=place.route(&above) aria-label=text::folder_up title=text::folder_up>
                    <Glyph icon=Icon::Up />
                </a>
            })}
            <ol>
                <li>
                    <a
                        href=move || place.route(files::ROOT)
                        aria-label=text::root_folder
                        aria-current=move || (place.here.get() == files::ROOT).then_some("location")
                    >
                        "/"
                    </a>
                </li>
                {move || {
                    let here = place.here.get();
                    files::crumbs(&here)
                        .into_iter()
                        .map(|(name, path)| {
                            let current = (path == here).then_some("location");
                            view! {
                                <li><a href=place.route(&path) aria-current=current>{name}</a></li>
                            }
                        })
                        .collect_view()
                }}
            </ol>
        </nav>
    }
}

/// Files can be dropped anywhere on the page: beside a marked zone the browser would open them and leave.
fn drop_zone(place: Place) -> RwSignal<bool> {
    let over = RwSignal::new(false);
    let carries_files = |event: &web_sys::DragEvent| {
        event.data_transfer().is_some_and(|data| data.types().iter().any(|t| t == "Files"))
    };
    let drag = window_event_listener(ev::dragover, move |event| {
        if carries_files(&event) {
            event.prevent_default();
            if !over.get_untracked() {
                over.set(true);
            }
        }
    });
    let leave = window_event_listener(ev::dragleave, move |event| {
        // Out of the window, and not from one element to the next.
        if event.related_target().is_none() {
            over.set(false);
        }
    });
    let drop = window_event_listener(ev::drop, move |event| {
        if carries_files(&event) {
            event.prevent_default();
            over.set(false);
            if let Some(data) = event.data_transfer() {
                place.send(upload::dropped(&data));
            }
        }
    });
    on_cleanup(move || {
        drag.remove();
        leave.remove();
        drop.remove();
    });
    over
}
