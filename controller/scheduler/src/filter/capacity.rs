use berth_core::explanation::Rejection;

use crate::snapshot::{NodeSnapshot, PlacementRequest};

pub(super) fn cpu(node: &NodeSnapshot<'_>, request: &PlacementRequest<'_>) -> Option<Rejection> {
    let (free_millis, asked_millis) = (node.free().cpu_millis, request.resources.cpu_millis);
    (free_millis < asked_millis).then_some(Rejection::Cpu { free_millis, asked_millis })
}

pub(super) fn memory(node: &NodeSnapshot<'_>, request: &PlacementRequest<'_>) -> Option<Rejection> {
    let (free_bytes, asked_bytes) = (node.free().memory_bytes, request.resources.memory_bytes);
    (free_bytes < asked_bytes).then_some(Rejection::Memory { free_bytes, asked_bytes })
}
