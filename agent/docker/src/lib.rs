//! [`Runtime`](berth_reconcile::runtime::Runtime) on the Docker engine, with a network per user and the firewall's rules.
//!
//! bollard puts what it is given into paths on the engine's socket as it is: `id/kill?signal=KILL#` would kill. So nothing
//! but [`EngineId`](berth_reconcile::runtime::EngineId), [`names::NetworkId`], [`names::ImageId`] and names made of typed
//! ids ever gets there; a property test of [`names`] holds that. Everything else travels in bodies and queries, which are
//! encoded.

mod belongings;
mod cleanup;
mod container;
mod create;
mod engine;
mod events;
pub mod exec;
mod fault;
pub mod files;
mod firewall;
mod foreign;
mod image;
mod init;
pub mod logs;
pub mod names;
mod network;
mod options;
mod pull;
mod runtime;
mod subnet;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use berth_core::{
    fault::{Fault, FaultKind},
    id::{ClusterId, ContainerId, NodeId},
    node::PortRange,
};
use berth_reconcile::runtime::Error;
use berth_storage::Storage;

pub use self::{
    cleanup::{Removed, cleanup},
    foreign::Foreign,
    options::Options,
};
use self::{
    engine::Engine,
    firewall::Firewall,
    names::{Identity, ImageId},
};

/// The engine of this blade. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Docker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: Engine,
    identity: Identity,
    options: Options,
    firewall: Firewall,
    networks: network::Networks,
    cpu_times: foreign::CpuTimes,
    held: files::Held,
    keeper: belongings::Keeper,
    /// Digests of images, which never change for an id.
    digests: Mutex<HashMap<ImageId, String>>,
}

/// Connects, and puts the firewall's rules in place. When these cannot be, the connection is made all the same (what runs
/// must be seen and can be stopped), [`Docker::problems`] says so, and nothing is started.
pub async fn connect(
    options: Options,
    storage: Storage,
    cluster: ClusterId,
    node: NodeId,
) -> Result<Docker, Error> {
    let identity = Identity { cluster, node };
    let engine = Engine::connect(&options.socket).await?;
    let firewall = Firewall::start(identity.table_name(), &options).await;
    tracing::info!(engine.version = engine.version, "connected to the engine");
    Ok(Docker {
        inner: Arc::new(Inner {
            engine,
            identity,
            options,
            firewall,
            networks: network::Networks::default(),
            cpu_times: foreign::CpuTimes::default(),
            held: files::Held::default(),
            keeper: belongings::Keeper::new(storage),
            digests: Mutex::default(),
        }),
    })
}

impl Docker {
    pub fn engine_version(&self) -> &str {
        &self.inner.engine.version
    }

    /// Whether the engine was seen to have what GPUs need. Without it a start with GPUs fails with `NoGpuRuntime`.
    pub fn has_gpu_runtime(&self) -> bool {
        self.inner.engine.has_gpu_runtime
    }

    /// Where people's data is.
    pub fn storage(&self) -> &Storage {
        self.inner.keeper.storage()
    }

    /// What keeps this blade from taking containers, now.
    pub fn problems(&self) -> Vec<Fault> {
        let missing = |detail| Fault::new(FaultKind::FirewallMissing, detail);
        self.inner.firewall.problem().map(missing).into_iter().collect()
    }

    /// What containers take that nobody has ordered here: those that are not ours, and ours that are not in `wanted`. The
    /// first answer counts no CPU for those without a limit, since it takes two looks to see what they use.
    pub async fn foreign(
        &self,
        ports: PortRange,
        wanted: &BTreeSet<ContainerId>,
    ) -> Result<Foreign, Error> {
        let inner = &self.inner;
        foreign::foreign(&inner.engine, &inner.identity, ports, wanted, &inner.cpu_times).await
    }
}
