//! What a container printed: live, and after its end.

mod download;
mod place;
mod reading;
mod rows;
mod sheet;
mod tools;

use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast as _;

use self::{
    place::{Place, State, Where},
    tools::{Head, Tools},
};
use crate::{
    components::{Failure, Glyph, Icon, Tab, Tabs, title},
    routes, text,
};

/// Pixels from the end that are still the end.
const NEAR: i32 = 24;

#[component]
pub(crate) fn LogsPage() -> impl IntoView {
    let place = Place::new();
    let name = Memo::new(move |_| place.whose.get().name);
    let owner = Memo::new(move |_| place.whose.get().owner);
    title(move || text::logs_of(name.get()));
    view! {
        <div class="logs-page">
            <div class="logs-top">
            <nav class="crumbs" aria-label=text::breadcrumbs>
                <ol>
                    <li><a href=routes::CONTAINERS>{text::containers}</a></li>
                    <li><a href=move || routes::container(&name.get(), &owner.get())>{name}</a></li>
                    <li aria-current="page">{text::logs}</li>
                </ol>
            </nav>
            <Head place />
            </div>
            <h1 class="unseen">{move || text::logs_of(name.get())}</h1>
            <Tabs name owner here=Tab::Logs />
            <Tools place />
            {move || place.refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
            {move || match place.state.get() {
                State::Failed(error) => {
                    let retry = Callback::new(move |()| place.again());
                    Some(view! { <Failure error=Signal::stored(error) retry /> })
                }
                State::Opening | State::Live | State::Lost | State::Ended => None,
            }}
            <Box place />
        </div>
    }
}

/// The lines themselves are put there by hand (`sheet`): thousands of reactive rows would be slow.
#[component]
fn Box(place: Place) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    node.on_load(move |element| place.shows_in(element));
    let scrolled = move |event: ev::Event| {
        let Some(element) = event.target() else { return };
        let element: &web_sys::Element = element.unchecked_ref();
        let top = element.scroll_top();
        let left = element.scroll_height() - top - element.client_height();
        place.scrolled(if left <= NEAR { Where::End } else { Where::Above(top) });
    };
    let class = move || if place.wrap.get() { "log-box wrap" } else { "log-box" };
    let is_empty = move || place.held.get() == 0 && place.waiting.get() == 0;
    let nothing = Memo::new(move |_| {
        is_empty()
            && match place.state.get() {
                State::Live => place.is_quiet.get(),
                State::Ended => true,
                State::Opening | State::Lost | State::Failed(_) => false,
            }
    });
    view! {
        <div class="log-frame">
            {move || (place.gone.get() > 0).then(|| view! {
                <p class="log-gone hint">{move || text::logs_gone(place.gone.get())}</p>
            })}
            <div
                class=class
                node_ref=node
                role="region"
                aria-label=move || text::logs_of(place.whose.get().name)
                tabindex="0"
                on:scroll=scrolled
            ></div>
            <Show when=move || nothing.get()>
                <div class="log-nothing empty">
                    <span class="empty-mark"><Glyph icon=Icon::Lines /></span>
                    <h2>{text::logs_empty}</h2>
                    <p>{text::logs_empty_why}</p>
                </div>
            </Show>
            <Show when=move || !place.follows.get()>
                <button type="button" class="button log-newest" on:click=move |_| place.to_newest()>
                    <Glyph icon=Icon::ArrowDown />
                    <span>{text::logs_to_newest}</span>
                    <span class="muted figures">
                        {move || match place.waiting.get() {
                            0 => String::new(),
                            many if place.is_full.get() && many > 0 => {
                                text::logs_newer_many().to_owned()
                            }
                            count => text::logs_newer(count),
                        }}
                    </span>
                </button>
            </Show>
        </div>
    }
}
