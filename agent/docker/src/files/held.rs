//! Nobody writes into a container's layers while the engine mounts them: two mounts of one layer corrupt each other's view.
//!
//! A start has precedence. Whoever is in the files of a container that is to start is told, lets go, and comes back to a
//! container that runs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use berth_reconcile::runtime::EngineId;
use tokio::sync::watch;

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held(Arc<Mutex<HashMap<EngineId, watch::Sender<State>>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct State {
    leases: usize,
    starts: usize,
}

/// Of somebody who is in the files.
#[derive(Debug)]
pub struct Lease {
    held: Held,
    id: EngineId,
    state: watch::Receiver<State>,
}

/// Of a start: nobody gets in while it lasts.
#[derive(Debug)]
pub(crate) struct Cleared {
    held: Held,
    id: EngineId,
}

impl Held {
    /// `None` while it is being started.
    pub(crate) fn take(&self, id: &EngineId) -> Option<Lease> {
        let mut all = self.lock();
        let sender = all.entry(id.clone()).or_default();
        if sender.borrow().starts > 0 {
            return None;
        }
        sender.send_modify(|state| state.leases += 1);
        Some(Lease { held: self.clone(), id: id.clone(), state: sender.subscribe() })
    }

    /// Returns when nobody is in the files any more, or after `patience`: whoever does not hear is not waited for.
    pub(crate) async fn clear(&self, id: &EngineId, patience: Duration) -> Cleared {
        let mut state = {
            let mut all = self.lock();
            let sender = all.entry(id.clone()).or_default();
            sender.send_modify(|state| state.starts += 1);
            sender.subscribe()
        };
        let cleared = Cleared { held: self.clone(), id: id.clone() };
        let left = state.wait_for(|state| state.leases == 0);
        if tokio::time::timeout(patience, left).await.is_err() {
            tracing::warn!(engine.id = id.as_str(), "started while somebody is in its files");
        }
        cleared
    }

    fn change(&self, id: &EngineId, change: impl FnOnce(&mut State)) {
        let mut all = self.lock();
        let Some(sender) = all.get(id) else { return };
        sender.send_modify(change);
        if *sender.borrow() == State::default() {
            all.remove(id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EngineId, watch::Sender<State>>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Returns when the container is to start: let go. Cancel-safe.
    pub async fn revoked(&mut self) {
        if self.state.wait_for(|state| state.starts > 0).await.is_err() {
            // Without an entry nobody starts it.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.held.change(&self.id, |state| state.leases = state.leases.saturating_sub(1));
    }
}

impl Drop for Cleared {
    fn drop(&mut self) {
        self.held.change(&self.id, |state| state.starts = state.starts.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_start_has_precedence() {
        let held = Held::default();
        let id = EngineId::parse(&"a".repeat(64)).unwrap();
        let mut first = held.take(&id).unwrap();
        let second = held.take(&id).unwrap();
        let (start, wanted) = (held.clone(), id.clone());
        let starting =
            tokio::spawn(async move { start.clear(&wanted, Duration::from_secs(60)).await });
        first.revoked().await;
        assert!(held.take(&id).is_none(), "it is being started");
        drop(first);
        assert!(!starting.is_finished());
        drop(second);
        let cleared = starting.await.unwrap();
        assert!(held.take(&id).is_none());
        drop(cleared);
        assert!(held.take(&id).is_some());
        assert!(held.lock().is_empty(), "nothing is kept of what nobody holds");
    }

    #[tokio::test]
    async fn who_does_not_hear_is_not_waited_for() {
        let held = Held::default();
        let id = EngineId::parse(&"b".repeat(64)).unwrap();
        let _deaf = held.take(&id).unwrap();
        held.clear(&id, Duration::from_millis(5)).await;
    }
}
