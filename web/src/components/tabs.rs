use leptos::{html, prelude::*};
use wasm_bindgen::JsCast as _;

use crate::{erased, i18n::Words, routes, text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Overview,
    Terminal,
    Logs,
    Files,
    Graphs,
    Definition,
}

impl Tab {
    const ALL: [Tab; 6] =
        [Tab::Overview, Tab::Terminal, Tab::Logs, Tab::Files, Tab::Graphs, Tab::Definition];

    fn words(self) -> Words {
        match self {
            Tab::Overview => text::overview,
            Tab::Terminal => text::terminal,
            Tab::Logs => text::logs,
            Tab::Files => text::files,
            Tab::Graphs => text::graphs,
            Tab::Definition => text::definition,
        }
    }

    fn route(self, name: &str, owner: &str) -> String {
        match self {
            Tab::Overview => routes::container(name, owner),
            Tab::Terminal => routes::terminal(name, owner, None),
            Tab::Logs => routes::logs(name, owner),
            Tab::Files => routes::files(name, owner, None),
            Tab::Graphs => routes::graphs(name, owner),
            Tab::Definition => routes::definition(name, owner),
        }
    }
}

/// From one page of a container to its others.
#[component]
pub(crate) fn Tabs(
    #[prop(into)] name: Signal<String>,
    /// Empty for the caller's own.
    #[prop(into)]
    owner: Signal<String>,
    here: Tab,
) -> impl IntoView {
    let nav = NodeRef::<html::Nav>::new();
    // On a phone they are wider than the screen.
    erased::effect(move || {
        let Some(nav) = nav.get() else { return };
        request_animation_frame(move || {
            let current = nav.query_selector("[aria-current]").ok().flatten();
            if let Some(current) = current.and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok()) {
                nav.set_scroll_left(current.offset_left() - nav.offset_left());
            }
        });
    });
    view! {
        <nav class="tabs" node_ref=nav aria-label=move || text::pages_of(name.get())>
            {Tab::ALL
                .into_iter()
                .map(|tab| {
                    let href = move || tab.route(&name.get(), &owner.get());
                    view! {
                        <a href=href aria-current=(tab == here).then_some("page")>{tab.words()}</a>
                    }
                })
                .collect_view()}
        </nav>
    }
}
