//! The terminals of one container, one of them in sight.

mod closing;
mod ending;
mod keys;
mod tabs;
mod tools;
mod view;

use berth_proto::v1::{
    Container, Phase, Terminal, WatchContainersRequest, WatchContainersResponse,
};
use leptos::{ev, prelude::*};
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map, use_query_map},
};

use self::{closing::CloseTerminal, tabs::Tabs, tools::Tools, view::View};
use crate::{
    api::{self, Error},
    components::{Failure, Tab, Tabs as Pages, title},
    erased, routes,
    state::{feed::Feed, preferences},
    terminal::{ScreenReader, Settings},
    text, time,
};

/// Others may start and end terminals too; nothing tells.
const REFRESH: u32 = 15_000;

/// What the parts of the page share.
#[derive(Clone, Copy)]
struct Place {
    name: Memo<String>,
    owner: Memo<String>,
    chosen: Memo<Option<u32>>,
    phase: Memo<Phase>,
    reason: Memo<String>,
    terminals: RwSignal<Vec<Terminal>>,
    error: RwSignal<Option<Error>>,
    starting: RwSignal<bool>,
    /// The one that is asked about.
    closing: RwSignal<Option<u32>>,
    font: RwSignal<u32>,
    reader: RwSignal<ScreenReader>,
    start: Callback<()>,
    go: Callback<Option<u32>>,
    /// To the container's page.
    away: Callback<()>,
}

impl Place {
    fn refresh(self) {
        let (name, owner) = (self.name.get_untracked(), self.owner.get_untracked());
        let shown = self.terminals;
        erased::spawn(async move {
            // What is shown stays; the terminal itself says what is wrong.
            if let Ok(terminals) = api::list_terminals(name, owner).await {
                shown.try_set(terminals);
            }
        });
    }

    fn settings(self, number: u32) -> Settings {
        Settings {
            font_size: self.font.get_untracked(),
            screen_reader: self.reader.get_untracked(),
            label: untrack(|| text::terminal_label(number)),
            too_much: untrack(text::terminal_too_much),
        }
    }

    fn route(self, number: Option<u32>) -> String {
        routes::terminal(&self.name.get(), &self.owner.get(), number)
    }
}

#[component]
pub(crate) fn TerminalPage() -> impl IntoView {
    let place = place();
    let name = place.name;
    title(move || text::terminal_of(name.get()));
    begin(place);
    keep_fresh(place);
    view! {
        <div class="terminal-page">
            <div class="terminal-head">
                <nav class="crumbs" aria-label=text::breadcrumbs>
                    <ol>
                        <li><a href=routes::CONTAINERS>{text::containers}</a></li>
                        <li>
                            <a href=move || routes::container(&name.get(), &place.owner.get())>{name}</a>
                        </li>
                        <li aria-current="page">{text::terminal}</li>
                    </ol>
                </nav>
                <h1 class="unseen">{move || text::terminal_of(name.get())}</h1>
                <Pages name owner=place.owner here=Tab::Terminal />
                <Tabs place />
                <Tools place />
            </div>
            {move || place.error.get().map(|error| {
                let retry = Callback::new(move |()| {
                    place.error.set(None);
                    begin_again(place);
                });
                view! { <Failure error=Signal::stored(error) retry /> }
            })}
            {move || {
                let waits = !matches!(place.phase.get(), Phase::Running | Phase::Unspecified);
                (waits && place.chosen.get().is_none()).then(|| view! { <ending::NotRunning place /> })
            }}
            {move || place.chosen.get().map(|number| view! { <View place number /> })}
        </div>
        <CloseTerminal place />
    }
}

fn place() -> Place {
    let params = use_params_map();
    let query = use_query_map();
    let name = Memo::new(move |_| params.with(|p| p.get("name").unwrap_or_default()));
    let owner = Memo::new(move |_| query.with(|q| q.get("owner").unwrap_or_default()));
    let chosen = Memo::new(move |_| query.with(|q| q.get("t").and_then(|t| t.parse().ok())));
    let feed = Feed::<Container>::open::<WatchContainersResponse>(move |resume_token| {
        WatchContainersRequest { owner: owner.get(), name: name.get(), resume_token }
    });
    let container = move || feed.all.first().map(|entry| entry.value);
    let phase = Memo::new(move |_| {
        container().map_or(Phase::Unspecified, |container| container.with(Container::phase))
    });
    let reason = Memo::new(move |_| {
        container().map_or_else(String::new, |container| {
            container.with(|c| c.reason.as_ref().map_or_else(String::new, |r| r.message.clone()))
        })
    });
    let terminals = RwSignal::new(Vec::new());
    let error = RwSignal::new(None);
    let starting = RwSignal::new(false);
    let navigate = use_navigate();
    let away = {
        let navigate = navigate.clone();
        Callback::new(move |()| {
            let route = untrack(|| routes::container(&name.get(), &owner.get()));
            navigate(&route, NavigateOptions::default());
        })
    };
    let go = Callback::new(move |number: Option<u32>| {
        let route = untrack(|| routes::terminal(&name.get(), &owner.get(), number));
        // Back leads to where one came from, not through all terminals.
        navigate(&route, NavigateOptions { replace: true, scroll: false, ..Default::default() });
    });
    let start = Callback::new(move |()| {
        if starting.get_untracked() {
            return;
        }
        starting.set(true);
        error.set(None);
        erased::spawn(async move {
            let (name, owner) = (name.get_untracked(), owner.get_untracked());
            let result = api::start_terminal(name, owner).await;
            if starting.is_disposed() {
                return;
            }
            starting.set(false);
            match result {
                Ok(terminal) => {
                    let number = terminal.number;
                    terminals.update(|all| all.push(terminal));
                    go.run(Some(number));
                }
                Err(refused) => error.set(Some(refused)),
            }
        });
    });
    Place {
        name,
        owner,
        chosen,
        phase,
        reason,
        terminals,
        error,
        starting,
        closing: RwSignal::new(None),
        font: RwSignal::new(preferences::terminal_font()),
        reader: RwSignal::new(preferences::terminal_reader()),
        start,
        go,
        away,
    }
}

/// Without a number: the newest terminal that is open; where there is none, a new one.
fn begin(place: Place) {
    place.refresh();
    Effect::new(move |begun: Option<bool>| {
        let wanted = place.phase.get() == Phase::Running && place.chosen.get().is_none();
        if wanted && begun != Some(true) {
            begin_again(place);
        }
        wanted
    });
}

fn begin_again(place: Place) {
    if place.chosen.get_untracked().is_some() {
        return;
    }
    erased::spawn(async move {
        let (name, owner) = (place.name.get_untracked(), place.owner.get_untracked());
        let result = api::list_terminals(name, owner).await;
        if place.error.is_disposed() || place.chosen.get_untracked().is_some() {
            return;
        }
        match result {
            Ok(terminals) => {
                let newest = newest(&terminals);
                place.terminals.set(terminals);
                match newest {
                    Some(number) => place.go.run(Some(number)),
                    None => place.start.run(()),
                }
            }
            Err(error) => place.error.set(Some(error)),
        }
    });
}

fn newest(terminals: &[Terminal]) -> Option<u32> {
    terminals.iter().filter(|terminal| !terminal.ended).map(|terminal| terminal.number).max()
}

fn keep_fresh(place: Place) {
    let refresh = move || {
        if !document().hidden() {
            place.refresh();
        }
    };
    erased::spawn_while_shown(async move {
        loop {
            time::sleep(REFRESH).await;
            refresh();
        }
    });
    let seen = window_event_listener(ev::focus, move |_| refresh());
    on_cleanup(move || seen.remove());
}
