//! What a container or a blade uses, over time.

mod chart;
mod data;
mod plan;
mod reading;
mod table;

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use self::{
    chart::{Chart, Size},
    data::{Data, State, Subject},
    plan::Plan,
    table::Table,
};
use crate::{
    components::{Failure, Glyph, Icon, Skeleton, Tab, Tabs, title},
    files::Whose,
    graphs::Range,
    i18n::Words,
    routes,
    state::session,
    text,
};

#[component]
pub(crate) fn ContainerGraphs() -> impl IntoView {
    let whose = whose();
    let name = Memo::new(move |_| whose.get().name);
    let owner = Memo::new(move |_| whose.get().owner);
    title(move || text::graphs_of(name.get()));
    let data = Data::new(Memo::new(move |_| Subject::Container(whose.get())));
    view! {
        <nav class="crumbs" aria-label=text::breadcrumbs>
            <ol>
                <li><a href=routes::CONTAINERS>{text::containers}</a></li>
                <li><a href=move || routes::container(&name.get(), &owner.get())>{name}</a></li>
                <li aria-current="page">{text::graphs}</li>
            </ol>
        </nav>
        <h1 class="unseen">{move || text::graphs_of(name.get())}</h1>
        <Tabs name owner here=Tab::Graphs />
        <Page data limit=text::graph_limit />
    }
}

/// A blade's, for administrators.
#[component]
pub(crate) fn NodeGraphs() -> impl IntoView {
    let params = use_params_map();
    let name = Memo::new(move |_| params.with(|p| p.get("name").unwrap_or_default()));
    title(move || text::graphs_of(name.get()));
    let administrator =
        Memo::new(|_| session::person().is_some_and(|person| person.is_administrator()));
    let page = move || {
        if administrator.get() {
            let data = Data::new(Memo::new(move |_| Subject::Node(name.get())));
            view! { <Page data limit=text::graph_has /> }.into_any()
        } else {
            view! { <p class="notice">{text::error_permission}</p> }.into_any()
        }
    };
    view! {
        <nav class="crumbs" aria-label=text::breadcrumbs>
            <ol>
                <li><a href=routes::NODES>{text::blades}</a></li>
                <li aria-current="page">{name}</li>
            </ol>
        </nav>
        <h1>{name}</h1>
        {page}
    }
}

/// The last hour in small, on a container's page.
#[component]
pub(crate) fn Glance() -> impl IntoView {
    let whose = whose();
    let data = Data::new(Memo::new(move |_| Subject::Container(whose.get())));
    view! {
        {move || match data.state.get() {
            State::Loading => view! { <Skeleton lines=1 /> }.into_any(),
            // The page stands without; its own page says why.
            State::Failed(_) => view! { <p class="muted">{text::graphs_empty}</p> }.into_any(),
            State::Here if data.is_empty.get() => {
                view! { <p class="muted">{text::graphs_empty_range}</p> }.into_any()
            }
            State::Here => view! {
                <div class="charts small">
                    {Plan::GLANCE
                        .iter()
                        .map(|plan| view! { <Chart data plan=*plan size=Size::Small limit=text::graph_limit /> })
                        .collect_view()}
                </div>
            }
            .into_any(),
        }}
    }
}

fn whose() -> Memo<Whose> {
    let params = use_params_map();
    let query = use_query_map();
    Memo::new(move |_| Whose {
        name: params.with(|p| p.get("name").unwrap_or_default()),
        owner: query.with(|q| q.get("owner").unwrap_or_default()),
    })
}

#[component]
fn Page(data: Data, limit: fn(String) -> String) -> impl IntoView {
    view! {
        <Ranges data />
        {move || match data.state.get() {
            State::Loading => view! { <Skeleton lines=6 /> }.into_any(),
            State::Failed(error) => {
                let retry = Callback::new(move |()| data.retry());
                view! { <Failure error=Signal::stored(error) retry /> }.into_any()
            }
            State::Here if data.is_empty.get() => view! { <Nothing data /> }.into_any(),
            State::Here => view! {
                <div class="charts">
                    {move || {
                        data.plans()
                            .into_iter()
                            .map(|plan| view! { <Chart data plan size=Size::Full limit /> })
                            .collect_view()
                    }}
                </div>
                <Table data />
            }
            .into_any(),
        }}
    }
}

#[component]
fn Ranges(data: Data) -> impl IntoView {
    view! {
        <div class="chips ranges" role="group" aria-label=text::graphs_range>
            {Range::ALL
                .into_iter()
                .map(|range| {
                    let words: Words = range.words();
                    view! {
                        <button
                            type="button"
                            class="chip"
                            aria-pressed=move || if data.range.get() == range { "true" } else { "false" }
                            on:click=move |_| data.range.set(range)
                        >
                            {words}
                        </button>
                    }
                })
                .collect_view()}
        </div>
    }
}

#[component]
fn Nothing(data: Data) -> impl IntoView {
    let why = move || match data.range.get() {
        Range::Month => text::graphs_empty_why(),
        Range::Hour | Range::ThreeDays => text::graphs_empty_range(),
    };
    view! {
        <div class="empty">
            <span class="empty-mark"><Glyph icon=Icon::Chart /></span>
            <h2>{text::graphs_empty}</h2>
            <p>{why}</p>
        </div>
    }
}
