use leptos::prelude::*;

use crate::{
    api::{FieldViolation, Update},
    components::{Dialog, Glyph, Icon},
    erased, text,
};

/// Says what goes before it goes.
#[component]
pub(super) fn Anew(
    /// What takes it; nothing while nobody asks.
    fields: RwSignal<Vec<FieldViolation>>,
    busy: RwSignal<bool>,
    save: UnsyncCallback<Update>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    erased::effect(move || open.set(fields.with(|fields| !fields.is_empty())));
    erased::effect(move || {
        if !open.get() && fields.with_untracked(|fields| !fields.is_empty()) {
            fields.set(Vec::new());
        }
    });
    // Closing it does not change what it says.
    let names = Memo::new(move |before: Option<&String>| {
        let names: Vec<String> = fields.get().into_iter().map(|field| field.description).collect();
        match names.is_empty() {
            true => before.cloned().unwrap_or_default(),
            false => names.join(", "),
        }
    });
    view! {
        <Dialog id="anew" open title=text::anew>
            <p>{move || text::anew_why(names.get())}</p>
            <ul class="plain">
                <li>{text::anew_goes}</li>
                <li>{text::anew_stays}</li>
            </ul>
            <div class="dialog-acts">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    {text::anew_not}
                </button>
                <button
                    type="button"
                    class="button danger solid"
                    aria-disabled=move || busy.get().then_some("true")
                    on:click=move |_| save.run(Update::Anew)
                >
                    <Glyph icon=Icon::Restart />
                    <span>{text::anew_do}</span>
                </button>
            </div>
        </Dialog>
    }
}
