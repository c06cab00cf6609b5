use berth_core::{text::problem, violation::Violation, volume::VolumeName};
use berth_proto::v1::VolumeScope;
use leptos::{ev, prelude::*};

use crate::{
    api::{self, Error},
    components::{Dialog, Failure, Need, TextField},
    erased,
    i18n::{self, Words},
    state::announcer::announce,
    text,
};

#[component]
pub(super) fn Creating(open: RwSignal<bool>, made: Callback<()>) -> impl IntoView {
    let name = RwSignal::new(String::new());
    let scope = RwSignal::new(VolumeScope::Unspecified);
    let touched = RwSignal::new(false);
    let refused = RwSignal::new(None::<Error>);
    let busy = RwSignal::new(false);
    erased::effect(move || {
        if open.get() {
            name.set(String::new());
            touched.set(false);
            refused.set(None);
            // Where homes are shared, so can volumes be.
            erased::spawn_while_shown(async move {
                if let Ok(home) = api::get_home(String::new()).await {
                    scope.set(home.scope());
                }
            });
        }
    });
    let problems = Memo::new(move |_| name.with(|name| VolumeName::check("name", name).err()));
    let error = Signal::derive(move || {
        let sentence = |all: Vec<Violation>| {
            let problem = problem(i18n::language(), &all.first()?.problem);
            Some(i18n::about(text::name(), &problem))
        };
        problems.get().filter(|_| touched.get()).and_then(sentence)
    });
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        touched.set(true);
        if busy.get_untracked() || problems.with_untracked(Option::is_some) {
            return;
        }
        busy.set(true);
        refused.set(None);
        let (name, scope) = (name.get_untracked(), scope.get_untracked());
        erased::spawn(async move {
            let result = api::create_volume(name, scope).await;
            if busy.is_disposed() {
                return;
            }
            busy.set(false);
            match result {
                Ok(volume) => {
                    announce(untrack(|| text::volume_made(volume.name)));
                    open.set(false);
                    made.run(());
                }
                Err(error) => refused.set(Some(error)),
            }
        });
    };
    view! {
        <Dialog id="new-volume" open title=text::new_volume>
            <form novalidate on:submit=submit>
                <TextField id="volume-name" label=text::name hint=text::name_hint value=name error
                    need=Need::Required on_edit=Callback::new(move |()| touched.set(true)) />
                <fieldset class="plain scopes">
                    <legend>{text::volume_scope}</legend>
                    <Choice scope is=VolumeScope::Shared words=text::scope_shared hint=text::scope_shared_hint />
                    <Choice scope is=VolumeScope::Node words=text::scope_node hint=text::scope_node_hint />
                </fieldset>
                {move || refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
                <div class="dialog-acts">
                    <button type="button" class="button" on:click=move |_| open.set(false)>
                        {text::cancel}
                    </button>
                    <button
                        type="submit"
                        class="button primary"
                        aria-disabled=move || busy.get().then_some("true")
                    >
                        {text::create}
                    </button>
                </div>
            </form>
        </Dialog>
    }
}

#[component]
fn Choice(
    scope: RwSignal<VolumeScope>,
    is: VolumeScope,
    words: Words,
    hint: Words,
) -> impl IntoView {
    view! {
        <label class="check">
            <input
                type="radio"
                name="volume-scope"
                prop:checked=move || scope.get() == is
                on:change=move |_| scope.set(is)
            />
            <span>{words} <span class="hint">{hint}</span></span>
        </label>
    }
}
