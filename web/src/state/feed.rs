//! A collection that a watch keeps up to date for as long as the page that asked for it is shown.

use std::rc::Rc;

use leptos::prelude::*;

use super::collection::{Collection, Keyed};
use crate::{
    api::{Delta, Error, Watched, follow},
    erased, i18n,
};

pub(crate) struct Feed<T: 'static> {
    pub(crate) all: Collection<T>,
    pub(crate) state: RwSignal<FeedState>,
    attempt: RwSignal<u32>,
}

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Feed<T> {}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FeedState {
    Loading,
    Live,
    Failed(Error),
}

impl<T: Keyed> Feed<T> {
    /// `request` makes the request from a resume token. The watch starts anew when a signal that it reads changes, and in
    /// another language: sentences come ready from the controller.
    pub(crate) fn open<W>(request: impl Fn(String) -> W::Request + 'static) -> Self
    where
        W: Watched<Item = T> + 'static,
        W::Request: PartialEq + 'static,
    {
        Self::open_shared::<W>(Rc::new(request))
    }

    /// Once for each kind of watch, not once for each page.
    fn open_shared<W>(request: Rc<dyn Fn(String) -> W::Request>) -> Self
    where
        W: Watched<Item = T> + 'static,
        W::Request: PartialEq + 'static,
    {
        let feed = Self {
            all: Collection::new(),
            state: RwSignal::new(FeedState::Loading),
            attempt: RwSignal::new(0),
        };
        Effect::new(move |watched: Option<W::Request>| {
            feed.attempt.track();
            i18n::language();
            let asked = request(String::new());
            if watched.is_some_and(|before| before != asked) {
                feed.all.clear();
                feed.state.set(FeedState::Loading);
            }
            let request = Rc::clone(&request);
            erased::spawn_while_shown(async move {
                let error =
                    follow::<W>(|token| untrack(|| request(token)), |update| feed.take(update))
                        .await;
                feed.state.set(FeedState::Failed(error));
            });
            asked
        });
        feed
    }

    pub(crate) fn retry(&self) {
        self.state.set(FeedState::Loading);
        self.attempt.update(|attempt| *attempt += 1);
    }

    fn take(&self, update: Delta<T>) {
        match update {
            Delta::All(all) => {
                self.all.replace(all);
                if self.state.get_untracked() != FeedState::Live {
                    self.state.set(FeedState::Live);
                }
            }
            // What is there is shown on; the connection's notice says that it may be old.
            Delta::Trouble(error) => {
                if self.state.get_untracked() == FeedState::Loading {
                    self.state.set(FeedState::Failed(error));
                }
            }
            Delta::Some { changed, removed } => {
                self.all.remove(&removed);
                for thing in changed {
                    self.all.put(thing);
                }
            }
        }
    }
}
