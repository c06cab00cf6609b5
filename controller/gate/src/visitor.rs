//! Who asks, and whether they may: looked up anew for each request, and again while a stream goes on.

use std::{future::Future, pin::Pin, sync::Arc};

use axum::http::HeaderMap;
use berth_app::{authz, shares, state::State};
use berth_core::{
    app_host::{AppKey, AppLabel},
    clock::Timestamp,
    container::Container,
};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::{Gate, cookies, relay::At, ticket::Ticket};

/// What stands behind a label, for one visitor.
#[derive(Debug)]
pub(crate) enum Found {
    Open(Arc<Container>),
    /// It is not there, or not theirs: the same.
    Nothing,
    /// The session or the link is over.
    Nobody,
}

/// The container that a ticket opens at a label.
pub(crate) fn look(state: &State, now: Timestamp, ticket: Ticket, label: &AppLabel) -> Found {
    match ticket {
        Ticket::Session(id) => {
            let actor = state
                .sessions
                .get(&id)
                .and_then(|session| authz::actor(state, &session.token_sha256, now));
            let Some(actor) = actor else { return Found::Nobody };
            match state.container_by_host(&label.key) {
                Some(container) if actor.may_reach(container.owner) => {
                    Found::Open(Arc::clone(container))
                }
                Some(_) | None => Found::Nothing,
            }
        }
        Ticket::Link(id) => {
            let link = state.share_links.get(&id).filter(|link| link.port == label.port);
            let container = link.and_then(|link| shares::live(state, link, now));
            match container {
                Some(container) if AppKey::of(container.owner, &container.name) == label.key => {
                    Found::Open(Arc::clone(container))
                }
                Some(_) | None => Found::Nobody,
            }
        }
    }
}

/// Why something that went on is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    #[error("who has it may no longer have it")]
    Revoked,
    #[error("the container does not run any more")]
    NotRunning,
    #[error("the controller stops")]
    Process,
}

pub(crate) type Permit = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// A ticket that opens, and what.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) ticket: Ticket,
    pub(crate) found: Found,
}

impl Gate {
    /// By the best of their cookies. `None`: by none.
    pub(crate) fn visitor(&self, headers: &HeaderMap, label: &AppLabel) -> Option<Visitor> {
        let key = &self.0.options.key;
        let sessions = cookies::find(headers, cookies::SESSION)
            .into_iter()
            .filter_map(|text| Ticket::open_session(key, text, label));
        let links = cookies::find(headers, cookies::LINK)
            .into_iter()
            .filter_map(|text| Ticket::open_link(key, text, label));
        let (committed, now) = (self.0.writer.committed(), self.0.clock.now());
        let mut refused = None;
        for ticket in sessions.chain(links) {
            match look(&committed.state, now, ticket, label) {
                Found::Nobody => {}
                found @ Found::Open(_) => return Some(Visitor { ticket, found }),
                found @ Found::Nothing => refused = Some(Visitor { ticket, found }),
            }
        }
        refused
    }

    /// Ends when the visitor may no longer have what they have, when there is nothing to have any more, or with the process.
    /// A container that is gone does not hang up: nobody would hear of it otherwise.
    pub(crate) fn permit(&self, ticket: Ticket, label: &AppLabel, at: At) -> Permit {
        let (gate, label) = (self.clone(), label.clone());
        let mut stopping = self.0.stopping.clone();
        let period = authz::STREAM_RECHECK;
        let mut rechecks = interval_at(Instant::now() + period, period);
        rechecks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Box::pin(async move {
            loop {
                tokio::select! {
                    biased;
                    // An error means that the sender is gone, and with it the process's main task.
                    _ = stopping.wait_for(|stopping| *stopping) => return Ended::Process,
                    _ = rechecks.tick() => {
                        let committed = gate.0.writer.committed();
                        let found = look(&committed.state, gate.0.clock.now(), ticket, &label);
                        match found {
                            Found::Open(container) if at.is_of(&container) => {}
                            Found::Open(_) => return Ended::NotRunning,
                            Found::Nothing | Found::Nobody => return Ended::Revoked,
                        }
                    }
                }
            }
        })
    }
}
