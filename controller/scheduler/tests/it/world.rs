//! Builders.

use std::collections::{BTreeMap, BTreeSet};

use berth_core::{
    clock::Timestamp,
    container::RuntimeKind,
    id::{ContainerId, NodeId},
    node::{Availability, Gpu, Inventory, Liveness, Node, PortRange},
    resources::{GpuId, Resources},
    storage::RunAs,
};
use berth_scheduler::{ClusterSnapshot, NodeSnapshot, PlacementRequest, Usage};
use uuid::Uuid;

pub(crate) const GIB: u64 = 1 << 30;

/// 8 cores, 32 GiB, no GPU, 10 ports, ready.
pub(crate) fn a_node(number: u8) -> Node {
    Node {
        id: NodeId::new(Uuid::from_u128(u128::from(number) + 1)),
        name: format!("blade-{number}"),
        joined_at: Timestamp(0),
        certificate_expires_at: Timestamp(0),
        availability: Availability::Active,
        desired_generation: 1,
        inventory: Inventory {
            total: Resources::new(8000, 32 * GIB),
            ports: PortRange { start: 20_000, end: 20_009 },
            runtimes: vec![RuntimeKind::Docker],
            ..Inventory::default()
        },
        agent_version: String::new(),
        reconciled_generation: 0,
        orphans: 0,
        spoke_in: None,
        excluded_ports: BTreeSet::new(),
        liveness: Liveness::Ready,
        liveness_since: Timestamp(0),
        troubles: Default::default(),
    }
}

pub(crate) fn with_gpus(mut node: Node, count: u8) -> Node {
    node.inventory.gpus = (0..count)
        .map(|gpu| Gpu {
            id: GpuId::parse(&format!("GPU-{}-{gpu}", node.name)).unwrap(),
            model: "H200".into(),
            memory_bytes: 139 * GIB,
        })
        .collect();
    node
}

/// Owns what a request borrows.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) container: ContainerId,
    pub(crate) resources: Resources,
    pub(crate) gpus: u32,
    pub(crate) guest_ports: Vec<u16>,
    pub(crate) node_labels: BTreeMap<String, String>,
}

impl Request {
    pub(crate) fn new(number: u32, cpu_millis: u32, gib: u64) -> Self {
        Self {
            container: ContainerId::new(Uuid::from_u128(0xc000_0000 + u128::from(number))),
            resources: Resources::new(cpu_millis, gib * GIB),
            gpus: 0,
            guest_ports: vec![],
            node_labels: BTreeMap::new(),
        }
    }

    pub(crate) fn borrow(&self) -> PlacementRequest<'_> {
        PlacementRequest {
            container: self.container,
            resources: self.resources,
            gpus: self.gpus,
            guest_ports: &self.guest_ports,
            node_labels: &self.node_labels,
            runtime: RuntimeKind::Docker,
            run_as: RunAs::Account,
            volumes: vec![],
            previous: None,
        }
    }
}

pub(crate) fn cluster(nodes: &[(Node, Usage)]) -> ClusterSnapshot<'_> {
    ClusterSnapshot {
        nodes: nodes.iter().map(|(node, used)| NodeSnapshot { node, used }).collect(),
    }
}
