//! The definition of a container that is there: the same form, filled in by it.

use berth_proto::v1::{Container, CreateContainerRequest};
use leptos::{ev, prelude::*};
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map, use_query_map},
};

use super::{
    FormField, HowLong, Mode, anew::Anew, draft::Draft, focus_first_invalid, more::More,
    problems::Problems, size::HowBig, storage::Storage,
};
use crate::{
    api::{self, Error, FieldViolation, Update},
    components::{Failure, Glyph, Icon, Need, Skeleton, Tab, Tabs, title},
    erased, routes,
    state::announcer::announce,
    text,
};

/// All that the form asks. The lease is among them where it is known what was said last.
const FIELDS: [&str; 14] = [
    "image",
    "command",
    "environment",
    "secret_environment",
    "guest_ports",
    "published_ports",
    "gpus",
    "cpu_millis",
    "memory_bytes",
    "tty",
    "stdin",
    "run_as",
    "node_labels",
    "volumes",
];

#[component]
pub(super) fn Definition() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let name = Memo::new(move |_| params.with(|p| p.get("name").unwrap_or_default()));
    let owner = Memo::new(move |_| query.with(|q| q.get("owner").unwrap_or_default()));
    title(move || text::definition_of(name.get()));
    let found = RwSignal::new(None::<Result<Container, Error>>);
    let load = move || {
        let (name, owner) = (name.get(), owner.get());
        found.set(None);
        erased::spawn_while_shown(async move {
            found.set(Some(api::get_container(name, owner).await));
        });
    };
    erased::effect(load);
    view! {
        <nav class="crumbs" aria-label=text::breadcrumbs>
            <ol>
                <li><a href=routes::CONTAINERS>{text::containers}</a></li>
                <li><a href=move || routes::container(&name.get(), &owner.get())>{name}</a></li>
                <li aria-current="page">{text::definition}</li>
            </ol>
        </nav>
        <h1 class="unseen">{move || text::definition_of(name.get())}</h1>
        <Tabs name owner here=Tab::Definition />
        {move || match found.get() {
            None => view! { <Skeleton lines=5 /> }.into_any(),
            Some(Err(error)) => {
                let retry = Callback::new(move |()| untrack(load));
                view! { <Failure error=Signal::stored(error) retry /> }.into_any()
            }
            Some(Ok(container)) => {
                view! { <Form container owner=owner.get_untracked() /> }.into_any()
            }
        }}
    }
}

#[component]
fn Form(container: Container, owner: String) -> impl IntoView {
    let draft = Draft::new();
    draft.fill(&container);
    draft.name.set(container.name.clone());
    let problems = Problems::new(draft);
    let has_lease = container.lease.is_some();
    let refused = RwSignal::new(None::<Error>);
    let anew = RwSignal::new(Vec::<FieldViolation>::new());
    let busy = RwSignal::new(false);
    let navigate = use_navigate();
    let duplicate = owner.is_empty().then(|| routes::new_from(&container.name));
    let whose = StoredValue::new((container.name, owner.clone()));
    let save = move |how: Update| {
        if busy.get_untracked() {
            return;
        }
        problems.show_all();
        let Some(request) = problems.request_untracked() else {
            announce(text::please_correct());
            focus_first_invalid();
            return;
        };
        busy.set(true);
        refused.set(None);
        let (name, owner) = whose.get_value();
        let lease = has_lease.then_some("lease");
        let fields: Vec<&str> = FIELDS.into_iter().chain(lease).collect();
        let wanted = wanted(request, owner.clone());
        let navigate = navigate.clone();
        erased::spawn(async move {
            let result = api::update_container(wanted, &fields, how).await;
            if busy.is_disposed() {
                return;
            }
            busy.set(false);
            match result {
                Ok(_) => {
                    anew.set(Vec::new());
                    announce(untrack(|| text::definition_saved(&name)));
                    navigate(&routes::container(&name, &owner), NavigateOptions::default());
                }
                Err(error) if !error.recreation().is_empty() => {
                    anew.set(error.recreation().to_vec());
                }
                Err(error) => {
                    anew.set(Vec::new());
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
    // The router's own is for this thread alone, as a browser is.
    let save = UnsyncCallback::new(save);
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        save.run(Update::InPlace);
    };
    view! {
        <form class="new" novalidate on:submit=submit>
            <div class="questions">
                <fieldset class="card">
                    <legend>{text::what}</legend>
                    <FormField id="image" label=text::image hint=text::image_hint value=draft.image
                        problems placeholder="python:3.13" need=Need::Required />
                </fieldset>
                <HowBig draft problems />
                <fieldset class="card">
                    <legend>{text::how_long}</legend>
                    <HowLong draft problems hint=text::lease_anew_hint />
                </fieldset>
                <Storage draft problems owner />
                <More draft problems mode=Mode::Edit />
            </div>
            <aside class="card summary" aria-labelledby="summary">
                <h2 id="summary">{text::definition_changes}</h2>
                <p>{text::definition_means}</p>
                {move || refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
                <button
                    type="submit"
                    class="button primary wide"
                    aria-disabled=move || busy.get().then_some("true")
                >
                    {text::definition_save}
                </button>
                {duplicate.map(|href| view! {
                    <a class="button wide" href=href>
                        <Glyph icon=Icon::Copy />
                        <span>{text::duplicate}</span>
                    </a>
                })}
            </aside>
        </form>
        <Anew fields=anew busy save />
    }
}

/// The form as the definition of the container that it names.
fn wanted(request: CreateContainerRequest, owner: String) -> Container {
    Container {
        name: request.name,
        owner,
        image: request.image,
        command: request.command,
        environment: request.environment,
        secret_environment: request.secret_environment,
        guest_ports: request.guest_ports,
        published_ports: request.published_ports,
        gpus: request.gpus,
        cpu_millis: request.cpu_millis,
        memory_bytes: request.memory_bytes,
        lease: request.lease,
        tty: request.tty,
        stdin: request.stdin,
        run_as: request.run_as,
        node_labels: request.node_labels,
        volumes: request.volumes,
        ..Container::default()
    }
}
