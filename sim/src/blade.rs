//! A blade: its machine, which outlives its agents, with an engine that takes its time and sometimes loses an answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use berth_core::{
    clock::{Clock as _, Timestamp},
    container::RuntimeKind,
    desired::EngineSpec,
    id::{Epoch, NodeId, StoreId},
    node::{Gpu, Inventory, PortRange},
    resources::{GIB, GpuId, Resources},
    storage::{Enforcement, Mapping, Scope, Storage, Store},
};
use berth_reconcile::{
    fake::Machine,
    ledger::Content,
    reconciler::Reconciler,
    runtime::{EngineContainer, EngineId, EngineState},
};

use uuid::Uuid;

use crate::{
    clock::{Chance, SimClock},
    engine::Engine,
    journal::{Journal, went_backwards},
    world::lock,
};

/// The first blade is large and has GPUs, the last is small and has none.
const SIZES: [(u32, u8); 3] = [(9_000, 2), (5_000, 1), (3_000, 0)];
const PORTS: PortRange = PortRange { start: 20_000, end: 20_149 };

pub(crate) type Agent = Reconciler<Engine, Engine>;

pub(crate) struct Blade {
    pub(crate) name: &'static str,
    pub(crate) node: NodeId,
    pub(crate) machine: Machine,
    pub(crate) chance: Chance,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) journal: Arc<Journal>,
    index: usize,
    pub(crate) orders: Mutex<BTreeMap<EngineId, EngineSpec>>,
    pub(crate) foreign_ports: Mutex<BTreeSet<u16>>,
    /// Of a thousand engine calls, this many go wrong.
    pub(crate) trouble: AtomicU64,
    pub(crate) ledger_failures: AtomicU64,
    booted_at: AtomicI64,
    agent: Mutex<Weak<Agent>>,
    written: Mutex<Option<(Epoch, u64)>>,
}

impl Blade {
    pub(crate) fn new(
        seed: u64,
        index: usize,
        clock: Arc<SimClock>,
        journal: Arc<Journal>,
    ) -> Arc<Self> {
        let name = ["blade-1", "blade-2", "blade-3"][index];
        let node = NodeId::new(uuid::Uuid::from_u128(0xb1ade + index as u128));
        let machine = Machine::new(Arc::clone(&clock) as Arc<dyn berth_core::clock::Clock>);
        let engine = machine.clone();
        journal.watch_engine(node, Arc::new(move || engine.containers()));
        Arc::new(Self {
            name,
            node,
            machine,
            chance: Chance::new(seed, name),
            booted_at: AtomicI64::new(0),
            clock,
            journal,
            index,
            orders: Mutex::default(),
            foreign_ports: Mutex::default(),
            trouble: AtomicU64::new(0),
            ledger_failures: AtomicU64::new(0),
            agent: Mutex::default(),
            written: Mutex::default(),
        })
    }

    pub(crate) fn inventory(&self) -> Inventory {
        let (cpu_millis, gpus) = SIZES[self.index];
        let gpu = |number: u8| Gpu {
            id: GpuId::parse(&format!("GPU-{}-{number}", self.index)).expect("a GPU's id"),
            model: "Model".to_owned(),
            memory_bytes: GIB,
        };
        Inventory {
            total: Resources::new(cpu_millis, 64 * GIB),
            foreign: Resources::new(0, GIB),
            gpus: (0..gpus).map(gpu).collect(),
            labels: [("blade".to_owned(), self.name.to_owned())].into(),
            address: self.name.to_owned(),
            ports: PORTS,
            foreign_ports: lock(&self.foreign_ports).clone(),
            runtimes: vec![RuntimeKind::Docker],
            engine_version: "sim".to_owned(),
            kernel_version: "sim".to_owned(),
            storage: storage(self.index),
            problems: vec![],
        }
    }

    // === what the driver does to it ===

    pub(crate) fn set_trouble(&self, per_thousand: u64) {
        self.trouble.store(per_thousand, Ordering::SeqCst);
    }

    pub(crate) fn fail_ledger(&self) {
        self.ledger_failures.fetch_add(1, Ordering::SeqCst);
    }

    /// Other processes take ports; nobody is told until the agent looks.
    pub(crate) fn hold_ports(&self) {
        let used: BTreeSet<u16> =
            self.running().iter().flat_map(|(_, spec)| &spec.ports).map(|port| port.host).collect();
        let first = u16::try_from(self.chance.between(0, 100)).unwrap_or(0);
        for port in (PORTS.start + first..=PORTS.end).filter(|port| !used.contains(port)).take(15) {
            lock(&self.foreign_ports).insert(port);
            self.machine.hold_port(port);
        }
    }

    pub(crate) fn is_foreign(&self, port: u16) -> bool {
        lock(&self.foreign_ports).contains(&port)
    }

    pub(crate) fn reboot(&self) {
        self.machine.reboot();
        self.booted_at.store(self.clock.now().0, Ordering::SeqCst);
        self.journal.rebooted();
    }

    pub(crate) fn end_trouble(&self) {
        self.set_trouble(0);
        self.ledger_failures.store(0, Ordering::SeqCst);
    }

    // === what the driver looks at ===

    pub(crate) fn booted_at(&self) -> Timestamp {
        Timestamp(self.booted_at.load(Ordering::SeqCst))
    }

    pub(crate) fn running(&self) -> Vec<(EngineContainer, EngineSpec)> {
        let orders = lock(&self.orders);
        let all = self.machine.containers();
        let running =
            all.into_iter().filter(|engine| matches!(engine.state, EngineState::Running { .. }));
        running
            .filter_map(|engine| orders.get(&engine.id).cloned().map(|spec| (engine, spec)))
            .collect()
    }

    pub(crate) fn has_agent(&self, agent: &Arc<Agent>) {
        *lock(&self.agent) = Arc::downgrade(agent);
    }

    /// What the agent says that it holds is on its disk.
    pub(crate) fn check_ledger(&self) {
        let Some(agent) = lock(&self.agent).upgrade() else { return };
        if agent.held() != held(&self.machine.ledger()) {
            // Written, and not yet taken up: the disk is ahead for a moment, never behind.
            if went_backwards(agent.held(), held(&self.machine.ledger())) {
                self.journal.violation("acknowledged before it was durable");
            }
        }
    }

    /// No GPU, no port and no core is used twice at this instant.
    pub(crate) fn check_running(&self) {
        let mut gpus = BTreeSet::new();
        let mut ports = BTreeSet::new();
        let mut ids = BTreeSet::new();
        let mut used = Resources::default();
        for (engine, spec) in self.running() {
            used = used.plus(spec.resources);
            if !ids.insert(engine.container) {
                self.journal.violation(format!("duplicate ({})", engine.container));
            }
            for gpu in spec.gpus {
                if !gpus.insert(gpu.clone()) {
                    self.journal.violation(format!("{} is used twice", gpu.as_str()));
                }
            }
            for port in spec.ports {
                if !ports.insert(port.host) {
                    self.journal.violation(format!("port {} is used twice", port.host));
                }
            }
        }
        let offered = self.inventory().offered();
        if used.cpu_millis > offered.cpu_millis || used.memory_bytes > offered.memory_bytes {
            self.journal.violation(format!("{} runs more than it has", self.name));
        }
    }

    pub(crate) fn wrote(&self, now: Option<(Epoch, u64)>) {
        let before = std::mem::replace(&mut *lock(&self.written), now);
        if went_backwards(before, now) {
            self.journal.violation(format!("the ledger of {} went backwards", self.name));
        }
    }

    pub(crate) fn engine(&self, id: &EngineId) -> Option<EngineContainer> {
        self.machine.containers().into_iter().find(|engine| &engine.id == id)
    }
}

pub(crate) fn held(content: &Content) -> Option<(Epoch, u64)> {
    content.set.as_ref().map(|set| (set.epoch, set.generation))
}

/// Two blades see one share; the third keeps homes by itself.
fn storage(index: usize) -> Storage {
    let store = |number: usize, scope| Store {
        id: StoreId::new(Uuid::from_u128(0x5707e + number as u128)),
        scope,
        enforcement: Enforcement::Metered,
    };
    let homes = match index {
        0 | 1 => Some(store(0, Scope::Shared)),
        _ => Some(store(index, Scope::Local)),
    };
    let mapping = if index == 0 { Mapping::Supported } else { Mapping::Unsupported };
    Storage { homes, volumes: None, mapping }
}
