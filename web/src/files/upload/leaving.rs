//! Closing the tab breaks off what is sent: the browser asks first.

use std::sync::Once;

use leptos::prelude::*;
use wasm_bindgen::{JsCast as _, closure::Closure};
use web_sys::BeforeUnloadEvent;

use super::{transfer::Transfer, uploads};

static LISTENS: Once = Once::new();

/// From the first upload on, on whatever page its person is.
pub(super) fn ask_first() {
    LISTENS.call_once(|| {
        let ask = Closure::<dyn FnMut(_)>::new(|event: BeforeUnloadEvent| {
            if uploads().open.with_untracked(|open| open.iter().any(Transfer::is_busy)) {
                event.prevent_default();
            }
        });
        // Listening at the window does not fail.
        let _ =
            window().add_event_listener_with_callback("beforeunload", ask.as_ref().unchecked_ref());
        // As long as the page.
        ask.forget();
    });
}
