//! One page, three questions: what, how big, how long. The rest is folded away.

mod anew;
mod draft;
mod edit;
mod more;
mod problems;
mod size;
mod storage;
mod suggest;
mod summary;

use std::time::Duration;

use berth_proto::v1::CreateContainerRequest;
use leptos::{ev, prelude::*};
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map, use_query_map},
};
use wasm_bindgen::JsCast as _;

use self::{
    draft::Draft, edit::Definition, more::More, problems::Problems, size::HowBig, storage::Storage,
    summary::Summary,
};
use crate::{
    api::{self, Error},
    components::{Need, TextField, title},
    erased,
    i18n::Words,
    routes,
    state::{announcer::announce, session},
    text, time,
};

/// What the form is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    New,
    Edit,
}

/// One part of the program, because it is nearly the same form.
#[component]
pub(crate) fn FormPage() -> impl IntoView {
    let params = use_params_map();
    match params.with_untracked(|params| params.get("name")) {
        Some(_) => view! { <Definition /> }.into_any(),
        None => view! { <NewContainer /> }.into_any(),
    }
}

#[component]
fn NewContainer() -> impl IntoView {
    title(|| text::new_container().to_owned());
    let draft = Draft::new();
    let problems = Problems::new(draft);
    let mine = suggest::own_containers();
    let images = suggest::images(mine);
    suggest::name(draft, mine);
    begin(draft);

    let busy = RwSignal::new(false);
    let refused = RwSignal::new(None::<Error>);
    let sent = StoredValue::new(None::<CreateContainerRequest>);
    let navigate = use_navigate();
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        problems.show_all();
        let Some(request) = problems.request_untracked() else {
            announce(text::please_correct());
            focus_first_invalid();
            return;
        };
        let request = with_request_id(request, sent);
        busy.set(true);
        refused.set(None);
        let navigate = navigate.clone();
        erased::spawn(async move {
            let result = api::create_container(&request).await;
            if busy.is_disposed() {
                return;
            }
            busy.set(false);
            match result {
                Ok(container) => {
                    announce(text::act_done(text::create(), container.name.clone()));
                    navigate(&routes::container(&container.name, ""), NavigateOptions::default());
                }
                Err(error) => {
                    problems.refuse(error.violations());
                    if error.violations().is_empty() {
                        refused.set(Some(error));
                    } else {
                        focus_first_invalid();
                    }
                }
            }
        });
    };

    view! {
        <h1>{text::new_container}</h1>
        <form class="new" novalidate on:submit=submit>
            <div class="questions">
                <fieldset class="card">
                    <legend>{text::what}</legend>
                    <FormField id="image" label=text::image hint=text::image_hint value=draft.image
                        problems list="images" placeholder="python:3.13" need=Need::Required />
                    <datalist id="images">
                        {move || images.get().into_iter().map(|image| view! { <option value=image></option> })
                            .collect_view()}
                    </datalist>
                    <FormField id="name" label=text::name hint=text::name_hint value=draft.name
                        problems need=Need::Required
                        on_edit=Callback::new(move |()| draft.name_typed.set(true)) />
                </fieldset>
                <HowBig draft problems />
                <fieldset class="card">
                    <legend>{text::how_long}</legend>
                    <HowLong draft problems hint=text::lease_hint />
                </fieldset>
                <Storage draft problems owner=String::new() />
                <More draft problems mode=Mode::New />
            </div>
            <Summary draft problems refused busy />
        </form>
    }
}

/// Longer than a click takes.
const CLICK: Duration = Duration::from_millis(250);

/// A text field of the form: it shows what is wrong with it once it was left, and forgets the controller's objection when
/// it is changed.
#[component]
fn FormField(
    /// The request's field.
    id: &'static str,
    label: Words,
    hint: Words,
    value: RwSignal<String>,
    problems: Problems,
    #[prop(default = "text")] inputmode: &'static str,
    #[prop(optional)] list: &'static str,
    #[prop(default = "")] placeholder: &'static str,
    #[prop(default = "")] class: &'static str,
    #[prop(default = Need::Free)] need: Need,
    #[prop(optional, into)] on_edit: Option<Callback<()>>,
) -> impl IntoView {
    let edit = Callback::new(move |()| {
        problems.edited(id);
        if let Some(on_edit) = on_edit {
            on_edit.run(());
        }
    });
    let touch = Callback::new(move |()| {
        // Leaving an empty field on the way to another is no mistake yet.
        if value.with_untracked(String::is_empty) {
            return;
        }
        // A sentence that appears between press and release would move the button away from under the click.
        set_timeout(move || problems.show(id), CLICK);
    });
    let error = problems.of(id, label);
    view! {
        <TextField id label hint value error on_touch=touch on_edit=edit inputmode list placeholder class
            need />
    }
}

#[component]
fn HowLong(draft: Draft, problems: Problems, hint: Words) -> impl IntoView {
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    let choices = Memo::new(move |_| {
        let Some(person) = session::person() else { return Vec::new() };
        let seconds = |d: Option<prost_types::Duration>| d.map_or(0, |d| d.seconds);
        let usual = seconds(person.site.default_lease);
        let maximum = seconds(person.site.maximum_lease);
        let mut choices = vec![HOUR, 4 * HOUR, 8 * HOUR, DAY, 3 * DAY, 7 * DAY, 14 * DAY];
        for one in [usual, maximum, draft.lease.get()] {
            let at = choices.partition_point(|choice| *choice < one);
            if choices.get(at) != Some(&one) {
                choices.insert(at, one);
            }
        }
        choices.retain(|choice| (60..=maximum.max(usual)).contains(choice));
        choices
    });
    let error = problems.of("lease", text::how_long);
    view! {
        <div class="field">
            <label for="lease">{text::lend_for}</label>
            <select
                id="lease"
                aria-describedby="lease-hint lease-error"
                aria-invalid=move || error.get().map(|_| "true")
                prop:value=move || draft.lease.get().to_string()
                on:change:target=move |event| {
                    draft.lease.set(event.target().value().parse().unwrap_or_default());
                    problems.edited("lease");
                }
            >
                {move || choices.get().into_iter().map(|choice| view! {
                    <option
                        value=choice.to_string()
                        selected=move || draft.lease.get() == choice
                    >
                        {move || time::span(choice)}
                    </option>
                }).collect_view()}
            </select>
            <p class="hint" id="lease-hint">{hint}</p>
            <crate::components::FieldError id="lease" error />
        </div>
    }
}

/// From the address: `?image=` for a link to an image, `?from=` for another like one that is there.
fn begin(draft: Draft) {
    let query = use_query_map();
    let (image, from) = query.with_untracked(|q| (q.get("image"), q.get("from")));
    if let Some(image) = image {
        draft.image.set(image);
    } else if let Some(from) = from {
        erased::spawn_while_shown(async move {
            if let Ok(container) = api::get_container(from, String::new()).await {
                draft.fill(&container);
            }
        });
    }
}

/// The same form sent again is the same request: what was cut off on the way is not made twice.
fn with_request_id(
    mut request: CreateContainerRequest,
    sent: StoredValue<Option<CreateContainerRequest>>,
) -> CreateContainerRequest {
    let before = sent.with_value(|sent| {
        sent.as_ref().map(|sent| {
            let same = *sent
                == CreateContainerRequest {
                    request_id: sent.request_id.clone(),
                    ..request.clone()
                };
            (same, sent.request_id.clone())
        })
    });
    request.request_id = match before {
        Some((true, id)) => id,
        Some((false, _)) | None => {
            window().crypto().map(|crypto| crypto.random_uuid()).unwrap_or_default()
        }
    };
    sent.set_value(Some(request.clone()));
    request
}

fn focus_first_invalid() {
    request_animation_frame(|| {
        let invalid = document().query_selector("main [aria-invalid=true]").ok().flatten();
        if let Some(invalid) = invalid.and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok()) {
            // Focusing an element that is on the page does not fail.
            let _ = invalid.focus();
        }
    });
}
