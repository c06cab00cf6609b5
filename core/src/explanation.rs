//! Why a request was, or was not, placed: what every blade had to say.

use crate::{container::RuntimeKind, fault::FaultKind, id::NodeId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Every blade exactly once, in the order of their names.
    pub nodes: Vec<NodeVerdict>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeVerdict {
    pub node: NodeId,
    pub name: String,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All objections, not only the first.
    Rejected(Vec<Rejection>),
    /// 0 to 1000; the highest wins.
    Scored(u32),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    Cordoned,
    Unreachable,
    /// The controller has not heard of it since its own start.
    NotHeardOf,
    /// Its ledger is ahead of the database.
    RefusesOrders,
    /// A database was put back, and another blade that has not spoken since may have this container.
    AfterRestore,
    /// It has a problem of its own: no firewall, no engine.
    Faulty(Vec<FaultKind>),
    Cpu {
        free_millis: u32,
        asked_millis: u32,
    },
    Memory {
        free_bytes: u64,
        asked_bytes: u64,
    },
    Gpus {
        free: u32,
        total: u32,
        asked: u32,
    },
    /// The GPUs it had before are lent to somebody else now.
    OwnGpusLent,
    Ports {
        free: u32,
        asked: u32,
    },
    Label {
        key: String,
        value: String,
    },
    Runtime(RuntimeKind),
    /// A volume that was asked for is on another blade, or could not be on this one.
    VolumeElsewhere,
    /// Its volumes would belong to nobody: it runs as its image says, and this blade cannot map owners.
    CannotMap,
    /// What it wrote is on another blade.
    NotItsNode,
}
