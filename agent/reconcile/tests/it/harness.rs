//! A blade that can die at any point, and a controller that only ever repeats itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use berth_core::{
    clock::{Clock, Timestamp},
    container::{DesiredPhase, PortBinding, RuntimeKind},
    desired::{DesiredContainer, DesiredSet, DesiredUpdate, EngineSpec},
    id::{ContainerId, Epoch, UserId},
    image::ImageRef,
    observed::ObservedPhase,
    resources::Resources,
};
use berth_reconcile::{
    fake::Machine,
    point::PlantedFault,
    reconciler::{Options, Reconciler},
    runtime::EngineState,
};
use uuid::Uuid;

/// Every look is a millisecond later: no two starts have the same time.
#[derive(Default)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000 + self.0.fetch_add(1, Ordering::SeqCst))
    }
}

pub(crate) const FAR: Timestamp = Timestamp(i64::MAX);

pub(crate) fn id(number: u8) -> ContainerId {
    ContainerId::new(Uuid::from_u128(u128::from(number)))
}

pub(crate) fn user(number: u8) -> UserId {
    UserId::new(Uuid::from_u128(0xface_0000 + u128::from(number)))
}

pub(crate) fn image() -> ImageRef {
    ImageRef::parse("busybox").unwrap()
}

/// A container of the user with the same number.
pub(crate) fn container(number: u8, phase: DesiredPhase) -> DesiredContainer {
    DesiredContainer {
        id: id(number),
        incarnation: 1,
        phase,
        restart_nonce: 1,
        not_after: FAR,
        spec: EngineSpec {
            image: image(),
            command: vec![],
            environment: BTreeMap::new(),
            ports: vec![PortBinding { guest: 80, host: 20_000 + u16::from(number) }],
            gpus: vec![],
            resources: Resources::new(1000, 1 << 30),
            tty: false,
            stdin: false,
            user: user(number),
            hostname: "c".into(),
            runtime: RuntimeKind::Docker,
            belongings: None,
        },
    }
}

pub(crate) fn set(generation: u64, containers: &[DesiredContainer]) -> DesiredSet {
    let containers = containers.iter().map(|container| (container.id, container.clone())).collect();
    DesiredSet { epoch: Epoch::new(Uuid::nil()), generation, containers }
}

pub(crate) fn complete(set: &DesiredSet) -> DesiredUpdate {
    DesiredUpdate {
        epoch: set.epoch,
        generation: set.generation,
        base: None,
        containers: set.containers.values().cloned().collect(),
        removed: vec![],
        digest: set.digest(),
    }
}

pub(crate) type Agent = Reconciler<Machine, Machine>;

pub(crate) struct Blade {
    pub(crate) machine: Machine,
    pub(crate) clock: Arc<TestClock>,
    planted: Option<PlantedFault>,
    pub(crate) violations: Arc<Mutex<BTreeSet<String>>>,
}

impl Blade {
    pub(crate) fn new(planted: Option<PlantedFault>) -> Self {
        let clock = Arc::new(TestClock::default());
        let machine = Machine::new(Arc::clone(&clock) as Arc<dyn Clock>);
        Self { machine, clock, planted, violations: Arc::default() }
    }

    /// An agent as it is after its start: from the ledger, nothing else. At every point of its life its reports are checked.
    pub(crate) fn agent(&self) -> Arc<Agent> {
        let options = Options { planted: self.planted, ..Options::default() };
        let agent = Arc::new(Reconciler::new(
            Arc::new(self.machine.clone()),
            Arc::new(self.machine.clone()),
            self.machine.ledger(),
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            options,
        ));
        let (weak, machine, violations) =
            (Arc::downgrade(&agent), self.machine.clone(), Arc::clone(&self.violations));
        self.machine.on_point(Some(Arc::new(move || check_reports(&weak, &machine, &violations))));
        agent
    }

    pub(crate) fn violation(&self, what: impl Into<String>) {
        self.violations.lock().unwrap().insert(what.into());
    }

    /// The engine has exactly what `set` wants, and nothing was destroyed that had no tombstone.
    pub(crate) fn check(&self, set: &DesiredSet, tombstones: &BTreeSet<ContainerId>) {
        let engine = self.machine.containers();
        for desired in set.containers.values() {
            let there: Vec<_> =
                engine.iter().filter(|container| container.container == desired.id).collect();
            let running =
                there.iter().filter(|c| matches!(c.state, EngineState::Running { .. })).count();
            match desired.phase {
                DesiredPhase::Running if there.len() > 1 => self.violation("duplicate"),
                DesiredPhase::Running if running != 1 => self.violation("lost: not running"),
                DesiredPhase::Running if there[0].incarnation != desired.incarnation => {
                    self.violation("wrong incarnation");
                }
                DesiredPhase::Stopped if running != 0 => self.violation("runs although stopped"),
                DesiredPhase::Removed if !there.is_empty() => {
                    self.violation("leak: tombstone not carried out");
                }
                DesiredPhase::Running | DesiredPhase::Stopped | DesiredPhase::Removed => {}
            }
        }
        for container in &engine {
            if !set.containers.contains_key(&container.container)
                && tombstones.contains(&container.container)
            {
                self.violation("leak: forgotten before it was removed");
            }
        }
        let wanted: BTreeSet<UserId> = set
            .containers
            .values()
            .filter(|container| container.phase != DesiredPhase::Removed)
            .map(|container| container.spec.user)
            .chain(engine.iter().map(|container| container.user))
            .collect();
        if !self.machine.networks().is_subset(&wanted) {
            self.violation("leak: a network without users");
        }
    }
}

/// What is reported must be true at this very moment.
fn check_reports(
    agent: &Weak<Agent>,
    machine: &Machine,
    violations: &Arc<Mutex<BTreeSet<String>>>,
) {
    let Some(agent) = agent.upgrade() else { return };
    for (id, observed, _) in agent.take_changes().unwrap_or_default() {
        let there = machine.containers().into_iter().any(|container| container.container == id);
        if observed.phase == ObservedPhase::Removed && there {
            violations.lock().unwrap().insert("reported gone before it was gone".to_owned());
        }
    }
}
