//! One objection a file. A filter says nothing, or why this blade will not do.

mod capacity;
mod gpu;
mod label;
mod port;
mod ready;

use berth_core::explanation::Rejection;

use crate::snapshot::{NodeSnapshot, PlacementRequest};

type Filter = fn(&NodeSnapshot<'_>, &PlacementRequest<'_>) -> Option<Rejection>;

/// In the order in which a person would want to read them.
const FILTERS: [Filter; 10] = [
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
