use berth_core::explanation::Rejection;

use crate::snapshot::{NodeSnapshot, PlacementRequest};

pub(super) fn ports(node: &NodeSnapshot<'_>, request: &PlacementRequest<'_>) -> Option<Rejection> {
    if request.previous.is_some() {
        // Its ports are still its own.
        return None;
    }
    let asked = request.guest_ports.len();
    let free = node.free_ports().take(asked).count();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (free < asked).then(|| Rejection::Ports { free: count(free), asked: count(asked) })
}
