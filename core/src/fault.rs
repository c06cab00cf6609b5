//! Why a blade could not do what it was told.

use serde::{Deserialize, Serialize};

/// The kind decides what is shown and whether trying again can help; `detail` is the engine's own words, for
/// administrators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub kind: FaultKind,
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    ImageNotFound,
    RegistryUnreachable,
    PortInUse {
        port: u16,
    },
    CommandNotFound,
    NoGpuRuntime,
    FirewallMissing,
    NoSpace,
    Unsupported,
    Network,
    Engine,
    /// The directory of homes is not what it was: often a share that is not mounted.
    StorageMissing,
    /// The account's home belongs to somebody else.
    HomeOwner,
    /// The engine name is taken by a container that is not ours.
    ForeignContainer,
}

impl FaultKind {
    /// Whether the agent goes on trying by itself, with growing pauses. What a person must change first is not tried
    /// again; what another process or network may change is.
    pub fn is_retryable(self) -> bool {
        match self {
            FaultKind::RegistryUnreachable
            | FaultKind::PortInUse { .. }
            | FaultKind::FirewallMissing
            | FaultKind::NoSpace
            | FaultKind::StorageMissing
            | FaultKind::Network
            | FaultKind::Engine => true,
            FaultKind::ImageNotFound
            | FaultKind::CommandNotFound
            | FaultKind::NoGpuRuntime
            | FaultKind::Unsupported
            | FaultKind::HomeOwner
            | FaultKind::ForeignContainer => false,
        }
    }
}

impl Fault {
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}
