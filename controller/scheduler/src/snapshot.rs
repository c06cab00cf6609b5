//! What the scheduler looks at.

use std::collections::{BTreeMap, BTreeSet};

use berth_core::{
    container::{Placement, RuntimeKind},
    id::{ContainerId, StoreId},
    node::Node,
    resources::{GpuId, Resources},
    storage::RunAs,
};

/// What is set aside on a blade.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    pub resources: Resources,
    pub gpus: BTreeSet<GpuId>,
    /// Host ports; also those of stopped containers, which come back to them.
    pub ports: BTreeSet<u16>,
}

#[derive(Debug, Clone)]
pub struct NodeSnapshot<'a> {
    pub node: &'a Node,
    pub used: &'a Usage,
}

/// Every blade once.
#[derive(Debug, Clone, Default)]
pub struct ClusterSnapshot<'a> {
    pub nodes: Vec<NodeSnapshot<'a>>,
}

/// What a blade must have for one volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeNeed {
    /// The store that it is in.
    Store(StoreId),
    /// It is nowhere yet: any blade that keeps volumes of its own.
    AnyLocal,
}

#[derive(Debug, Clone)]
pub struct PlacementRequest<'a> {
    pub container: ContainerId,
    pub resources: Resources,
    pub gpus: u32,
    pub guest_ports: &'a [u16],
    pub node_labels: &'a BTreeMap<String, String>,
    pub runtime: RuntimeKind,
    pub run_as: RunAs,
    pub volumes: Vec<VolumeNeed>,
    /// It was placed before: only that blade, those GPUs and those ports will do, because what it wrote is there.
    pub previous: Option<&'a Placement>,
}

impl NodeSnapshot<'_> {
    pub(crate) fn free(&self) -> Resources {
        self.node.inventory.offered().less(self.used.resources)
    }

    pub(crate) fn free_gpus(&self) -> impl Iterator<Item = &GpuId> {
        self.node
            .inventory
            .gpus
            .iter()
            .map(|gpu| &gpu.id)
            .filter(|gpu| !self.used.gpus.contains(gpu))
    }

    pub(crate) fn free_ports(&self) -> impl Iterator<Item = u16> {
        let inventory = &self.node.inventory;
        (inventory.ports.start..=inventory.ports.end).filter(|port| {
            !self.used.ports.contains(port)
                && !inventory.foreign_ports.contains(port)
                && !self.node.excluded_ports.contains(port)
        })
    }
}
