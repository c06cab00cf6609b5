//! Who is connected, and who has fallen silent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use berth_app::{
    observe,
    writer::{Handle, chain},
};
use berth_core::{id::NodeId, node::Liveness};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    run::Outbox,
    turns::{Entrance, Turns},
};

#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How often an agent speaks when it has nothing to say.
    pub heartbeat: Duration,
    /// Silence after which nothing new is placed there.
    pub unreachable_after: Duration,
    /// How often a blade is told everything, and tells everything, although nothing changed.
    pub repeat: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(5),
            unreachable_after: Duration::from_secs(20),
            repeat: Duration::from_secs(600),
        }
    }
}

/// Why a session must end.
#[derive(Debug)]
pub(crate) enum End {
    /// The same node has opened a newer one.
    Superseded,
    ShuttingDown,
}

/// Live sessions. One per node: a newer one ends the older.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Mutex<Inner>>,
    started: Instant,
}

struct Inner {
    sessions: BTreeMap<NodeId, Entry>,
    heard: BTreeMap<NodeId, Instant>,
    turns: BTreeMap<NodeId, Turns>,
    next: u64,
    closed: bool,
}

struct Entry {
    number: u64,
    end: oneshot::Sender<End>,
    outbox: Outbox,
}

/// A place in the registry; leaves it when dropped.
pub(crate) struct Seat {
    registry: Registry,
    node: NodeId,
    number: u64,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    pub fn new() -> Self {
        let inner = Inner {
            sessions: BTreeMap::new(),
            heard: BTreeMap::new(),
            turns: BTreeMap::new(),
            next: 1,
            closed: false,
        };
        Self { inner: Arc::new(Mutex::new(inner)), started: Instant::now() }
    }

    /// `instance` is of one start of an agent's process.
    pub(crate) fn enter(
        &self,
        node: NodeId,
        instance: &str,
        outbox: Outbox,
    ) -> (Entrance, Seat, oneshot::Receiver<End>) {
        let (end, ended) = oneshot::channel();
        let mut inner = self.lock();
        let entrance = inner.turns.entry(node).or_default().enter(instance, Instant::now());
        let number = inner.next;
        inner.next += 1;
        if inner.closed {
            // The receiver is still in our hands, so this cannot fail.
            drop(end.send(End::ShuttingDown));
        } else if let Some(older) = inner.sessions.insert(node, Entry { number, end, outbox }) {
            // The older session may have ended at this moment; then nobody needs telling.
            drop(older.end.send(End::Superseded));
        }
        (entrance, Seat { registry: self.clone(), node, number }, ended)
    }

    /// The node has said something.
    pub(crate) fn heard(&self, node: NodeId) {
        self.lock().heard.insert(node, Instant::now());
    }

    /// Where messages to the node go, while it is connected.
    pub(crate) fn outbox(&self, node: NodeId) -> Option<Outbox> {
        self.lock().sessions.get(&node).map(|entry| entry.outbox.clone())
    }

    pub fn connected(&self) -> Vec<NodeId> {
        self.lock().sessions.keys().copied().collect()
    }

    /// Ends all sessions, and every later one at once.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        for (_, entry) in std::mem::take(&mut inner.sessions) {
            drop(entry.end.send(End::ShuttingDown));
        }
    }

    /// Marks silent nodes unreachable, for ever. That stops new placements and nothing else.
    pub async fn watch_liveness(self, handle: Handle, timing: Timing) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for node in self.silent(&handle, timing) {
                tracing::warn!(node.id = %node, "the blade does not answer");
                let done = handle
                    .apply(move |transaction| {
                        observe::liveness(transaction, node, Liveness::Unreachable);
                        Ok(())
                    })
                    .await;
                if let Err(error) = done {
                    tracing::warn!(error = %chain(&error), "liveness was not recorded");
                }
            }
        }
    }

    fn silent(&self, handle: &Handle, timing: Timing) -> Vec<NodeId> {
        let committed = handle.committed();
        let inner = self.lock();
        committed
            .state
            .nodes
            .values()
            .filter(|node| match node.liveness {
                Liveness::Unreachable => false,
                Liveness::Ready => inner
                    .heard
                    .get(&node.id)
                    .is_none_or(|heard| heard.elapsed() > timing.unreachable_after),
                // Just started: agents need a moment to find us again.
                Liveness::Unknown => {
                    self.started.elapsed() > 2 * timing.unreachable_after
                        && inner
                            .heard
                            .get(&node.id)
                            .is_none_or(|heard| heard.elapsed() > timing.unreachable_after)
                }
            })
            .map(|node| node.id)
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // The critical sections do not panic; if one did, the maps would still be whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inner = self.registry.lock();
        if inner.sessions.get(&self.node).is_some_and(|entry| entry.number == self.number) {
            inner.sessions.remove(&self.node);
        }
    }
}
