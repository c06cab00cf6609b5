//! The loop: plans whenever something changed, and works on many containers beside each other.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use berth_core::id::ContainerId;
use futures::StreamExt as _;
use tokio::{task::JoinSet, time::Instant};

use crate::{
    ledger::Ledger,
    reconciler::Reconciler,
    runtime::{Event, Runtime},
};

/// Engine calls at once. dockerd serializes much of a start itself: eight keep it busy, more only make all of them slower.
const AT_ONCE: usize = 8;
/// An engine that does not answer is asked again after this.
const LIST_AGAIN: Duration = Duration::from_secs(2);

impl<R: Runtime, L: Ledger> Reconciler<R, L> {
    /// Reconciles for ever.
    pub async fn drive(self: Arc<Self>) {
        let mut events = self.runtime.events();
        let mut workers: JoinSet<()> = JoinSet::new();
        let mut looks: JoinSet<()> = JoinSet::new();
        let mut queue: Vec<ContainerId> = Vec::new();
        let mut refresh_at = Instant::now();
        loop {
            let (work, wake_at) = self.claim_work();
            queue.extend(work);
            while workers.len() < AT_ONCE {
                let Some(id) = pop_first(&mut queue) else { break };
                let this = Arc::clone(&self);
                workers.spawn(async move { this.work(id).await });
            }
            if workers.is_empty() && self.networks_due.swap(false, Ordering::Relaxed) {
                self.remove_networks().await;
            }
            if self.list_due.swap(false, Ordering::Relaxed) {
                refresh_at = Instant::now();
            }
            let wake_in = wake_at.map(|at| at.since(self.now()).max(Duration::from_millis(1)));
            // Every arm is cancel-safe: sleeps, a Notify, a JoinSet and a stream by reference. In this order, not by chance: the
            // list is due seldom, work that is done makes room for more, and the simulation can repeat a run.
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(refresh_at) => {
                    let next = match self.refresh().await {
                        Ok(()) => self.options.refresh,
                        Err(error) => {
                            tracing::warn!(%error, "the engine could not be listed");
                            LIST_AGAIN
                        }
                    };
                    self.networks_due.store(true, Ordering::Relaxed);
                    refresh_at = Instant::now() + next;
                }
                Some(done) = workers.join_next() => {
                    if let Err(error) = done {
                        // A worker cannot panic without a bug of ours; the container stays busy, which the log explains.
                        tracing::error!(%error, "a worker died");
                    }
                }
                Some(_) = looks.join_next() => {}
                () = self.wake.notified() => {}
                Some(event) = events.next() => match event {
                    Event::Resync => refresh_at = Instant::now(),
                    Event::Changed(engine_id) => {
                        if let Some(id) = self.find(&engine_id).filter(|id| !self.is_busy(*id)) {
                            let this = Arc::clone(&self);
                            looks.spawn(async move {
                                // A hint that could not be followed up is made good by the next list.
                                if this.look(id, &engine_id).await.is_ok() {
                                    this.wake.notify_one();
                                }
                            });
                        }
                    }
                },
                () = sleep_for(wake_in) => {}
            }
        }
    }

    /// One pass after another, one step at a time, until there is nothing to do: for tests that count every call.
    pub async fn settle(&self) {
        loop {
            let (work, _) = self.claim_work();
            if work.is_empty() {
                if self.list_due.swap(false, Ordering::Relaxed) && self.refresh().await.is_ok() {
                    continue;
                }
                self.remove_networks().await;
                return;
            }
            for id in work {
                self.work(id).await;
            }
        }
    }

    async fn remove_networks(&self) {
        let networks = match self.runtime.networks().await {
            Ok(networks) => networks,
            Err(error) => {
                tracing::debug!(%error, "networks could not be listed");
                return;
            }
        };
        for user in self.unneeded(&networks) {
            match self.runtime.remove_network(user).await {
                Ok(()) => tracing::info!(user.id = %user, "network removed"),
                Err(error) => {
                    tracing::warn!(user.id = %user, %error, "a network could not be removed");
                }
            }
        }
    }
}

fn pop_first(queue: &mut Vec<ContainerId>) -> Option<ContainerId> {
    (!queue.is_empty()).then(|| queue.remove(0))
}

async fn sleep_for(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}
