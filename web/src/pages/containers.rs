use berth_proto::v1::{Container, Phase, WatchContainersRequest, WatchContainersResponse};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::row::ContainerRow;
use crate::{
    components::{Failure, Glyph, Icon, Skeleton, title},
    routes,
    state::{
        collection::Entry,
        feed::{Feed, FeedState},
        session,
    },
    text,
};

/// Fewer can be taken in at a glance.
const FILTER_FROM: usize = 8;
/// How the calls say "everybody's".
const EVERYBODY: &str = "-";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Running,
    OnTheWay,
    Stopped,
    Failed,
}

impl Group {
    const ALL: [Group; 4] = [Group::Running, Group::OnTheWay, Group::Stopped, Group::Failed];

    fn of(phase: Phase) -> Self {
        match phase {
            Phase::Running => Group::Running,
            Phase::Pending
            | Phase::Pulling
            | Phase::Starting
            | Phase::Stopping
            | Phase::Deleting
            | Phase::Unspecified => Group::OnTheWay,
            Phase::Stopped => Group::Stopped,
            Phase::Failed => Group::Failed,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Group::Running => text::phase_running(),
            Group::OnTheWay => text::on_the_way(),
            Group::Stopped => text::phase_stopped(),
            Group::Failed => text::phase_failed(),
        }
    }
}

#[component]
pub(crate) fn Containers() -> impl IntoView {
    let administrator =
        Memo::new(|_| session::person().is_some_and(|person| person.is_administrator()));
    let query = use_query_map();
    let everybody = Memo::new(move |_| {
        administrator.get() && query.with(|q| q.get_str("owner") == Some(EVERYBODY))
    });
    title(move || heading(everybody.get()).to_owned());
    let feed = Feed::<Container>::open::<WatchContainersResponse>(move |resume_token| {
        let owner = if everybody.get() { EVERYBODY.to_owned() } else { String::new() };
        WatchContainersRequest { owner, name: String::new(), resume_token }
    });
    let search = RwSignal::new(String::new());
    let group = RwSignal::new(None::<Group>);

    let count = Memo::new(move |_| feed.all.entries().len());
    let many = Memo::new(move |_| count.get() >= FILTER_FROM);
    let used = move || {
        let limit = session::person().map_or(0, |person| person.site.containers_per_person);
        (feed.state.get() == FeedState::Live && !everybody.get() && limit > 0)
            .then(|| text::used_of(count.get(), limit))
    };
    let visible = move || -> Vec<Entry<Container>> {
        let (search, group) = (search.with(|s| lower(s.trim())), group.get());
        let mut entries = feed.all.entries();
        // Without a filter a row that changes must not redraw the list.
        if !search.is_empty() || group.is_some() {
            entries.retain(|entry| entry.value.with(|c| matches(c, &search, group)));
        }
        entries
    };
    let nothing_found = move || count.get() > 0 && visible().is_empty();

    view! {
        <div class="page-head">
            <div>
                <h1>{move || heading(everybody.get())}</h1>
                <p class="muted figures">{used}</p>
            </div>
            <a class="button primary" href=routes::NEW>
                <Glyph icon=Icon::Plus />
                <span>{text::new_container}</span>
            </a>
        </div>
        <Show when=move || administrator.get()>
            <nav class="tabs" aria-label=text::whose>
                <a href=routes::CONTAINERS aria-current=move || (!everybody.get()).then_some("page")>
                    {text::mine}
                </a>
                <a href="/?owner=-" aria-current=move || everybody.get().then_some("page")>
                    {text::everybodys}
                </a>
            </nav>
        </Show>
        {move || match feed.state.get() {
            FeedState::Loading => view! { <Skeleton lines=4 /> }.into_any(),
            FeedState::Failed(error) => {
                let retry = Callback::new(move |()| feed.retry());
                view! { <Failure error=Signal::stored(error) retry /> }.into_any()
            }
            FeedState::Live => ().into_any(),
        }}
        <Show when=move || feed.state.get() == FeedState::Live && count.get() == 0>
            <Empty />
        </Show>
        <Show when=move || many.get()>
            <Filter feed search group />
        </Show>
        <ul class="rows" aria-label=text::containers>
            <For each=visible key=|entry| entry.key.clone() let:entry>
                <ContainerRow container=entry.value all=feed.all everybody />
            </For>
        </ul>
        <Show when=nothing_found>
            <p class="notice" role="status">{text::nothing_matches}</p>
        </Show>
    }
}

fn heading(everybody: bool) -> &'static str {
    if everybody { text::everybodys_containers() } else { text::my_containers() }
}

/// The browser's: the tables of all letters are in it already.
fn lower(text: &str) -> String {
    js_sys::JsString::from(text).to_lower_case().into()
}

fn matches(container: &Container, search: &str, group: Option<Group>) -> bool {
    let in_group = group.is_none_or(|group| Group::of(container.phase()) == group);
    let found = |text: &str| lower(text).contains(search);
    in_group
        && (search.is_empty()
            || found(&container.full_name)
            || found(&container.name)
            || found(&container.image)
            || found(&container.node))
}

#[component]
fn Filter(
    feed: Feed<Container>,
    search: RwSignal<String>,
    group: RwSignal<Option<Group>>,
) -> impl IntoView {
    let groups = Memo::new(move |_| feed.all.map(|container| Group::of(container.phase())));
    let count =
        move |wanted: Group| groups.with(|all| all.iter().filter(|g| **g == wanted).count());
    let pressed = move |wanted: Option<Group>| if group.get() == wanted { "true" } else { "false" };
    view! {
        <div class="filter" role="search" aria-label=text::filter>
            <div class="search">
                <Glyph icon=Icon::Search />
                <input
                    type="search"
                    aria-label=text::search_containers
                    placeholder=text::search_containers
                    autocomplete="off"
                    spellcheck="false"
                    prop:value=move || search.get()
                    on:input:target=move |event| search.set(event.target().value())
                />
            </div>
            <div class="chips" role="group" aria-label=text::state>
                <button
                    type="button"
                    class="chip"
                    aria-pressed=move || pressed(None)
                    on:click=move |_| group.set(None)
                >
                    {text::all}
                    <span class="figures">{move || groups.with(Vec::len)}</span>
                </button>
                {Group::ALL
                    .into_iter()
                    .map(|which| view! {
                        <button
                            type="button"
                            class="chip"
                            aria-pressed=move || pressed(Some(which))
                            on:click=move |_| group.set(Some(which))
                        >
                            {move || which.word()}
                            <span class="figures">{move || count(which)}</span>
                        </button>
                    })
                    .collect_view()}
            </div>
        </div>
    }
}

/// What this is, and the one thing to do.
#[component]
fn Empty() -> impl IntoView {
    view! {
        <div class="empty">
            <span class="empty-mark"><Glyph icon=Icon::Box /></span>
            <h2>{text::empty_head}</h2>
            <p>{text::empty_why}</p>
            <a class="button primary" href=routes::NEW>
                <Glyph icon=Icon::Plus />
                <span>{text::new_container}</span>
            </a>
        </div>
    }
}
