use leptos::prelude::*;

use crate::{
    components::Dialog,
    erased,
    files::upload::{self, Answer, Scope},
    text,
};

/// Asks what becomes of a file that is there already.
#[component]
pub(super) fn Clash() -> impl IntoView {
    let uploads = upload::uploads();
    let asking = {
        let uploads = uploads.clone();
        Memo::new(move |_| uploads.asking().map(|transfer| (transfer.id, transfer.path)))
    };
    let open = RwSignal::new(false);
    let all = RwSignal::new(false);
    erased::effect(move || open.set(asking.with(Option::is_some)));
    let answer = Callback::new(move |answer: Answer| {
        let scope = if all.get_untracked() { Scope::All } else { Scope::This };
        if let Some(transfer) = untrack(|| uploads.asking()) {
            uploads.answer(&transfer, answer, scope);
        }
        // The next one is asked about in the same dialog.
        open.set(asking.with_untracked(Option::is_some));
        if asking.with_untracked(Option::is_none) {
            all.set(false);
        }
    });
    erased::effect(move || {
        // Closed without a word: nothing is replaced that nobody said yes to.
        if !open.get() && asking.with_untracked(Option::is_some) {
            answer.run(Answer::Skip);
        }
    });
    // Closing it does not change what it says.
    let path = Memo::new(move |before: Option<&String>| {
        asking.get().map(|(_, path)| path).or_else(|| before.cloned()).unwrap_or_default()
    });
    view! {
        <Dialog id="upload-exists" open title=text::upload_exists>
            <p>{move || text::upload_exists_what(path.get())}</p>
            <label class="check">
                <input
                    type="checkbox"
                    prop:checked=move || all.get()
                    on:change:target=move |event| all.set(event.target().checked())
                />
                <span>{text::upload_for_all}</span>
            </label>
            <div class="dialog-acts">
                <button type="button" class="button" on:click=move |_| answer.run(Answer::Skip)>
                    {text::upload_skip}
                </button>
                <button
                    type="button"
                    class="button primary"
                    on:click=move |_| answer.run(Answer::Replace)
                >
                    {text::upload_replace}
                </button>
            </div>
        </Dialog>
    }
}
