//! What runs of what is wanted.

use berth_core::{clock::Timestamp, id::ContainerId, resources::GpuId};

use crate::{
    ledger::Ledger,
    reconciler::Reconciler,
    runtime::{EngineId, EngineState, Runtime},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtWork {
    pub container: ContainerId,
    pub engine: EngineId,
    pub started_at: Timestamp,
    pub gpus: Vec<GpuId>,
}

impl<R: Runtime, L: Ledger> Reconciler<R, L> {
    /// As the engine was last seen.
    pub fn at_work(&self) -> Vec<AtWork> {
        self.wanted().into_iter().filter_map(|id| self.one_at_work(id)).collect()
    }

    fn one_at_work(&self, container: ContainerId) -> Option<AtWork> {
        let desired = self.desired(container)?;
        let engines = self.engine_of(container);
        let engine = engines.into_iter().find(|found| found.incarnation == desired.incarnation)?;
        match engine.state {
            EngineState::Running { started_at } => {
                Some(AtWork { container, engine: engine.id, started_at, gpus: desired.spec.gpus })
            }
            EngineState::Created | EngineState::Exited { .. } | EngineState::Removing => None,
        }
    }
}
