//! Blades.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    container::RuntimeKind,
    fault::Fault,
    id::{Epoch, NodeId},
    resources::{GpuId, Resources},
    storage::Storage,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub id: NodeId,
    pub name: String,
    pub joined_at: Timestamp,
    /// Of the certificate that was issued last; shown, and warned of when it comes near.
    pub certificate_expires_at: Timestamp,

    // Written by people.
    pub availability: Availability,

    // Written with every change of what it should run, in the same commit.
    pub desired_generation: u64,

    // Written by its reports.
    pub inventory: Inventory,
    pub agent_version: String,
    pub reconciled_generation: u64,
    pub orphans: u32,
    /// The epoch in which its agent last said what it holds. Of an older one: there may be more on it than we know.
    pub spoke_in: Option<Epoch>,
    /// Host ports that a foreign process was found on; not offered again until the agent no longer reports them.
    pub excluded_ports: BTreeSet<u16>,

    /// Never stored: after a controller's restart nothing is known.
    #[serde(skip)]
    pub liveness: Liveness,
    #[serde(skip)]
    pub liveness_since: Timestamp,
    /// What the controller has against it.
    #[serde(skip)]
    pub troubles: BTreeSet<Trouble>,
}

/// What keeps a controller and a blade from working together. The controller's finding: no agent reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// Its ledger is ahead of the database, which somebody has put back without a new epoch. It gets no order until then.
    LedgerAhead,
    /// Two agents take turns with one identity: a blade's disk was cloned. Cordoned; an administrator ends it.
    TwoAgents,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    Active,
    Cordoned,
}

/// `Unreachable` stops new placements and nothing else: disconnected is not dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Liveness {
    #[default]
    Unknown,
    Ready,
    Unreachable,
}

/// What a blade is and has, in its agent's words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Inventory {
    pub total: Resources,
    /// Kept back for the machine, or used on it by containers and guests that are not ours.
    pub foreign: Resources,
    pub gpus: Vec<Gpu>,
    pub labels: BTreeMap<String, String>,
    /// Where endpoints are reached.
    pub address: String,
    pub ports: PortRange,
    pub foreign_ports: BTreeSet<u16>,
    pub runtimes: Vec<RuntimeKind>,
    pub engine_version: String,
    pub kernel_version: String,
    #[serde(default)]
    pub storage: Storage,
    /// What keeps it from taking containers.
    pub problems: Vec<Fault>,
}

impl Inventory {
    /// What may be lent.
    pub fn offered(&self) -> Resources {
        self.total.less(self.foreign)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    pub id: GpuId,
    pub model: String,
    pub memory_bytes: u64,
}

/// Host ports for guest ports: `start..=end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    pub start: u16,
    pub end: u16,
}

impl Default for PortRange {
    /// Below 32768, where Linux begins to hand out ephemeral ports.
    fn default() -> Self {
        Self { start: 20_000, end: 29_999 }
    }
}
