//! Sees every commit and every effect on an engine, and writes down what must not be.
//!
//! It knows nothing of how the house works, only what was promised: rows as they were committed, and what they allow.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use berth_app::ports::{ChangeSet, Records};
use berth_core::{
    clock::Timestamp,
    container::{Container, DesiredPhase},
    id::{ContainerId, Epoch, NodeId},
    node::Node,
    resources::Resources,
};
use berth_reconcile::runtime::EngineContainer;

use crate::world::lock;

#[derive(Default)]
pub(crate) struct Journal {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    violations: BTreeSet<String>,
    rows: BTreeMap<ContainerId, Arc<Container>>,
    nodes: BTreeMap<NodeId, Arc<Node>>,
    past: BTreeMap<ContainerId, Past>,
    /// Creations that were answered, and of which nobody has asked the deletion since.
    promised: BTreeSet<ContainerId>,
    /// The database was put back once: what came after the backup is nobody's.
    put_back: bool,
    /// What each engine has, for rows that go.
    engines: BTreeMap<NodeId, Engine>,
}

/// Looks into a blade's engine.
pub(crate) type Engine = Arc<dyn Fn() -> Vec<EngineContainer> + Send + Sync>;

/// What was ever ordered of a container, and what was done to it. Orders that follow each other quickly may be carried out
/// as one, so these are bounds.
#[derive(Default)]
struct Past {
    tombstone: bool,
    incarnation: u32,
    starts_ordered: u64,
    stops_ordered: u64,
    starts: u64,
    stops: u64,
    reboots: u64,
    lease_ends: BTreeSet<Timestamp>,
    /// As committed last.
    lease_ends_at: Timestamp,
}

impl Journal {
    pub(crate) fn violation(&self, what: impl Into<String>) {
        let what = what.into();
        if lock(&self.inner).violations.insert(what.clone()) {
            tracing::error!(violation = %what, "violation");
        }
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        lock(&self.inner).violations.iter().cloned().collect()
    }

    pub(crate) fn watch_engine(&self, node: NodeId, engine: Engine) {
        lock(&self.inner).engines.insert(node, engine);
    }

    pub(crate) fn was_put_back(&self) -> bool {
        lock(&self.inner).put_back
    }

    // === the controller ===

    pub(crate) fn committed(&self, changes: &ChangeSet) {
        let found = lock(&self.inner).commit(changes);
        found.into_iter().for_each(|what| self.violation(what));
    }

    /// A controller has started and read this.
    pub(crate) fn started(&self, records: &Records, now: Timestamp, grace: std::time::Duration) {
        let there: BTreeSet<ContainerId> = records.containers.iter().map(|row| row.id).collect();
        self.check_promises(&there, now, grace);
    }

    /// Every creation that was answered is there, unless somebody deleted it or its lease is over.
    pub(crate) fn check_promises(
        &self,
        there: &BTreeSet<ContainerId>,
        now: Timestamp,
        grace: std::time::Duration,
    ) {
        let inner = lock(&self.inner);
        let ended = |id: &ContainerId| {
            inner.past.get(id).is_some_and(|past| past.lease_ends_at + grace <= now)
        };
        let lost: Vec<ContainerId> =
            inner.promised.iter().filter(|id| !there.contains(id) && !ended(id)).copied().collect();
        drop(inner);
        lost.into_iter().for_each(|id| {
            self.violation(format!("lost: a creation that was answered is not there ({id})"));
        });
    }

    /// The database is an earlier one from here on.
    pub(crate) fn put_back(&self, records: &Records) {
        let mut inner = lock(&self.inner);
        inner.put_back = true;
        let there: BTreeSet<ContainerId> = records.containers.iter().map(|row| row.id).collect();
        inner.promised.retain(|id| there.contains(id));
        let rows: BTreeMap<_, _> =
            records.containers.iter().map(|row| (row.id, Arc::new(row.clone()))).collect();
        let before = std::mem::replace(&mut inner.rows, rows.clone());
        for (id, row) in rows {
            let before = before.get(&id).map(AsRef::as_ref);
            inner.past.entry(id).or_default().ordered(before, &row);
        }
        inner.nodes.clear();
    }

    // === people ===

    pub(crate) fn created(&self, id: ContainerId) {
        lock(&self.inner).promised.insert(id);
    }

    /// Before the deletion is asked for: it may happen although its answer is lost.
    pub(crate) fn deleting(&self, id: ContainerId) {
        lock(&self.inner).promised.remove(&id);
    }

    // === engines ===

    pub(crate) fn rebooted(&self) {
        lock(&self.inner).past.values_mut().for_each(|past| past.reboots += 1);
    }

    /// Before the effect.
    pub(crate) fn starting(&self, engine: &EngineContainer) {
        let mut inner = lock(&self.inner);
        let past = inner.past.entry(engine.container).or_default();
        past.starts += 1;
        if past.starts > past.starts_ordered + past.reboots {
            drop(inner);
            self.violation(format!("started without an order ({})", engine.container));
        }
    }

    /// Before the effect.
    pub(crate) fn stopping(&self, engine: &EngineContainer, now: Timestamp) {
        let mut inner = lock(&self.inner);
        let past = inner.past.entry(engine.container).or_default();
        past.stops += 1;
        let leases = past.lease_ends.iter().filter(|ends| **ends <= now).count();
        if past.stops > past.stops_ordered + u64::try_from(leases).unwrap_or(u64::MAX) {
            drop(inner);
            self.violation(format!("stopped without an order ({})", engine.container));
        }
    }

    /// Before the effect.
    pub(crate) fn removing(&self, engine: &EngineContainer) {
        let inner = lock(&self.inner);
        let allowed = inner
            .past
            .get(&engine.container)
            .is_some_and(|past| past.tombstone || past.incarnation > engine.incarnation);
        drop(inner);
        if !allowed {
            self.violation(format!("destroyed without a tombstone ({})", engine.container));
        }
    }
}

impl Inner {
    fn commit(&mut self, changes: &ChangeSet) -> Vec<String> {
        let mut found = Vec::new();
        for node in &changes.nodes.upserts {
            if let Some(old) = self.nodes.insert(node.id, Arc::clone(node))
                && old.desired_generation > node.desired_generation
            {
                found.push(format!("the generation of {} went backwards", node.name));
            }
        }
        for id in &changes.containers.deletes {
            if let Some(row) = self.rows.remove(id) {
                found.extend(self.gone(&row));
            }
        }
        for row in &changes.containers.upserts {
            let old = self.rows.insert(row.id, Arc::clone(row));
            self.past.entry(row.id).or_default().ordered(old.as_deref(), row);
        }
        found.extend(self.overcommitted());
        found
    }

    /// A row may go when nothing of it is left.
    fn gone(&self, row: &Container) -> Option<String> {
        let node = row.placement.as_ref()?.node;
        let left = self.engines.get(&node)?().iter().any(|engine| engine.container == row.id);
        left.then(|| format!("leak: forgotten before it was removed ({})", row.id))
    }

    fn overcommitted(&self) -> Vec<String> {
        let mut used: BTreeMap<NodeId, Resources> = BTreeMap::new();
        let mut gpus = BTreeSet::new();
        let mut ports = BTreeSet::new();
        let mut found = Vec::new();
        for row in self.rows.values() {
            let Some(placement) = &row.placement else { continue };
            for port in &placement.ports {
                if !ports.insert((placement.node, port.host)) {
                    found.push(format!("port {} is lent twice", port.host));
                }
            }
            if !row.admitted {
                continue;
            }
            let used = used.entry(placement.node).or_default();
            *used = used.plus(row.spec.resources);
            for gpu in &placement.gpus {
                if !gpus.insert((placement.node, gpu)) {
                    found.push(format!("{} is lent twice", gpu.as_str()));
                }
            }
        }
        for (node, used) in used {
            let Some(node) = self.nodes.get(&node) else { continue };
            let offered = node.inventory.offered();
            if used.cpu_millis > offered.cpu_millis || used.memory_bytes > offered.memory_bytes {
                found.push(format!("{} is over-committed", node.name));
            }
        }
        found
    }
}

impl Past {
    fn ordered(&mut self, old: Option<&Container>, new: &Container) {
        let place = |row: &Container| row.placement.as_ref().map(|placement| placement.node);
        let runs = |row: &Container| row.desired == DesiredPhase::Running && row.admitted;
        let ran = old.filter(|old| runs(old) && place(old) == place(new));
        self.tombstone |= new.desired == DesiredPhase::Removed;
        self.incarnation = self.incarnation.max(new.incarnation);
        self.lease_ends.insert(new.lease_ends_at);
        self.lease_ends_at = new.lease_ends_at;
        match (ran, runs(new)) {
            (None, false) => {}
            (None, true) => self.starts_ordered += 1,
            (Some(_), false) => self.stops_ordered += 1,
            (Some(old), true) => {
                let again =
                    old.restart_nonce != new.restart_nonce || old.incarnation != new.incarnation;
                self.stops_ordered += u64::from(again);
                // A lease that is extended starts again what its end had stopped.
                let extended = old.lease_ends_at != new.lease_ends_at;
                self.starts_ordered += u64::from(again || extended);
            }
        }
    }
}

/// For the blades' own view of what a set's epoch allows.
pub(crate) fn went_backwards(old: Option<(Epoch, u64)>, new: Option<(Epoch, u64)>) -> bool {
    match (old, new) {
        (Some((old_epoch, old)), Some((new_epoch, new))) => old_epoch == new_epoch && new < old,
        (Some(_), None) => true,
        (None, _) => false,
    }
}
