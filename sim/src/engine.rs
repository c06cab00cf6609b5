//! A blade's engine and disk, as its agent meets them: they take their time, and sometimes lose an answer.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use berth_core::{
    clock::{Clock as _, Timestamp},
    fault::FaultKind,
    id::UserId,
    image::ImageRef,
    observed::PullProgress,
};
use berth_reconcile::{
    ledger::{Content, Ledger},
    runtime::{CreateOrder, EngineContainer, EngineId, EngineState, Error, Event, Runtime},
};
use futures::stream::BoxStream;
use tokio::sync::watch;

use crate::{
    blade::{Blade, held},
    world::lock,
};

pub(crate) struct Engine(pub(crate) Arc<Blade>);

impl Engine {
    /// A call takes a while before its effect and after it; it may not get there, or have its effect and lose its answer.
    async fn call<T>(
        &self,
        longest: u64,
        effect: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let blade = &self.0;
        tokio::time::sleep(blade.chance.millis(1, longest)).await;
        let trouble = blade.trouble.load(Ordering::SeqCst);
        let fate = blade.chance.between(1, 1000);
        if fate <= trouble / 2 {
            return Err(Error::Unavailable("the call did not get there".to_owned()));
        }
        let result = effect.await;
        tokio::time::sleep(blade.chance.millis(1, longest)).await;
        if fate <= trouble {
            return Err(Error::Unavailable("the answer was lost".to_owned()));
        }
        result
    }
}

#[async_trait]
impl Ledger for Engine {
    async fn write(&self, content: &Content) -> io::Result<()> {
        let blade = &self.0;
        tokio::time::sleep(blade.chance.millis(1, 30)).await;
        let failures = &blade.ledger_failures;
        if failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
        {
            tracing::info!(blade = blade.name, "the ledger cannot be written");
            return Err(io::Error::other("no space"));
        }
        blade.machine.write(content).await?;
        blade.wrote(held(content));
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    }
}

#[async_trait]
impl Runtime for Engine {
    async fn up_since(&self) -> Result<Timestamp, Error> {
        self.0.machine.up_since().await
    }

    async fn list(&self) -> Result<Vec<EngineContainer>, Error> {
        self.call(40, self.0.machine.list()).await
    }

    async fn inspect(&self, id: &EngineId) -> Result<Option<EngineContainer>, Error> {
        self.call(5, self.0.machine.inspect(id)).await
    }

    async fn create(&self, order: &CreateOrder) -> Result<EngineId, Error> {
        self.call(60, async {
            let id = self.0.machine.create(order).await?;
            lock(&self.0.orders).insert(id.clone(), order.spec.clone());
            Ok(id)
        })
        .await
    }

    async fn start(&self, id: &EngineId) -> Result<(), Error> {
        let blade = &self.0;
        self.call(90, async {
            let before = blade.engine(id);
            let result = blade.machine.start(id).await;
            match (&result, before) {
                (Ok(()), Some(before)) if !matches!(before.state, EngineState::Running { .. }) => {
                    blade.journal.starting(&before);
                    blade.check_running();
                }
                (Err(Error::Fault { kind: FaultKind::PortInUse { port }, .. }), _)
                    if !lock(&blade.foreign_ports).contains(port) =>
                {
                    blade.journal.violation(format!("port {port} is used twice"));
                }
                _ => {}
            }
            result
        })
        .await
    }

    async fn stop(&self, id: &EngineId, grace: Duration) -> Result<(), Error> {
        let blade = &self.0;
        self.call(400, async {
            if let Some(engine) = blade.engine(id)
                && matches!(engine.state, EngineState::Running { .. })
            {
                blade.journal.stopping(&engine, blade.clock.now());
            }
            blade.machine.stop(id, grace).await
        })
        .await
    }

    async fn remove(&self, id: &EngineId) -> Result<(), Error> {
        let blade = &self.0;
        self.call(60, async {
            if let Some(engine) = blade.engine(id) {
                blade.journal.removing(&engine);
            }
            blade.machine.remove(id).await
        })
        .await
    }

    async fn pull(
        &self,
        image: &ImageRef,
        progress: &watch::Sender<Option<PullProgress>>,
    ) -> Result<(), Error> {
        self.call(2000, self.0.machine.pull(image, progress)).await
    }

    async fn networks(&self) -> Result<BTreeSet<UserId>, Error> {
        self.call(5, Runtime::networks(&self.0.machine)).await
    }

    async fn create_network(&self, user: UserId) -> Result<(), Error> {
        self.call(60, self.0.machine.create_network(user)).await
    }

    async fn remove_network(&self, user: UserId) -> Result<(), Error> {
        self.call(60, self.0.machine.remove_network(user)).await
    }

    fn events(&self) -> BoxStream<'static, Event> {
        self.0.machine.events()
    }
}
