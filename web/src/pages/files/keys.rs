//! Keys of the list: arrows, Backspace, Delete, F2. Enter is the link's own.

use leptos::{ev, prelude::*};
use leptos_router::hooks::use_navigate;
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement};

use super::place::{Name, Place};
use crate::files;

pub(super) fn listen(place: Place) {
    let navigate = use_navigate();
    let listener = window_event_listener(ev::keydown, move |event| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let within =
            |css: &str| target.as_ref().and_then(|target| target.closest(css).ok().flatten());
        let typing = within("input:not([type=checkbox]), textarea, select, dialog").is_some();
        let modified = event.ctrl_key() || event.meta_key() || event.alt_key();
        if typing || modified || event.default_prevented() {
            return;
        }
        let row = within("tr[data-name]");
        let name = row.as_ref().and_then(|row| row.get_attribute("data-name"));
        match (event.key().as_str(), name) {
            ("Backspace", _) => {
                if let Some(parent) = files::parent(&place.here.get_untracked()) {
                    event.prevent_default();
                    let route = untrack(|| place.route(&parent));
                    navigate(&route, leptos_router::NavigateOptions::default());
                }
            }
            ("ArrowDown", _) => go(row.as_ref(), Element::next_element_sibling, &event),
            ("ArrowUp", _) => go(row.as_ref(), Element::previous_element_sibling, &event),
            ("F2", Some(name)) => {
                event.prevent_default();
                place.naming.set(Some(Name::Of(name)));
            }
            ("Delete", name) => {
                let mut names: Vec<String> =
                    place.chosen.with_untracked(|chosen| chosen.iter().cloned().collect());
                if names.is_empty() {
                    names.extend(name);
                }
                place.removing.set(names);
            }
            _ => {}
        }
    });
    on_cleanup(move || listener.remove());
}

/// To the next row that has something to stand on; from elsewhere nowhere, so that the page still scrolls.
fn go(
    row: Option<&Element>,
    next: fn(&Element) -> Option<Element>,
    event: &web_sys::KeyboardEvent,
) {
    let Some(mut row) = row.cloned() else { return };
    while let Some(other) = next(&row) {
        if let Some(link) = other.query_selector("a.file-name").ok().flatten() {
            event.prevent_default();
            if let Ok(link) = link.dyn_into::<HtmlElement>() {
                // Focusing an element that is on the page does not fail.
                let _ = link.focus();
            }
            return;
        }
        row = other;
    }
}
