use berth_core::explanation::Rejection;

use crate::snapshot::{NodeSnapshot, PlacementRequest};

pub(super) fn runtime(
    node: &NodeSnapshot<'_>,
    request: &PlacementRequest<'_>,
) -> Option<Rejection> {
    (!node.node.inventory.runtimes.contains(&request.runtime))
        .then_some(Rejection::Runtime(request.runtime))
}

/// The first label that is missing; a second one would be found as soon as the first is right.
pub(super) fn labels(node: &NodeSnapshot<'_>, request: &PlacementRequest<'_>) -> Option<Rejection> {
    request
        .node_labels
        .iter()
        .find(|(key, value)| node.node.inventory.labels.get(*key) != Some(value))
        .map(|(key, value)| Rejection::Label { key: key.clone(), value: value.clone() })
}
