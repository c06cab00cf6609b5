//! Keys: `n` new, `/` search, `?` help. Never while something is typed.

use leptos::{ev, prelude::*};
use leptos_router::hooks::use_navigate;
use wasm_bindgen::JsCast as _;

use super::dialog::Dialog;
use crate::{routes, state::session, text};

#[component]
pub(crate) fn Shortcuts() -> impl IntoView {
    let help = RwSignal::new(false);
    let navigate = use_navigate();
    let listener = window_event_listener(ev::keydown, move |event| {
        let typing = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
            .is_some_and(|element| {
                element
                    .closest("input, textarea, select, dialog, [contenteditable]")
                    .is_ok_and(|e| e.is_some())
            });
        let modified = event.ctrl_key() || event.meta_key() || event.alt_key();
        if typing || modified || event.default_prevented() || session::person_untracked().is_none()
        {
            return;
        }
        match event.key().as_str() {
            "n" => navigate(routes::NEW, leptos_router::NavigateOptions::default()),
            "/" => {
                if let Ok(Some(search)) = document().query_selector("input[type=search]") {
                    event.prevent_default();
                    if let Ok(search) = search.dyn_into::<web_sys::HtmlElement>() {
                        // Focusing an element that is on the page does not fail.
                        let _ = search.focus();
                    }
                }
            }
            "?" => help.set(true),
            _ => {}
        }
    });
    on_cleanup(move || listener.remove());
    view! {
        <Dialog id="shortcuts" open=help title=text::shortcuts>
            <dl class="keys">
                <div><dt><kbd>"n"</kbd></dt><dd>{text::new_container}</dd></div>
                <div><dt><kbd>"/"</kbd></dt><dd>{text::search}</dd></div>
                <div><dt><kbd>"?"</kbd></dt><dd>{text::shortcuts}</dd></div>
                <div><dt><kbd>"Ctrl+Shift+L"</kbd></dt><dd>{text::leave_terminal}</dd></div>
                <div><dt><kbd>"Enter"</kbd></dt><dd>{text::key_open}</dd></div>
                <div><dt><kbd>"Backspace"</kbd></dt><dd>{text::key_folder_up}</dd></div>
                <div><dt><kbd>"F2"</kbd></dt><dd>{text::key_rename}</dd></div>
                <div><dt><kbd>"Delete"</kbd></dt><dd>{text::key_delete_file}</dd></div>
                <div><dt><kbd>"Esc"</kbd></dt><dd>{text::close}</dd></div>
            </dl>
        </Dialog>
    }
}
