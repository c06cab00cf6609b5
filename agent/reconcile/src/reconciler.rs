//! The agent's memory of one blade, and the single steps on it. The loop around it is in [`crate::drive`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use berth_core::{
    clock::{Clock, Timestamp},
    desired::{Belongings, DesiredContainer, DesiredSet, DesiredUpdate, Refusal, accept},
    id::{ContainerId, Epoch, UserId},
    image::ImageRef,
    observed::Observed,
};
use tokio::sync::{Notify, watch};

use crate::{
    ledger::{Content, Ledger, Restart},
    observe::observe,
    plan::{self, Memo, Next, Situation},
    point::{self, PlantedFault},
    runtime::{EngineContainer, EngineId, EngineState, Error, Runtime},
};

#[derive(Debug, Clone)]
pub struct Options {
    /// How long a program has between being asked to end and being killed.
    pub stop_grace: Duration,
    /// How long a container that is in no set goes on running.
    pub orphan_grace: Duration,
    /// How often everything is listed, whatever the events said.
    pub refresh: Duration,
    /// The machine's boot.
    pub booted_at: Timestamp,
    pub planted: Option<PlantedFault>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            stop_grace: Duration::from_secs(10),
            orphan_grace: Duration::from_secs(3600),
            refresh: Duration::from_secs(60),
            booted_at: Timestamp::default(),
            planted: None,
        }
    }
}

/// Why an update was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    #[error("refused")]
    Refused(#[source] Refusal),
    #[error("the ledger could not be written")]
    Ledger(#[source] std::io::Error),
}

pub struct Reconciler<R, L> {
    pub(crate) runtime: Arc<R>,
    ledger: Arc<L>,
    clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    inner: Mutex<Inner>,
    /// Ledger writes, one after another: each carries the whole content.
    writing: tokio::sync::Mutex<()>,
    /// Something changed that the plan looks at.
    pub(crate) wake: Notify,
    /// Something changed that the controller should hear.
    changed: Notify,
    /// Containers went, and perhaps a network's last user with them.
    pub(crate) networks_due: AtomicBool,
    /// Whether the engine has been listed.
    listed: watch::Sender<bool>,
    /// A call was not answered: the engine knows better than we do.
    pub(crate) list_due: AtomicBool,
    /// One pull of an image at a time; who waited tries to create first.
    pub(crate) pulls: tokio::sync::Mutex<BTreeMap<ImageRef, Arc<tokio::sync::Mutex<()>>>>,
}

struct Inner {
    content: Content,
    /// `None` until the engine was listed once: before that, nothing is known and nothing is done.
    engine: Option<BTreeMap<ContainerId, Vec<EngineContainer>>>,
    up_since: Timestamp,
    /// Counts changes per container, so that a list that was under way does not overwrite what happened meanwhile.
    versions: BTreeMap<ContainerId, u64>,
    memos: BTreeMap<ContainerId, Memo>,
    busy: BTreeSet<ContainerId>,
    dirty: BTreeSet<ContainerId>,
    reconciled: u64,
}

impl<R: Runtime, L: Ledger> Reconciler<R, L> {
    pub fn new(
        runtime: Arc<R>,
        ledger: Arc<L>,
        content: Content,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Self {
        let inner = Inner {
            content,
            engine: None,
            up_since: options.booted_at,
            versions: BTreeMap::new(),
            memos: BTreeMap::new(),
            busy: BTreeSet::new(),
            dirty: BTreeSet::new(),
            reconciled: 0,
        };
        Self {
            runtime,
            ledger,
            clock,
            options,
            inner: Mutex::new(inner),
            writing: tokio::sync::Mutex::new(()),
            wake: Notify::new(),
            changed: Notify::new(),
            networks_due: AtomicBool::new(true),
            listed: watch::Sender::new(false),
            list_due: AtomicBool::new(false),
            pulls: tokio::sync::Mutex::new(BTreeMap::new()),
        }
    }

    // === what the session does ===

    /// Accepts a set: durably, then in memory, then the plan wakes. Returning means that it may be acknowledged.
    pub async fn accept(&self, update: DesiredUpdate) -> Result<u64, AcceptError> {
        let _writing = self.writing.lock().await;
        let mut content = self.lock().content.clone();
        let set = accept(content.set.as_ref(), update).map_err(AcceptError::Refused)?;
        let generation = set.generation;
        if content.set.as_ref() == Some(&set) {
            return Ok(generation);
        }
        let changed = replace_set(&mut content, set);
        if self.options.planted == Some(PlantedFault::AcknowledgeBeforeDurable) {
            self.install(content.clone(), changed);
            return Ok(generation);
        }
        point::reached("before-ledger");
        self.ledger.write(&content).await.map_err(AcceptError::Ledger)?;
        point::reached("after-ledger");
        self.install(content, changed);
        Ok(generation)
    }

    fn install(&self, content: Content, changed: BTreeSet<ContainerId>) {
        let mut inner = self.lock();
        inner.content = content;
        for id in &changed {
            // Ordered anew: somebody waits for it, so the pause after earlier failures is over.
            if let Some(memo) = inner.memos.get_mut(id) {
                memo.not_before = None;
                memo.attempts = 0;
            }
        }
        inner.dirty.extend(changed);
        drop(inner);
        self.wake.notify_one();
        self.changed.notify_one();
    }

    pub fn held(&self) -> Option<(Epoch, u64)> {
        self.lock().content.set.as_ref().map(|set| (set.epoch, set.generation))
    }

    /// The set, and what is kept of earlier epochs as far as the engine still has it.
    pub fn holding(&self) -> (Option<DesiredSet>, Vec<DesiredContainer>) {
        let inner = self.lock();
        let retained = inner.content.retained.values();
        let there = retained.filter(|held| !inner.engine_of(held.id).is_empty()).cloned().collect();
        (inner.content.set.clone(), there)
    }

    /// What runs for a container, of the incarnation that is wanted.
    pub fn running(&self, id: ContainerId) -> Option<EngineId> {
        let inner = self.lock();
        let incarnation = inner.desired(id)?.incarnation;
        let runs = |container: &&EngineContainer| {
            container.incarnation == incarnation
                && matches!(container.state, EngineState::Running { .. })
        };
        inner.engine_of(id).iter().find(runs).map(|container| container.id.clone())
    }

    /// Whose data a container that is wanted has.
    pub fn belongings(&self, id: ContainerId) -> Option<Belongings> {
        self.lock().desired(id)?.spec.belongings.clone()
    }

    /// Of all that are wanted here.
    pub fn all_belongings(&self) -> Vec<Belongings> {
        let inner = self.lock();
        let wanted = inner.content.set.iter().flat_map(|set| set.containers.values());
        wanted.filter_map(|container| container.spec.belongings.clone()).collect()
    }

    /// The engine's latest of each container that is wanted.
    pub fn current_all(&self) -> Vec<(ContainerId, EngineId)> {
        self.wanted().into_iter().filter_map(|id| Some((id, self.current(id)?))).collect()
    }

    /// The engine's latest for a container that is wanted, whatever its state.
    pub fn current(&self, id: ContainerId) -> Option<EngineId> {
        let inner = self.lock();
        inner.desired(id)?;
        let latest = inner.engine_of(id).iter().max_by_key(|container| container.incarnation);
        latest.map(|container| container.id.clone())
    }

    /// All of ours, when the engine has been listed once. The latest incarnation of each.
    pub async fn engine_ids(&self) -> BTreeMap<ContainerId, EngineId> {
        let mut listed = self.listed.subscribe();
        // The sender is ours.
        let _ = listed.wait_for(|listed| *listed).await;
        let inner = self.lock();
        let all = inner.engine.iter().flatten();
        all.filter_map(|(id, containers)| {
            let latest = containers.iter().max_by_key(|container| container.incarnation)?;
            Some((*id, latest.id.clone()))
        })
        .collect()
    }

    /// What is in the set.
    pub fn wanted(&self) -> BTreeSet<ContainerId> {
        let inner = self.lock();
        inner.content.set.iter().flat_map(|set| set.containers.keys()).copied().collect()
    }

    /// Host ports that containers of the set are meant to have.
    pub fn ports(&self) -> BTreeSet<u16> {
        let inner = self.lock();
        let wanted = inner.content.set.iter().flat_map(|set| set.containers.values());
        wanted.flat_map(|container| container.spec.ports.iter().map(|port| port.host)).collect()
    }

    /// Everything up to this generation is done, or has a fault that is reported.
    pub fn reconciled_generation(&self) -> u64 {
        self.lock().reconciled
    }

    /// Waits until there is something to report. Cancel-safe.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What changed since the last call, and `None` before the engine was listed.
    pub fn take_changes(&self) -> Option<Vec<(ContainerId, Observed, Orphan)>> {
        let mut inner = self.lock();
        inner.engine.as_ref()?;
        let ids = std::mem::take(&mut inner.dirty);
        Some(ids.into_iter().filter_map(|id| self.describe(&inner, id)).collect())
    }

    /// Everything, for a full report.
    pub fn everything(&self) -> Option<Vec<(ContainerId, Observed, Orphan)>> {
        let mut inner = self.lock();
        inner.engine.as_ref()?;
        inner.dirty.clear();
        let ids = inner.known();
        Some(ids.into_iter().filter_map(|id| self.describe(&inner, id)).collect())
    }

    fn describe(&self, inner: &Inner, id: ContainerId) -> Option<(ContainerId, Observed, Orphan)> {
        let in_set = inner.desired(id).is_some();
        if !in_set && inner.engine_of(id).is_empty() {
            return None;
        }
        let observed = self.with_situation(inner, id, observe);
        Some((id, observed, if in_set { Orphan::No } else { Orphan::Yes }))
    }

    // === what the loop does ===

    /// Lists the engine. What was changed by a step while the list was under way keeps what the step knows.
    pub async fn refresh(&self) -> Result<(), Error> {
        let versions = self.lock().versions.clone();
        let up_since = self.runtime.up_since().await?.max(self.options.booted_at);
        let listed = self.runtime.list().await?;
        let mut fresh: BTreeMap<ContainerId, Vec<EngineContainer>> = BTreeMap::new();
        for container in listed {
            fresh.entry(container.container).or_default().push(container);
        }
        let now = self.clock.now();
        let mut inner = self.lock();
        let mut old = inner.engine.take().unwrap_or_default();
        let ids: BTreeSet<ContainerId> = old.keys().chain(fresh.keys()).copied().collect();
        for id in ids {
            if inner.busy.contains(&id) || inner.versions.get(&id) != versions.get(&id) {
                match old.remove(&id) {
                    Some(known) => fresh.insert(id, known),
                    None => fresh.remove(&id),
                };
            } else if old.get(&id) != fresh.get(&id) {
                inner.dirty.insert(id);
                inner.memos.entry(id).or_default().answered_late();
            }
        }
        inner.engine = Some(fresh);
        inner.up_since = up_since;
        inner.made_sure(&versions);
        inner.mark_orphans(now);
        drop(inner);
        self.listed.send_replace(true);
        self.wake.notify_one();
        self.changed.notify_one();
        Ok(())
    }

    /// Containers with a step to do, marked busy; and when to look again if nothing else happens.
    pub(crate) fn claim_work(&self) -> (Vec<ContainerId>, Option<Timestamp>) {
        let mut inner = self.lock();
        if inner.engine.is_none() || inner.content.set.is_none() {
            return (Vec::new(), None);
        }
        let mut work = Vec::new();
        let mut wake_at: Option<Timestamp> = None;
        let ids: Vec<ContainerId> =
            inner.known().into_iter().filter(|id| !inner.busy.contains(id)).collect();
        for id in ids {
            let next = self.with_situation(&inner, id, plan::next);
            if next.step.is_some() {
                work.push(id);
            } else if let Some(at) = next.wake_at {
                wake_at = Some(wake_at.map_or(at, |earlier| earlier.min(at)));
            }
        }
        inner.busy.extend(work.iter().copied());
        if inner.busy.is_empty() {
            inner.reconciled = inner.content.set.as_ref().map_or(0, |set| set.generation);
        }
        (work, wake_at)
    }

    pub(crate) fn plan(&self, id: ContainerId) -> Next {
        let inner = self.lock();
        self.with_situation(&inner, id, plan::next)
    }

    pub(crate) fn release(&self, id: ContainerId) {
        self.lock().busy.remove(&id);
        self.wake.notify_one();
        self.changed.notify_one();
    }

    /// Changes what is known of a container, and remembers that it should be reported.
    pub(crate) fn update(
        &self,
        id: ContainerId,
        change: impl FnOnce(&mut Vec<EngineContainer>, &mut Memo),
    ) {
        let mut inner = self.lock();
        let Inner { engine, memos, versions, dirty, .. } = &mut *inner;
        let engine = engine.get_or_insert_default();
        change(engine.entry(id).or_default(), memos.entry(id).or_default());
        if engine.get(&id).is_some_and(Vec::is_empty) {
            engine.remove(&id);
        }
        *versions.entry(id).or_default() += 1;
        dirty.insert(id);
        drop(inner);
        self.changed.notify_one();
    }

    /// Writes a change of the restart records durably.
    pub(crate) async fn record(
        &self,
        id: ContainerId,
        change: impl FnOnce(Option<Restart>) -> Restart,
    ) -> std::io::Result<()> {
        let _writing = self.writing.lock().await;
        let mut content = self.lock().content.clone();
        let restart = change(content.restarts.get(&id).copied());
        content.restarts.insert(id, restart);
        self.ledger.write(&content).await?;
        let mut inner = self.lock();
        inner.content = content;
        inner.dirty.insert(id);
        Ok(())
    }

    /// Networks that nobody here needs any more.
    pub(crate) fn unneeded(&self, networks: &BTreeSet<UserId>) -> Vec<UserId> {
        let inner = self.lock();
        match (&inner.content.set, &inner.engine) {
            (Some(set), Some(engine)) => {
                plan::networks_to_remove(set, engine.values().flatten(), networks)
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn desired(&self, id: ContainerId) -> Option<DesiredContainer> {
        self.lock().desired(id).cloned()
    }

    pub(crate) fn restart(&self, id: ContainerId) -> Option<Restart> {
        self.lock().content.restarts.get(&id).copied()
    }

    pub(crate) fn engine_of(&self, id: ContainerId) -> Vec<EngineContainer> {
        self.lock().engine_of(id).to_vec()
    }

    pub(crate) fn find(&self, engine_id: &EngineId) -> Option<ContainerId> {
        let inner = self.lock();
        let engine = inner.engine.as_ref()?;
        engine
            .iter()
            .find(|(_, all)| all.iter().any(|container| &container.id == engine_id))
            .map(|(id, _)| *id)
    }

    pub(crate) fn was_pulled(&self, id: ContainerId) -> bool {
        self.lock().memos.get(&id).is_some_and(|memo| memo.pulled)
    }

    pub(crate) fn is_unsure(&self, id: ContainerId) -> bool {
        self.lock().memos.get(&id).is_some_and(|memo| memo.unsure)
    }

    pub(crate) fn is_busy(&self, id: ContainerId) -> bool {
        self.lock().busy.contains(&id)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn with_situation<T>(
        &self,
        inner: &Inner,
        id: ContainerId,
        look: impl FnOnce(&Situation<'_>) -> T,
    ) -> T {
        let nothing = Memo::default();
        look(&Situation {
            desired: inner.desired(id),
            engine: inner.engine_of(id),
            restart: inner.content.restarts.get(&id),
            memo: inner.memos.get(&id).unwrap_or(&nothing),
            retained: inner.content.retained.contains_key(&id),
            now: self.clock.now(),
            up_since: inner.up_since,
            orphan_grace: self.options.orphan_grace,
            planted: self.options.planted,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics half-way; and if it did, the next list would put it right.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphan {
    Yes,
    No,
}

impl Inner {
    fn desired(&self, id: ContainerId) -> Option<&DesiredContainer> {
        self.content.set.as_ref()?.containers.get(&id)
    }

    fn engine_of(&self, id: ContainerId) -> &[EngineContainer] {
        self.engine.as_ref().and_then(|engine| engine.get(&id)).map_or(&[], Vec::as_slice)
    }

    fn known(&self) -> BTreeSet<ContainerId> {
        let wanted = self.content.set.iter().flat_map(|set| set.containers.keys());
        let there = self.engine.iter().flat_map(|engine| engine.keys());
        wanted.chain(there).copied().collect()
    }

    /// What was listed after the last thing we did to it is known again.
    fn made_sure(&mut self, before: &BTreeMap<ContainerId, u64>) {
        let Self { memos, versions, busy, dirty, .. } = self;
        for (id, memo) in memos.iter_mut().filter(|(_, memo)| memo.unsure) {
            if !busy.contains(id) && versions.get(id) == before.get(id) {
                memo.unsure = false;
                dirty.insert(*id);
            }
        }
    }

    fn mark_orphans(&mut self, now: Timestamp) {
        if self.content.set.is_none() {
            return;
        }
        for id in self.known() {
            let wanted = self.desired(id).is_some();
            let memo = self.memos.entry(id).or_default();
            match (wanted, memo.orphan_since) {
                (true, _) => memo.orphan_since = None,
                (false, None) => {
                    tracing::warn!(container.id = %id, "a container of ours is in no set");
                    memo.orphan_since = Some(now);
                    self.dirty.insert(id);
                }
                (false, Some(_)) => {}
            }
        }
        let known = self.known();
        self.memos.retain(|id, _| known.contains(id));
        self.versions.retain(|id, _| known.contains(id));
    }
}

/// Puts the new set in place and tells which containers differ. A new epoch keeps what it does not mention.
fn replace_set(content: &mut Content, set: DesiredSet) -> BTreeSet<ContainerId> {
    let old = content.set.take();
    let mut changed: BTreeSet<ContainerId> = BTreeSet::new();
    if let Some(old) = old {
        if old.epoch != set.epoch {
            content.retained.extend(old.containers.clone());
        }
        let ids = old.containers.keys().chain(set.containers.keys());
        changed.extend(ids.filter(|id| old.containers.get(id) != set.containers.get(id)));
    } else {
        changed.extend(set.containers.keys());
    }
    content.retained.retain(|id, _| !set.containers.contains_key(id));
    let retained = &content.retained;
    content.restarts.retain(|id, restart| match set.containers.get(id) {
        Some(desired) => desired.incarnation == restart.incarnation,
        None => retained.contains_key(id),
    });
    content.set = Some(set);
    changed
}
