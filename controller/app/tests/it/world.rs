//! A controller without its listeners, and blades that say what they are told to say.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use berth_app::{
    authz::Actor,
    containers::{self, Rules, Selector},
    error::Error,
    nodes::{self, Enrolment},
    numbers,
    observe::{self, Report},
    ports::Store as _,
    state::State,
    transaction::Transaction,
    writer::{self, Handle},
};
use berth_core::{
    account::{AccountName, Role, User},
    clock::{Clock, Timestamp},
    container::{Container, ContainerName, ContainerSpec, RuntimeKind},
    create::NewContainer,
    id::{ClusterId, ContainerId, Epoch, NodeId, SessionId, UserId},
    image::ImageRef,
    node::{Gpu, Inventory, Node, PortRange},
    observed::{Observed, ObservedPhase},
    resources::{GpuId, Resources},
    storage::RunAs,
};
use berth_store::MemoryStore;
use uuid::Uuid;

pub(crate) const GIB: u64 = 1 << 30;
pub(crate) const RULES: Rules = Rules {
    containers_per_person: 5,
    volumes_per_person: 3,
    space: berth_core::space::SpaceLimits { home: None, volume: None, layer: None },
    grace: Duration::from_secs(3600),
};

#[derive(Default)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct World {
    pub(crate) handle: Handle,
    pub(crate) store: MemoryStore,
    pub(crate) clock: Arc<TestClock>,
    next: AtomicU64,
}

impl World {
    pub(crate) async fn new() -> Self {
        let store = MemoryStore::default();
        let clock = Arc::new(TestClock::default());
        let (cluster, epoch) = (ClusterId::new(Uuid::from_u128(1)), Epoch::new(Uuid::from_u128(2)));
        let records = store.load(cluster, epoch).await.unwrap();
        let (handle, writer) = writer::new(
            State::restore(records),
            Arc::new(store.clone()),
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        tokio::spawn(writer.run());
        Self { handle, store, clock, next: AtomicU64::new(1) }
    }

    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) async fn apply<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Transaction) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.handle.apply(command).await
    }

    pub(crate) async fn person(&self, account: &str, role: Role) -> Actor {
        let user = self.user(account, role);
        self.put(user.clone()).await.unwrap();
        Actor { user: Arc::new(user), session: SessionId::new(Uuid::nil()) }
    }

    pub(crate) async fn person_or_error(&self, account: &str) -> Result<(), Error> {
        self.put(self.user(account, Role::Student)).await
    }

    fn user(&self, account: &str, role: Role) -> User {
        User {
            id: UserId::new(Uuid::from_u128(0x1000 + u128::from(self.number()))),
            account: AccountName::parse(account).unwrap(),
            display_name: account.to_owned(),
            role,
            posix: numbers::first_choice(&AccountName::parse(account).unwrap()),
            suspended: false,
            created_at: self.clock.now(),
        }
    }

    async fn put(&self, user: User) -> Result<(), Error> {
        self.apply(move |transaction| {
            transaction.put_user(user);
            Ok(())
        })
        .await
    }

    /// A blade with this room that has joined, and says that it is there.
    pub(crate) async fn blade(&self, cores: u32, gib: u64, gpus: u8) -> NodeId {
        let number = self.number();
        let id = NodeId::new(Uuid::from_u128(0x2000 + u128::from(number)));
        let inventory = inventory(number, cores, gib, gpus);
        self.apply(move |transaction| {
            let token = [u8::try_from(number).unwrap(); 32];
            nodes::add_join_token(transaction, token, Duration::from_secs(60));
            let enrolment = Enrolment {
                token_sha256: token,
                public_key_sha256: token,
                node_name: format!("blade-{number}"),
                id,
            };
            nodes::enrol(transaction, &enrolment).unwrap();
            observe::connected(transaction, id, "test", inventory);
            Ok(())
        })
        .await
        .unwrap();
        id
    }

    pub(crate) async fn create(
        &self,
        actor: &Actor,
        name: &str,
        cores: u32,
    ) -> Result<ContainerId, Error> {
        self.create_with(actor, new_container(name, cores, 0, &[])).await
    }

    pub(crate) async fn create_with(
        &self,
        actor: &Actor,
        new: NewContainer,
    ) -> Result<ContainerId, Error> {
        let id = ContainerId::new(Uuid::from_u128(0x3000 + u128::from(self.number())));
        let actor = actor.clone();
        self.apply(move |transaction| containers::create(transaction, &actor, id, new, &RULES))
            .await
    }

    /// The blade says of a container what the engine would have done.
    pub(crate) async fn says(&self, node: NodeId, id: ContainerId, observed: Observed) {
        self.apply(move |transaction| {
            // It holds everything that it was told.
            let held =
                transaction.state().nodes.get(&node).map_or(0, |node| node.desired_generation);
            let containers = vec![(id, observed)];
            let report =
                Report { full: false, held, reconciled_generation: 0, containers, orphans: None };
            observe::report(transaction, node, report);
            Ok(())
        })
        .await
        .unwrap();
    }

    /// The blade says `phase` of the incarnation and order that are wanted now.
    pub(crate) async fn says_phase(&self, id: ContainerId, phase: ObservedPhase) {
        let container = self.container(id);
        let mut observed = Observed::new(container.incarnation, phase);
        observed.restart_nonce = container.restart_nonce;
        observed.started_at = Some(self.clock.now());
        observed.finished_at = Some(self.clock.now());
        let node = container.placement.as_ref().unwrap().node;
        self.says(node, id, observed).await;
    }

    pub(crate) fn container(&self, id: ContainerId) -> Arc<Container> {
        Arc::clone(self.handle.committed().state.containers.get(&id).expect("it exists"))
    }

    pub(crate) fn node(&self, id: NodeId) -> Arc<Node> {
        Arc::clone(self.handle.committed().state.nodes.get(&id).expect("it exists"))
    }

    /// What must hold after every commit.
    pub(crate) fn check(&self) {
        let committed = self.handle.committed();
        let state = &committed.state;
        assert!(state.gpus_lent_twice().is_empty());
        for node in state.nodes.values() {
            let usage = state.usage(node.id);
            assert_eq!(usage, state.usage_recounted(node.id));
            let offered = node.inventory.offered();
            assert!(usage.resources.cpu_millis <= offered.cpu_millis, "CPU is over-committed");
            assert!(
                usage.resources.memory_bytes <= offered.memory_bytes,
                "memory is over-committed"
            );
        }
    }
}

fn inventory(number: u64, cores: u32, gib: u64, gpus: u8) -> Inventory {
    let gpus = (0..gpus).map(|gpu| Gpu {
        id: GpuId::parse(&format!("GPU-{number}-{gpu}")).unwrap(),
        model: "H200".into(),
        memory_bytes: GIB,
    });
    Inventory {
        total: Resources::new(cores * 1000, gib * GIB),
        gpus: gpus.collect(),
        ports: PortRange { start: 20_000, end: 20_099 },
        runtimes: vec![RuntimeKind::Docker],
        address: "blade.test".into(),
        ..Inventory::default()
    }
}

pub(crate) fn new_container(
    name: &str,
    cores: u32,
    gpus: u32,
    guest_ports: &[u16],
) -> NewContainer {
    NewContainer {
        name: ContainerName::parse(name).unwrap(),
        spec: ContainerSpec {
            image: ImageRef::parse("busybox").unwrap(),
            command: vec![],
            environment: BTreeMap::new(),
            guest_ports: guest_ports.to_vec(),
            gpus,
            resources: Resources::new(cores * 1000, GIB),
            tty: false,
            stdin: false,
            node_labels: BTreeMap::new(),
            runtime: RuntimeKind::Docker,
            unpublished: Vec::new(),
            run_as: RunAs::Account,
            holder: None,
            secrets: Default::default(),
            lease: None,
            volumes: Vec::new(),
        },
        lease: Duration::from_secs(600),
        request_id: None,
        volumes: Vec::new(),
    }
}

pub(crate) fn named(name: &str) -> Selector {
    Selector { owner: String::new(), name: name.to_owned() }
}
