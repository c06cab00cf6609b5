//! Looks at what containers use, every few seconds, and hands it to the session.
//!
//! # Guarantees
//! The engine is asked once for each start of a container, and never in between. Nothing waits for a look: the session
//! takes the latest, and what it does not take is gone.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use crate::space::Counted;
use berth_core::{
    clock::Timestamp,
    figures::{PERIOD, Report},
};
use berth_docker::Docker;
use berth_inventory::{GpuMeter, NvmlMeter};
use berth_metrics::{Machine, Sampler, Target};
use berth_reconcile::{
    at_work::AtWork,
    ledger::Ledger,
    reconciler::Reconciler,
    runtime::{EngineId, Runtime},
};
use futures::{StreamExt as _, stream};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

/// Questions to the engine at a time, when an agent meets a blade that is full already.
const AT_ONCE: usize = 4;
/// An answer takes a few milliseconds.
const ASKING: Duration = Duration::from_secs(2);

pub type Latest = watch::Receiver<Option<Arc<Report>>>;

pub struct Meter<R, L> {
    docker: Docker,
    reconciler: Arc<Reconciler<R, L>>,
    /// The first process of each start.
    inits: HashMap<(EngineId, Timestamp), u32>,
    space: Counted,
}

/// What a look needs, lent to the thread that may block.
struct Instruments {
    sampler: Sampler<Machine>,
    gpus: NvmlMeter,
    /// A driver that does not answer is told of once.
    is_silent: bool,
}

impl<R: Runtime, L: Ledger> Meter<R, L> {
    pub fn new(docker: Docker, reconciler: Arc<Reconciler<R, L>>, space: Counted) -> Self {
        Self { docker, reconciler, inits: HashMap::new(), space }
    }

    /// For ever.
    pub async fn run(mut self, publish: watch::Sender<Option<Arc<Report>>>) {
        let root = self.docker.data_root().await.ok().flatten();
        let mut instruments = Some(Instruments::new(root.clone()));
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let targets = self.targets().await;
            let mut lent = instruments.take().unwrap_or_else(|| Instruments::new(root.clone()));
            let now = Instant::now().into_std();
            let looked = tokio::task::spawn_blocking(move || {
                let report = lent.look(now, &targets);
                (lent, report)
            })
            .await;
            match looked {
                Ok((back, report)) => {
                    instruments = Some(back);
                    if let Some(mut report) = report {
                        report.space = self.space.all();
                        publish.send_replace(Some(Arc::new(report)));
                    }
                }
                // It panicked; new instruments look the next time.
                Err(error) => tracing::error!(%error, "what is used could not be looked at"),
            }
        }
    }

    async fn targets(&mut self) -> Vec<Target> {
        let at_work = self.reconciler.at_work();
        let is_new = |one: &&AtWork| !self.inits.contains_key(&key(one));
        let asking = stream::iter(at_work.iter().filter(is_new).map(key))
            .map(|key| {
                let docker = self.docker.clone();
                async move { (docker.init_process(&key.0).await, key) }
            })
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>();
        // What is known already goes on, whatever the engine does; the rest is asked for again.
        let asked = timeout(ASKING, asking).await.unwrap_or_default();
        let mut known = std::mem::take(&mut self.inits);
        for (answer, key) in asked {
            match answer {
                Ok(Some(init)) => drop(known.insert(key, init)),
                // It has ended; the reconciler will hear of it.
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "a container's process is not known"),
            }
        }
        let mut targets = Vec::with_capacity(at_work.len());
        for one in at_work {
            let Some(init) = known.remove(&key(&one)) else { continue };
            self.inits.insert(key(&one), init);
            targets.push(Target {
                container: one.container,
                engine: one.engine.as_str().to_owned(),
                init,
                gpus: one.gpus,
            });
        }
        targets
    }
}

fn key(one: &AtWork) -> (EngineId, Timestamp) {
    (one.engine.clone(), one.started_at)
}

impl Instruments {
    fn new(root: Option<PathBuf>) -> Self {
        Self {
            sampler: Sampler::new(Machine, root.unwrap_or_else(|| "/".into())),
            gpus: NvmlMeter::default(),
            is_silent: false,
        }
    }

    fn look(&mut self, now: std::time::Instant, targets: &[Target]) -> Option<Report> {
        let gpus = match self.gpus.figures() {
            Ok(gpus) => {
                self.is_silent = false;
                gpus
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_silent, true) {
                    tracing::warn!(%error, "GPUs are not measured");
                }
                BTreeMap::new()
            }
        };
        self.sampler.look(now, targets, &gpus)
    }
}
