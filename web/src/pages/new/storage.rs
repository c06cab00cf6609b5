//! As whom it runs, and what of its owner's it has inside.

use berth_core::storage::RunAs;
use berth_proto::v1::{Volume, VolumeMount};
use leptos::prelude::*;

use super::{
    draft::{Draft, Mounted},
    problems::Problems,
};
use crate::{
    api,
    components::{FieldError, Glyph, Icon},
    erased,
    i18n::Words,
    routes, text,
};

#[component]
pub(super) fn Storage(
    draft: Draft,
    problems: Problems,
    /// Whose volumes; empty for the caller's own.
    owner: String,
) -> impl IntoView {
    // Those that cannot be had are missing from the choice: no reason for an error here.
    let volumes = RwSignal::new(None::<Vec<Volume>>);
    erased::spawn_while_shown(async move {
        if let Ok(answer) = api::list_volumes(owner).await {
            volumes.set(Some(answer));
        }
    });
    let none = move || volumes.with(|all| all.as_ref().is_some_and(Vec::is_empty));
    let add = move |_| {
        let name = volumes.with_untracked(|all| {
            let usable = all.iter().flatten().find(|volume| !volume.deleting);
            usable.map(|volume| volume.name.clone()).unwrap_or_default()
        });
        draft.add_volume(&VolumeMount { name, ..VolumeMount::default() });
    };
    let error = problems.at("volumes", Signal::stored("volumes".to_owned()), text::volumes);
    view! {
        <fieldset class="card">
            <legend>{text::home_and_volumes}</legend>
            <fieldset class="plain">
                <legend>{text::run_as}</legend>
                <As draft run_as=RunAs::Account words=text::run_as_you hint=text::run_as_you_hint />
                <As draft run_as=RunAs::Image words=text::run_as_image hint=text::run_as_image_hint />
            </fieldset>
            <fieldset class="plain" aria-describedby="volumes-hint volumes-error">
                <legend>{text::volumes}</legend>
                <p class="hint" id="volumes-hint">
                    {move || if none() { text::volumes_none_hint() } else { text::volumes_hint() }}
                    " "
                    <a href=routes::HOME>{text::home_and_volumes}</a>
                </p>
                <For each=move || draft.volumes.get() key=|mounted| mounted.number let:mounted>
                    <Row draft problems mounted volumes />
                </For>
                <FieldError id="volumes" error />
                <Show when=move || !none()>
                    <button type="button" class="button" on:click=add>
                        <Glyph icon=Icon::Plus />
                        <span>{text::add_volume}</span>
                    </button>
                </Show>
            </fieldset>
        </fieldset>
    }
}

#[component]
fn As(draft: Draft, run_as: RunAs, words: Words, hint: Words) -> impl IntoView {
    view! {
        <label class="check">
            <input
                type="radio"
                name="run_as"
                prop:checked=move || draft.run_as.get() == run_as
                on:change=move |_| draft.run_as.set(run_as)
            />
            <span>{words} <span class="hint">{hint}</span></span>
        </label>
    }
}

#[component]
fn Row(
    draft: Draft,
    problems: Problems,
    mounted: Mounted,
    volumes: RwSignal<Option<Vec<Volume>>>,
) -> impl IntoView {
    let Mounted { number, name, path, read_only } = mounted;
    let at = Memo::new(move |_| {
        draft.volumes.with(|all| all.iter().position(|other| other.number == number)).unwrap_or(0)
    });
    let place =
        |part: &'static str| Signal::derive(move || format!("volumes[{}].{part}", at.get()));
    let name_error = problems.at("volumes", place("name"), text::volume);
    let path_error = problems.at("volumes", place("path"), text::volume_path);
    let error = Signal::derive(move || name_error.get().or_else(|| path_error.get()));
    // One that is chosen stays to be seen, also when there is none of its name any more.
    let names = Memo::new(move |_| {
        let mut names: Vec<String> = volumes.with(|all| {
            all.iter().flatten().filter(|volume| !volume.deleting).map(|v| v.name.clone()).collect()
        });
        let chosen = name.get();
        if !chosen.is_empty() && !names.contains(&chosen) {
            names.push(chosen);
        }
        names
    });
    view! {
        <div class="variable mounted" role="group" aria-label=move || text::volume_number(at.get() + 1)>
            <select
                aria-label=text::volume
                aria-invalid=move || name_error.get().map(|_| "true")
                prop:value=move || name.get()
                on:change:target=move |event| {
                    name.set(event.target().value());
                    problems.edited("volumes");
                }
            >
                {move || names.get().into_iter().map(|each| {
                    let value = each.clone();
                    let chosen = each.clone();
                    view! {
                        <option value=value selected=move || name.with(|name| *name == chosen)>{each}</option>
                    }
                }).collect_view()}
            </select>
            <input
                type="text"
                class="code"
                aria-label=text::volume_path
                aria-invalid=move || path_error.get().map(|_| "true")
                placeholder="/data"
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                prop:value=move || path.get()
                on:input:target=move |event| {
                    path.set(event.target().value());
                    problems.edited("volumes");
                }
                on:blur=move |_| {
                    if path.with_untracked(|path| !path.is_empty()) {
                        problems.show("volumes");
                    }
                }
            />
            <label class="check">
                <input
                    type="checkbox"
                    prop:checked=move || read_only.get()
                    on:change:target=move |event| read_only.set(event.target().checked())
                />
                <span>{text::read_only}</span>
            </label>
            <button
                type="button"
                class="button ghost square"
                aria-label=text::remove_volume
                on:click=move |_| {
                    draft.volumes.update(|all| all.retain(|other| other.number != number));
                    problems.edited("volumes");
                }
            >
                <Glyph icon=Icon::X />
            </button>
            <p class="field-error" aria-live="polite">{move || error.get()}</p>
        </div>
    }
}
