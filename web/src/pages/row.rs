use berth_core::text::{bytes, cores};
use berth_proto::v1::{Container, Phase, ReasonCode};
use leptos::prelude::*;

use crate::{
    components::{
        Act, ActButton, Acting, EndpointLink, Failure, Moment, PhaseBadge, PullBar, phase_word,
    },
    routes,
    state::{announcer::announce, collection::Collection, session},
    text,
};

/// One container in the list. Its main act is the one that its state asks for.
#[component]
pub(crate) fn ContainerRow(
    container: ArcRwSignal<Container>,
    all: Collection<Container>,
    #[prop(into)] everybody: Signal<bool>,
) -> impl IntoView {
    let part = {
        let container = container.clone();
        move |of: fn(&Container) -> String| {
            let container = container.clone();
            Memo::new(move |_| container.with(of))
        }
    };
    let phase = {
        let container = container.clone();
        Memo::new(move |_| container.with(Container::phase))
    };
    let pull = {
        let container = container.clone();
        Memo::new(move |_| container.with(|c| c.pull))
    };
    let lease_end = {
        let container = container.clone();
        Memo::new(move |_| container.with(|c| c.lease_end_time))
    };
    let endpoints = {
        let container = container.clone();
        Memo::new(move |_| container.with(|c| c.endpoints.clone()))
    };
    let act = {
        let container = container.clone();
        Memo::new(move |_| container.with(main_act))
    };
    let link = {
        let container = container.clone();
        move || container.with(href)
    };
    let (name, full_name) = (part(|c| c.name.clone()), part(|c| c.full_name.clone()));
    let image = part(|c| c.image.clone());
    let place = part(place);
    let reason = part(|c| c.reason.as_ref().map_or_else(String::new, |r| r.message.clone()));
    let explains =
        Memo::new(move |_| !reason.with(String::is_empty) && phase.get() != Phase::Running);
    let acting = Acting::new(all);

    // What changes by itself is said once; the first sight of a row is not a change.
    Effect::new(move |before: Option<Phase>| {
        let now = phase.get();
        if before.is_some_and(|before| before != now) && !everybody.get_untracked() {
            announce(text::is_now(name.get_untracked(), phase_word(now)));
        }
        now
    });

    view! {
        <li class="row">
            <div class="row-state"><PhaseBadge phase /></div>
            <div class="row-name">
                <a href=link>
                    {move || if everybody.get() { full_name.get() } else { name.get() }}
                </a>
                <span class="muted clip">{image}</span>
            </div>
            <div class="row-detail">
                <Show when=move || explains.get()>
                    <span class="clip-2">{reason}</span>
                </Show>
                <PullBar phase pull />
                <Show when=move || !explains.get()>
                    <span class="muted figures">{place}</span>
                    <span class="row-ends">
                        {move || {
                            let shown = phase.get() == Phase::Running;
                            endpoints.get().into_iter().filter(move |_| shown)
                                .map(|endpoint| view! { <EndpointLink endpoint /> }).collect_view()
                        }}
                    </span>
                </Show>
            </div>
            <div class="row-lease muted figures">
                <span class="row-label">{text::back_by}</span>
                <Moment at=lease_end />
            </div>
            <div class="row-act">
                {move || act.get().map(|act| view! {
                    <ActButton act acting container=container.clone() />
                })}
            </div>
            {move || acting.error.get().map(|error| view! {
                <div class="row-error"><Failure error=Signal::stored(error) /></div>
            })}
        </li>
    }
}

fn href(container: &Container) -> String {
    let owner = session::person_untracked()
        .map_or_else(String::new, |person| person.owner_key(&container.owner));
    routes::container(&container.name, &owner)
}

/// "blade-3 · 1 core · 2 GiB · 1 GPU"
fn place(container: &Container) -> String {
    let mut parts = Vec::new();
    if !container.node.is_empty() {
        parts.push(container.node.clone());
    }
    parts.push(text::cores(cores(container.cpu_millis)));
    parts.push(bytes(container.memory_bytes));
    if container.gpus > 0 {
        parts.push(text::gpus(container.gpus));
    }
    parts.join(" · ")
}

fn main_act(container: &Container) -> Option<Act> {
    match container.phase() {
        Phase::Running => Some(Act::Stop),
        Phase::Stopped | Phase::Failed => Some(start(container)),
        Phase::Unspecified
        | Phase::Pending
        | Phase::Pulling
        | Phase::Starting
        | Phase::Stopping
        | Phase::Deleting => None,
    }
}

/// An image that ends at once is not helped by being started again as it is.
pub(super) fn start(container: &Container) -> Act {
    let code = container.reason.as_ref().map(berth_proto::v1::Reason::code);
    if code == Some(ReasonCode::ExitedAtOnce) { Act::StartWithShell } else { Act::Start }
}
