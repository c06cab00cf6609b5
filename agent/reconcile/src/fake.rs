//! An engine in memory that behaves as Docker does where it matters: names are unique, a stopped container stays, a call may
//! have its effect and lose its answer. It outlives the agents that use it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use berth_core::{
    clock::{Clock, Timestamp},
    fault::FaultKind,
    id::{ContainerId, UserId},
    image::ImageRef,
    observed::PullProgress,
};
use futures::{StreamExt as _, stream::BoxStream};
use tokio::sync::{broadcast, watch};

use crate::{
    ledger::{Content, Ledger},
    runtime::{CreateOrder, EngineContainer, EngineId, EngineState, Error, Event, Runtime},
};

type Hook = Arc<dyn Fn() + Send + Sync>;

/// The machine: what survives an agent.
#[derive(Clone)]
pub struct Machine {
    inner: Arc<Mutex<Inner>>,
    clock: Arc<dyn Clock>,
    events: broadcast::Sender<EngineId>,
}

struct Inner {
    containers: BTreeMap<EngineId, EngineContainer>,
    ports: BTreeMap<EngineId, Vec<u16>>,
    networks: BTreeSet<UserId>,
    images: BTreeSet<ImageRef>,
    /// Held by processes that are not ours.
    foreign_ports: BTreeSet<u16>,
    ledger: Content,
    made: u64,
    starts: BTreeMap<ContainerId, u64>,
    removed: Vec<ContainerId>,
    calls: u64,
    crash_at: Option<u64>,
    crashed: watch::Sender<bool>,
    hook: Option<Hook>,
    up_since: Timestamp,
}

impl Machine {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let inner = Inner {
            containers: BTreeMap::new(),
            ports: BTreeMap::new(),
            networks: BTreeSet::new(),
            images: BTreeSet::new(),
            foreign_ports: BTreeSet::new(),
            ledger: Content::default(),
            made: 0,
            starts: BTreeMap::new(),
            removed: Vec::new(),
            calls: 0,
            crash_at: None,
            crashed: watch::Sender::new(false),
            hook: None,
            up_since: Timestamp::default(),
        };
        Self { inner: Arc::new(Mutex::new(inner)), clock, events: broadcast::Sender::new(1024) }
    }

    // === what a test does to the machine ===

    /// The agent dies at the `point`th point from now on: two points a call, before its effect and after it.
    pub fn crash_at(&self, point: Option<u64>) {
        let mut inner = self.lock();
        inner.calls = 0;
        inner.crash_at = point;
        inner.crashed.send_replace(false);
    }

    /// Points passed since `crash_at`.
    pub fn points(&self) -> u64 {
        self.lock().calls
    }

    /// Resolves when the agent has died.
    pub fn crashed(&self) -> impl Future<Output = ()> + use<> {
        let mut receiver = self.lock().crashed.subscribe();
        async move {
            // The sender lives as long as the machine.
            drop(receiver.wait_for(|crashed| *crashed).await);
        }
    }

    /// Called at every point.
    pub fn on_point(&self, hook: Option<Hook>) {
        self.lock().hook = hook;
    }

    pub fn add_image(&self, image: ImageRef) {
        self.lock().images.insert(image);
    }

    pub fn hold_port(&self, port: u16) {
        self.lock().foreign_ports.insert(port);
    }

    /// The program inside ends by itself.
    pub fn exit(&self, container: ContainerId, exit_code: i32) {
        let finished_at = self.clock.now();
        let mut inner = self.lock();
        for engine in inner.containers.values_mut().filter(|engine| engine.container == container) {
            if let EngineState::Running { started_at } = engine.state {
                engine.state = EngineState::Exited {
                    started_at,
                    finished_at,
                    exit_code,
                    out_of_memory: false,
                };
                // Nobody listens when the agent is dead.
                drop(self.events.send(engine.id.clone()));
            }
        }
    }

    /// The machine goes down and comes up: everything that ran is ended.
    pub fn reboot(&self) {
        let now = self.clock.now();
        let mut inner = self.lock();
        for engine in inner.containers.values_mut() {
            if let EngineState::Running { started_at } = engine.state {
                engine.state = EngineState::Exited {
                    started_at,
                    finished_at: now,
                    exit_code: 137,
                    out_of_memory: false,
                };
            }
        }
        inner.up_since = now;
    }

    pub fn ledger(&self) -> Content {
        self.lock().ledger.clone()
    }

    pub fn containers(&self) -> Vec<EngineContainer> {
        self.lock().containers.values().cloned().collect()
    }

    pub fn networks(&self) -> BTreeSet<UserId> {
        self.lock().networks.clone()
    }

    /// How often this container was started.
    pub fn starts(&self, container: ContainerId) -> u64 {
        self.lock().starts.get(&container).copied().unwrap_or(0)
    }

    pub fn removed(&self) -> Vec<ContainerId> {
        self.lock().removed.clone()
    }

    // === points ===

    async fn point(&self) {
        let (hook, dead) = {
            let mut inner = self.lock();
            inner.calls += 1;
            let dead = inner.crash_at == Some(inner.calls);
            if dead {
                inner.crashed.send_replace(true);
            }
            (inner.hook.clone(), dead || *inner.crashed.borrow())
        };
        if dead {
            // The one who called is dead; the test drops it.
            std::future::pending::<()>().await;
        }
        if let Some(hook) = hook {
            hook();
        }
    }

    /// A call: a point before its effect, and one after it, when the answer is on its way.
    async fn call<T>(
        &self,
        effect: impl FnOnce(&mut Inner) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.point().await;
        let result = effect(&mut self.lock());
        self.point().await;
        result
    }

    fn changed(&self, id: &EngineId) {
        drop(self.events.send(id.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Ledger for Machine {
    async fn write(&self, content: &Content) -> io::Result<()> {
        let content = content.clone();
        self.call(|inner| {
            inner.ledger = content;
            Ok(())
        })
        .await
        .map_err(io::Error::other)
    }
}

#[async_trait]
impl Runtime for Machine {
    async fn up_since(&self) -> Result<Timestamp, Error> {
        Ok(self.lock().up_since)
    }

    async fn list(&self) -> Result<Vec<EngineContainer>, Error> {
        self.call(|inner| Ok(inner.containers.values().cloned().collect())).await
    }

    async fn inspect(&self, id: &EngineId) -> Result<Option<EngineContainer>, Error> {
        self.call(|inner| Ok(inner.containers.get(id).cloned())).await
    }

    async fn create(&self, order: &CreateOrder) -> Result<EngineId, Error> {
        self.call(|inner| inner.create(order)).await
    }

    async fn start(&self, id: &EngineId) -> Result<(), Error> {
        let now = self.clock.now();
        self.call(|inner| inner.start(id, now)).await?;
        self.changed(id);
        Ok(())
    }

    async fn stop(&self, id: &EngineId, _: Duration) -> Result<(), Error> {
        let finished_at = self.clock.now();
        self.call(|inner| {
            let engine = inner.containers.get_mut(id).ok_or(Error::NoSuchContainer)?;
            if let EngineState::Running { started_at } = engine.state {
                engine.state = EngineState::Exited {
                    started_at,
                    finished_at,
                    exit_code: 143,
                    out_of_memory: false,
                };
            }
            Ok(())
        })
        .await?;
        self.changed(id);
        Ok(())
    }

    async fn remove(&self, id: &EngineId) -> Result<(), Error> {
        self.call(|inner| {
            if let Some(gone) = inner.containers.remove(id) {
                inner.ports.remove(id);
                inner.removed.push(gone.container);
            }
            Ok(())
        })
        .await
    }

    async fn pull(
        &self,
        image: &ImageRef,
        progress: &watch::Sender<Option<PullProgress>>,
    ) -> Result<(), Error> {
        progress.send_replace(Some(PullProgress { done_bytes: 1, total_bytes: 2 }));
        self.call(|inner| {
            inner.images.insert(image.clone());
            Ok(())
        })
        .await
    }

    async fn networks(&self) -> Result<BTreeSet<UserId>, Error> {
        self.call(|inner| Ok(inner.networks.clone())).await
    }

    async fn create_network(&self, user: UserId) -> Result<(), Error> {
        self.call(|inner| {
            inner.networks.insert(user);
            Ok(())
        })
        .await
    }

    async fn remove_network(&self, user: UserId) -> Result<(), Error> {
        self.call(|inner| {
            let used = inner.containers.values().any(|container| container.user == user);
            if used {
                return Err(Error::fault(FaultKind::Network, "the network has containers"));
            }
            inner.networks.remove(&user);
            Ok(())
        })
        .await
    }

    fn events(&self) -> BoxStream<'static, Event> {
        let receiver = self.events.subscribe();
        futures::stream::unfold(receiver, |mut receiver| async move {
            match receiver.recv().await {
                Ok(id) => Some((Event::Changed(id), receiver)),
                Err(broadcast::error::RecvError::Lagged(_)) => Some((Event::Resync, receiver)),
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        })
        .boxed()
    }
}

impl Inner {
    fn create(&mut self, order: &CreateOrder) -> Result<EngineId, Error> {
        let digest = order.spec.digest();
        let same_name = self.containers.values().find(|engine| {
            engine.container == order.container && engine.incarnation == order.incarnation
        });
        if let Some(there) = same_name {
            return if there.spec_digest == digest {
                Ok(there.id.clone())
            } else {
                Err(Error::fault(FaultKind::ForeignContainer, "the name is taken"))
            };
        }
        if !self.images.contains(&order.spec.image) {
            return Err(Error::ImageMissing);
        }
        if !self.networks.contains(&order.spec.user) {
            return Err(Error::NetworkMissing);
        }
        self.made += 1;
        let id = EngineId::parse(&format!("{:064x}", self.made)).ok_or(Error::NoSuchContainer)?;
        self.ports.insert(id.clone(), order.spec.ports.iter().map(|port| port.host).collect());
        self.containers.insert(
            id.clone(),
            EngineContainer {
                id: id.clone(),
                container: order.container,
                incarnation: order.incarnation,
                user: order.spec.user,
                spec_digest: digest,
                created_nonce: order.restart_nonce,
                state: EngineState::Created,
                image_digest: Some("sha256:fake".to_owned()),
            },
        );
        Ok(id)
    }

    fn start(&mut self, id: &EngineId, now: Timestamp) -> Result<(), Error> {
        let wanted = self.ports.get(id).cloned().unwrap_or_default();
        let taken = |port: &u16| {
            self.foreign_ports.contains(port)
                || self.containers.values().any(|other| {
                    &other.id != id
                        && matches!(other.state, EngineState::Running { .. })
                        && self.ports.get(&other.id).is_some_and(|ports| ports.contains(port))
                })
        };
        if let Some(port) = wanted.into_iter().find(taken) {
            return Err(Error::fault(FaultKind::PortInUse { port }, "port is already allocated"));
        }
        let engine = self.containers.get_mut(id).ok_or(Error::NoSuchContainer)?;
        if !matches!(engine.state, EngineState::Running { .. }) {
            engine.state = EngineState::Running { started_at: now };
            *self.starts.entry(engine.container).or_default() += 1;
        }
        Ok(())
    }
}
