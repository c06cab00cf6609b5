use berth_proto::v1::{
    Container, Phase, ReasonCode, WatchContainersRequest, WatchContainersResponse,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{delete_container::DeleteContainer, details::Shown, lease::Lease, row};
use crate::{
    components::{
        Act, ActButton, Acting, EndpointList, Failure, Glyph, Icon, LazyPiece, PhaseBadge, PullBar,
        Skeleton, Tab, Tabs, phase_word, title,
    },
    parts::Part,
    routes,
    state::{
        announcer::announce,
        feed::{Feed, FeedState},
        session,
    },
    text,
};

#[component]
pub(crate) fn ContainerPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let name = Memo::new(move |_| params.with(|p| p.get("name").unwrap_or_default()));
    let owner = Memo::new(move |_| query.with(|q| q.get("owner").unwrap_or_default()));
    title(move || name.get());
    let feed = Feed::<Container>::open::<WatchContainersResponse>(move |resume_token| {
        WatchContainersRequest { owner: owner.get(), name: name.get(), resume_token }
    });
    let found = Memo::new(move |_| feed.all.first().map(|entry| entry.key));
    // Whether it was ever seen tells "deleted just now" from "never was".
    let seen = Memo::new(move |before: Option<&bool>| {
        found.get().is_some() || before.copied().unwrap_or(false)
    });
    view! {
        <nav class="crumbs" aria-label=text::breadcrumbs>
            <ol>
                <li><a href=routes::CONTAINERS>{text::containers}</a></li>
                <li aria-current="page">{name}</li>
            </ol>
        </nav>
        {move || {
            found.get();
            if let Some(entry) = untrack(|| feed.all.first()) {
                return view! { <Detail container=entry.value feed owner /> }.into_any();
            }
            let body = match feed.state.get() {
                FeedState::Loading => view! { <Skeleton lines=5 /> }.into_any(),
                FeedState::Failed(error) if error.code() != Some(crate::api::Code::NotFound) => {
                    let retry = Callback::new(move |()| feed.retry());
                    view! { <Failure error=Signal::stored(error) retry /> }.into_any()
                }
                FeedState::Failed(_) | FeedState::Live => view! { <Gone seen /> }.into_any(),
            };
            view! { <h1>{name}</h1> {body} }.into_any()
        }}
    }
}

#[component]
fn Gone(#[prop(into)] seen: Signal<bool>) -> impl IntoView {
    view! {
        <div class="empty">
            <p role="status">
                {move || if seen.get() { text::was_deleted() } else { text::no_such_container() }}
            </p>
            <a class="button primary" href=routes::CONTAINERS>{text::to_my_containers}</a>
        </div>
    }
}

#[component]
fn Detail(
    container: ArcRwSignal<Container>,
    feed: Feed<Container>,
    owner: Memo<String>,
) -> impl IntoView {
    let shared = StoredValue::new(container);
    let part = move || shared.get_value();
    let phase = Memo::new(move |_| part().with(Container::phase));
    let name = Memo::new(move |_| part().with(|c| c.name.clone()));
    let full_name = Memo::new(move |_| part().with(|c| c.full_name.clone()));
    let pull = Memo::new(move |_| part().with(|c| c.pull));
    // For what comes after the page itself.
    provide_context(Shown { container: part(), owner });
    let any_port =
        Memo::new(move |_| part().with(|c| c.app_url_template.replacen("{port}", "PORT", 1)));
    let endpoints = Memo::new(move |_| part().with(|c| c.endpoints.clone()));
    let acting = Acting::new(feed.all);
    let deleting = RwSignal::new(false);
    Effect::new(move |before: Option<Phase>| {
        let now = phase.get();
        if before.is_some_and(|before| before != now) {
            announce(text::is_now(name.get_untracked(), phase_word(now)));
        }
        now
    });
    view! {
        <div class="page-head">
            <div>
                <h1>{name}</h1>
                <p class="head-state">
                    <PhaseBadge phase />
                    <span class="muted">{full_name}</span>
                </p>
            </div>
            <div class="acts">
                <TerminalLink container=part() phase />
                {move || acts(phase.get(), part().with_untracked(row::start))
                    .into_iter()
                    .map(|(act, class)| view! {
                        <ActButton act acting container=part() class />
                    })
                    .collect_view()}
                <Show when=move || phase.get() != Phase::Deleting>
                    <button
                        type="button"
                        class="button danger"
                        on:click=move |_| deleting.set(true)
                    >
                        <Glyph icon=Icon::Trash />
                        <span>{text::delete}</span>
                    </button>
                </Show>
            </div>
        </div>
        <Tabs name owner here=Tab::Overview />
        {move || acting.error.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
        <Why container=part() phase />
        <div class="pull-line"><PullBar phase pull /></div>
        <section class="card" aria-labelledby="reach">
            <h2 id="reach">{text::endpoints}</h2>
            {move || {
                let none = endpoints.with(Vec::is_empty);
                let words = if part().with(|c| c.guest_ports.is_empty()) {
                    text::no_ports()
                } else {
                    text::ports_later()
                };
                none.then(|| view! { <p class="muted">{words}</p> })
            }}
            <EndpointList endpoints />
            <Show when=move || !any_port.with(String::is_empty)>
                <p class="hint">{text::any_port} " " <code>{any_port}</code></p>
            </Show>
        </section>
        <section class="card glance" aria-labelledby="use">
            <div class="card-head">
                <h2 id="use">{text::graphs_use}</h2>
                <a href=move || routes::graphs(&name.get(), &owner.get())>{text::graphs_all}</a>
            </div>
            <LazyPiece part=Part::Glance />
        </section>
        <Lease container=part() acting />
        <LazyPiece part=Part::Details />
        <DeleteContainer container=part() open=deleting />
    }
}

/// There is something to type into while it runs.
#[component]
fn TerminalLink(
    container: ArcRwSignal<Container>,
    #[prop(into)] phase: Signal<Phase>,
) -> impl IntoView {
    let href = Memo::new(move |_| {
        container.with(|c| {
            let owner = session::person().map_or_else(String::new, |p| p.owner_key(&c.owner));
            routes::terminal(&c.name, &owner, None)
        })
    });
    move || {
        if phase.get() == Phase::Running {
            view! {
                <a class="button primary" href=href>
                    <Glyph icon=Icon::Terminal />
                    <span>{text::terminal}</span>
                </a>
            }
            .into_any()
        } else {
            view! {
                <span class="button" role="link" aria-disabled="true" title=text::terminal_needs_running>
                    <Glyph icon=Icon::Terminal />
                    <span>{text::terminal}</span>
                </span>
            }
            .into_any()
        }
    }
}

/// What its state asks for comes first.
fn acts(phase: Phase, start: Act) -> Vec<(Act, &'static str)> {
    const MAIN: &str = "button primary";
    const OTHER: &str = "button";
    match phase {
        Phase::Running => vec![(Act::Stop, OTHER), (Act::Restart, OTHER)],
        Phase::Stopped | Phase::Failed if start == Act::StartWithShell => {
            vec![(Act::StartWithShell, MAIN), (Act::Start, OTHER)]
        }
        Phase::Stopped | Phase::Failed => vec![(Act::Start, MAIN)],
        Phase::Pending | Phase::Pulling | Phase::Starting => vec![(Act::Stop, OTHER)],
        Phase::Unspecified | Phase::Stopping | Phase::Deleting => Vec::new(),
    }
}

/// Why it is as it is, and what would help.
#[component]
fn Why(container: ArcRwSignal<Container>, #[prop(into)] phase: Signal<Phase>) -> impl IntoView {
    let way_on = {
        let container = container.clone();
        move || {
            container.with(|c| {
                let own = session::person().is_some_and(|p| p.owner_key(&c.owner).is_empty());
                let code = c.reason.as_ref().filter(|_| own)?.code();
                if code == ReasonCode::OutOfMemory {
                    return Some((routes::new_from(&c.name), text::new_like_this));
                }
                (code == ReasonCode::OverQuota)
                    .then(|| (routes::HOME.to_owned(), text::home_and_volumes))
            })
        }
    };
    let reason = Memo::new(move |_| container.with(|c| c.reason.clone()));
    let class = move || match phase.get() {
        Phase::Failed => "notice bad",
        Phase::Pending | Phase::Pulling | Phase::Starting => "notice wait",
        Phase::Unspecified
        | Phase::Running
        | Phase::Stopping
        | Phase::Stopped
        | Phase::Deleting => "notice",
    };
    move || {
        let reason = reason.get().filter(|reason| !reason.message.is_empty())?;
        let way_on = way_on();
        Some(view! {
            <div class=class>
                <div>
                    <p>{reason.message}</p>
                    <p class="muted">{reason.remedy}</p>
                </div>
                {way_on.map(|(href, words)| view! {
                    <a class="button" href=href>{words}</a>
                })}
            </div>
        })
    }
}
