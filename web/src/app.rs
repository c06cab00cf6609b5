//! The frame around every page.

use leptos::prelude::*;
use leptos_router::{
    components::{Route, Router, Routes},
    hooks::use_location,
    path,
};
use wasm_bindgen::JsCast as _;

use crate::{
    components::{ConnectionNotice, Guard, Lazy, Nav, Shortcuts},
    erased,
    pages::{ContainerPage, Containers, NotFound, SignIn},
    parts::Part,
    routes,
    state::{announcer::Announcer, session},
    text, time,
};

#[component]
pub(crate) fn App() -> impl IntoView {
    time::tick();
    erased::spawn(session::load());
    view! {
        <Router>
            <Frame />
        </Router>
    }
}

#[component]
fn Frame() -> impl IntoView {
    let path = use_location().pathname;
    focus_page_on_change(path);
    let framed = Memo::new(move |_| path.get() != routes::SIGN_IN && session::person().is_some());
    view! {
        <a class="skip" href="#main" on:click=skip_to_main>{text::skip}</a>
        <div class=move || if framed.get() { "frame" } else { "frame bare" }>
            <Show when=move || framed.get()>
                <Nav />
            </Show>
            <main id="main" tabindex="-1">
                <ConnectionNotice />
                <Routes fallback=|| view! { <NotFound /> }>
                    <Route path=path!("/sign-in") view=SignIn />
                    <Route path=path!("/") view=|| view! { <Guard><Containers /></Guard> } />
                    <Route path=path!("/new") view=|| view! { <Guard><Lazy part=Part::New /></Guard> } />
                    <Route path=path!("/home") view=|| view! { <Guard><Lazy part=Part::Files /></Guard> } />
                    <Route path=path!("/c/:name") view=|| view! { <Guard><ContainerPage /></Guard> } />
                    <Route path=path!("/c/:name/terminal") view=|| view! { <Guard><Lazy part=Part::Terminal /></Guard> } />
                    <Route path=path!("/c/:name/files") view=|| view! { <Guard><Lazy part=Part::Files /></Guard> } />
                    <Route path=path!("/c/:name/logs") view=|| view! { <Guard><Lazy part=Part::Logs /></Guard> } />
                    <Route path=path!("/c/:name/graphs") view=|| view! { <Guard><Lazy part=Part::Graphs /></Guard> } />
                    <Route path=path!("/c/:name/definition") view=|| view! { <Guard><Lazy part=Part::New /></Guard> } />
                    <Route path=path!("/admin/nodes/:name") view=|| view! { <Guard><Lazy part=Part::NodeGraphs /></Guard> } />
                    <Route path=path!("/admin/nodes") view=|| view! { <Guard><Lazy part=Part::Nodes /></Guard> } />
                    <Route path=path!("/account") view=|| view! { <Guard><Lazy part=Part::Account /></Guard> } />
                </Routes>
            </main>
        </div>
        <Shortcuts />
        <Announcer />
    }
}

fn skip_to_main(event: web_sys::MouseEvent) {
    event.prevent_default();
    if let Some(main) = document().get_element_by_id("main") {
        focus(&main);
    }
}

/// A page change moves the focus to the page's heading, so that a screen reader reads where one is and Tab goes on from
/// there. Not at the first page: the browser has just announced that one.
fn focus_page_on_change(path: Memo<String>) {
    Effect::new(move |before: Option<String>| {
        let path = path.get();
        if before.is_some_and(|before| before != path) {
            request_animation_frame(|| {
                focus_heading();
                window().scroll_to_with_x_and_y(0.0, 0.0);
            });
        }
        path
    });
}

pub(crate) fn focus_heading() {
    let heading = document()
        .query_selector("main [autofocus], main h1")
        .ok()
        .flatten()
        .or_else(|| document().get_element_by_id("main"));
    if let Some(heading) = heading {
        focus(&heading);
    }
}

fn focus(element: &web_sys::Element) {
    if let Some(element) = element.dyn_ref::<web_sys::HtmlElement>() {
        if !element.has_attribute("tabindex") && element.tag_name() == "H1" {
            // Setting a well-formed attribute does not fail.
            let _ = element.set_attribute("tabindex", "-1");
        }
        // Nor does focusing an element that is on the page.
        let _ = element.focus();
    }
}
