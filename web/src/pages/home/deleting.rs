use berth_core::text::bytes;
use berth_proto::v1::Volume;
use leptos::prelude::*;

use crate::{
    api::{self, Error},
    components::{Dialog, Failure, Glyph, Icon},
    erased,
    state::announcer::announce,
    text,
};

/// Says what goes before it goes.
#[component]
pub(super) fn Deleting(
    which: RwSignal<Option<Volume>>,
    owner: Memo<String>,
    gone: Callback<()>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let refused = RwSignal::new(None::<Error>);
    let busy = RwSignal::new(false);
    erased::effect(move || {
        let any = which.with(Option::is_some);
        if any {
            refused.set(None);
        }
        open.set(any);
    });
    erased::effect(move || {
        if !open.get() && which.with_untracked(Option::is_some) {
            which.set(None);
        }
    });
    // Closing it does not change what it says.
    let volume = Memo::new(move |before: Option<&Volume>| {
        which.get().or_else(|| before.cloned()).unwrap_or_default()
    });
    let in_use = move || volume.with(|volume| !volume.containers.is_empty());
    let delete = move |_| {
        if busy.get_untracked() || untrack(in_use) {
            return;
        }
        busy.set(true);
        refused.set(None);
        let (name, owner) = (volume.with_untracked(|v| v.name.clone()), owner.get_untracked());
        erased::spawn(async move {
            let result = api::delete_volume(name.clone(), owner).await;
            if busy.is_disposed() {
                return;
            }
            busy.set(false);
            match result {
                Ok(()) => {
                    announce(untrack(|| text::volume_going(name)));
                    which.set(None);
                }
                Err(error) => refused.set(Some(error)),
            }
            gone.run(());
        });
    };
    view! {
        <Dialog id="delete-volume" open title=text::delete_volume>
            <p>{move || text::delete_volume_what(volume.with(|volume| volume.name.clone()))}</p>
            {move || volume.with(|volume| volume.used_bytes).map(|used| view! {
                <p class="muted">{text::delete_volume_holds(bytes(used))}</p>
            })}
            {move || in_use().then(|| view! {
                <p class="notice wait">
                    {text::delete_volume_in_use(volume.with(|volume| volume.containers.join(", ")))}
                </p>
            })}
            {move || refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
            <div class="dialog-acts">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    {text::keep}
                </button>
                <button
                    type="button"
                    class="button danger solid"
                    aria-disabled=move || (busy.get() || in_use()).then_some("true")
                    on:click=delete
                >
                    <Glyph icon=Icon::Trash />
                    <span>{text::delete}</span>
                </button>
            </div>
        </Dialog>
    }
}
