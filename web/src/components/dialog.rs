use leptos::{html, prelude::*};

use super::icon::{Glyph, Icon};
use crate::{erased, i18n::Words, text};

/// The browser's own modal dialog: it keeps the focus, closes on Escape and gives the focus back.
#[component]
pub(crate) fn Dialog(
    /// Its element's id, unique on the page.
    id: &'static str,
    open: RwSignal<bool>,
    title: Words,
    children: Children,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    erased::effect(move || {
        let (Some(dialog), open) = (dialog.get(), open.get()) else { return };
        if open && !dialog.open() {
            // Fails only for an element that is not in the page.
            let _ = dialog.show_modal();
        } else if !open && dialog.open() {
            dialog.close();
        }
    });
    let title_id = format!("{id}-title");
    let labelled_by = title_id.clone();
    view! {
        <dialog
            id=id
            node_ref=dialog
            aria-labelledby=labelled_by
            closedby="any"
            on:close=move |_| open.set(false)
        >
            <div class="dialog-head">
                <h2 id=title_id>{title}</h2>
                <button
                    type="button"
                    class="button ghost small square"
                    aria-label=text::close
                    on:click=move |_| open.set(false)
                >
                    <Glyph icon=Icon::X />
                </button>
            </div>
            {children()}
        </dialog>
    }
}
