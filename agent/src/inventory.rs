//! Looks at the machine and its engine from time to time, and tells the session what there is to lend.

use std::{sync::Arc, time::Duration};

use berth_core::{
    container::RuntimeKind,
    fault::{Fault, FaultKind},
    node::Inventory,
    resources::MIB,
    storage::Storage,
};
use berth_docker::Docker;
use berth_inventory::{Engine, Nvml, Options, Surveyor};
use berth_reconcile::{ledger::Ledger, reconciler::Reconciler, runtime::Runtime};
use tokio::sync::watch;

/// What others use is rounded up to these, so that a browser tab on the blade is not news for the whole cluster.
const CPU_STEP: u32 = 100;
const MEMORY_STEP: u64 = 64 * MIB;
const STORAGE_PATIENCE: Duration = Duration::from_secs(5);

pub struct Inspector<R, L> {
    options: Options,
    docker: Docker,
    reconciler: Arc<Reconciler<R, L>>,
    /// Lent to the blocking thread that reads, and given back.
    surveyor: Option<Surveyor>,
}

impl<R: Runtime, L: Ledger> Inspector<R, L> {
    pub fn new(options: Options, docker: Docker, reconciler: Arc<Reconciler<R, L>>) -> Self {
        let surveyor = Some(Surveyor::new(options.clone(), Box::new(Nvml::default())));
        Self { options, docker, reconciler, surveyor }
    }

    pub async fn look(&mut self) -> Inventory {
        let mut problems = self.docker.problems();
        let (storage, missing) = storage(&self.docker).await;
        problems.extend(missing);
        let foreign = match self.docker.foreign(self.options.ports, &self.reconciler.wanted()).await
        {
            Ok(foreign) => foreign,
            Err(error) => {
                tracing::warn!(%error, "the engine could not be asked");
                problems.push(Fault::new(FaultKind::Engine, error.to_string()));
                Default::default()
            }
        };
        let engine = Engine {
            runtimes: vec![RuntimeKind::Docker],
            version: self.docker.engine_version().to_owned(),
            foreign: foreign.resources,
            foreign_ports: foreign.ports,
            our_ports: self.reconciler.ports(),
            storage,
            problems,
        };
        let mut surveyor = self
            .surveyor
            .take()
            .unwrap_or_else(|| Surveyor::new(self.options.clone(), Box::new(Nvml::default())));
        let looked = tokio::task::spawn_blocking(move || {
            let inventory = surveyor.survey(engine);
            (surveyor, inventory)
        })
        .await;
        match looked {
            Ok((surveyor, inventory)) => {
                self.surveyor = Some(surveyor);
                rounded(inventory)
            }
            Err(error) => {
                // The reader panicked; a new one looks the next time. Until then this blade offers nothing.
                tracing::error!(%error, "the machine could not be looked at");
                let problems =
                    vec![Fault::new(FaultKind::Engine, "the machine could not be looked at")];
                Inventory { problems, ..Inventory::default() }
            }
        }
    }

    /// Looks for ever. The firewall's state is news at once, the rest at every period.
    pub async fn watch(mut self, publish: watch::Sender<Inventory>, period: Duration) {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let seen = self.look().await;
            publish.send_if_modified(|known| {
                let changed = *known != seen;
                *known = seen;
                changed
            });
        }
    }
}

/// A share whose server has gone away answers never; the rest of the machine is looked at all the same.
async fn storage(docker: &Docker) -> (Storage, Vec<Fault>) {
    let storage = docker.storage().clone();
    let looked = tokio::task::spawn_blocking(move || storage.survey());
    match tokio::time::timeout(STORAGE_PATIENCE, looked).await {
        Ok(Ok(seen)) => seen,
        Ok(Err(_)) | Err(_) => {
            let why = "the directory of homes does not answer";
            (Storage::default(), vec![Fault::new(FaultKind::StorageMissing, why)])
        }
    }
}

fn rounded(mut inventory: Inventory) -> Inventory {
    let foreign = &mut inventory.foreign;
    foreign.cpu_millis = foreign.cpu_millis.div_ceil(CPU_STEP).saturating_mul(CPU_STEP);
    foreign.memory_bytes = foreign.memory_bytes.div_ceil(MEMORY_STEP).saturating_mul(MEMORY_STEP);
    inventory
}
