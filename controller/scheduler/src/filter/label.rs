use std::collections::BTreeMap;

use berth_core::{explanation::Rejection, node::Node};

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
    missing(node.node, request.node_labels)
}

pub(super) fn missing(node: &Node, labels: &BTreeMap<String, String>) -> Option<Rejection> {
    labels
        .iter()
        .find(|(key, value)| node.inventory.labels.get(*key) != Some(value))
        .map(|(key, value)| Rejection::Label { key: key.clone(), value: value.clone() })
}
