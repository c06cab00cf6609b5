//! What can be done with a container, wherever it is shown.

use berth_proto::v1::Container;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::{
    api::{self, Error, Start},
    erased,
    state::{announcer::announce, collection::Collection, session},
    text,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Start,
    StartWithShell,
    Stop,
    Restart,
    /// To so many seconds from now.
    Extend(i64),
}

impl Act {
    fn word(self) -> &'static str {
        match self {
            Act::Start => text::start(),
            Act::StartWithShell => text::start_with_shell(),
            Act::Stop => text::stop(),
            Act::Restart => text::restart(),
            Act::Extend(_) => text::extend(),
        }
    }

    fn icon(self) -> Icon {
        match self {
            Act::Start => Icon::Play,
            Act::StartWithShell => Icon::Terminal,
            Act::Stop => Icon::Square,
            Act::Restart => Icon::Restart,
            Act::Extend(_) => Icon::Hourglass,
        }
    }

    async fn call(self, name: String, owner: String) -> Result<Container, Error> {
        match self {
            Act::Start => api::start_container(name, owner, Start::AsItIs).await,
            Act::StartWithShell => api::start_container(name, owner, Start::WithShell).await,
            Act::Stop => api::stop_container(name, owner).await,
            Act::Restart => api::restart_container(name, owner).await,
            Act::Extend(seconds) => api::extend_lease(name, owner, seconds).await,
        }
    }
}

/// One container's acts: one at a time, and how the last one ended.
#[derive(Clone, Copy)]
pub(crate) struct Acting {
    pub(crate) doing: RwSignal<Option<Act>>,
    pub(crate) error: RwSignal<Option<Error>>,
    all: Collection<Container>,
}

impl Acting {
    /// The answer of an act is put into `all` at once: the watch may be a moment behind.
    pub(crate) fn new(all: Collection<Container>) -> Self {
        Self { doing: RwSignal::new(None), error: RwSignal::new(None), all }
    }

    pub(crate) fn run(self, act: Act, container: &Container) {
        if self.doing.get_untracked().is_some() {
            return;
        }
        self.doing.set(Some(act));
        self.error.set(None);
        let name = container.name.clone();
        let owner = session::person_untracked()
            .map_or_else(String::new, |person| person.owner_key(&container.owner));
        erased::spawn(async move {
            let result = act.call(name.clone(), owner).await;
            // The page may be gone by now.
            if self.doing.is_disposed() {
                return;
            }
            self.doing.set(None);
            match result {
                Ok(container) => {
                    announce(text::act_done(act.word(), name));
                    self.all.put(container);
                }
                Err(error) => self.error.set(Some(error)),
            }
        });
    }
}

#[component]
pub(crate) fn ActButton(
    act: Act,
    acting: Acting,
    container: ArcRwSignal<Container>,
    #[prop(default = "button small")] class: &'static str,
) -> impl IntoView {
    let name = container.clone();
    let label = move || text::act_on(act.word(), name.with(|c| c.name.clone()));
    let busy = move || acting.doing.get().is_some();
    view! {
        <button
            type="button"
            class=class
            aria-label=label
            aria-disabled=move || busy().then_some("true")
            aria-busy=move || (acting.doing.get() == Some(act)).then_some("true")
            on:click=move |_| container.with_untracked(|c| acting.run(act, c))
        >
            <Glyph icon=act.icon() />
            <span>{move || act.word()}</span>
        </button>
    }
}
