//! One objection a file. A filter says nothing, or why this blade will not do.

mod capacity;
mod gpu;
mod label;
mod port;
mod ready;
mod volume;

use std::collections::BTreeMap;

use berth_core::{explanation::Rejection, node::Node};

use crate::snapshot::{NodeSnapshot, PlacementRequest};

type Filter = fn(&NodeSnapshot<'_>, &PlacementRequest<'_>) -> Option<Rejection>;

/// In the order in which a person would want to read them.
const FILTERS: [Filter; 12] = [
    ready::its_own_node,
    ready::availability,
    ready::liveness,
    ready::trouble,
    ready::health,
    label::runtime,
    label::labels,
    capacity::cpu,
    capacity::memory,
    gpu::gpus,
    volume::place,
    volume::mapping,
];

/// Every objection of every filter.
pub(crate) fn rejections(
    node: &NodeSnapshot<'_>,
    request: &PlacementRequest<'_>,
) -> Vec<Rejection> {
    FILTERS
        .iter()
        .filter_map(|filter| filter(node, request))
        .chain(port::ports(node, request))
        .collect()
}

/// Of its own blade, what no amount of room would help against.
pub(crate) fn of_its_own(
    node: &NodeSnapshot<'_>,
    request: &PlacementRequest<'_>,
) -> Vec<Rejection> {
    let filters: [Filter; 4] = [label::runtime, label::labels, volume::place, volume::mapping];
    filters.iter().filter_map(|filter| filter(node, request)).collect()
}

/// A label that the blade does not carry.
pub fn missing_label(node: &Node, labels: &BTreeMap<String, String>) -> Option<Rejection> {
    label::missing(node, labels)
}
