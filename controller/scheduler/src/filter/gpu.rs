use berth_core::explanation::Rejection;

use crate::snapshot::{NodeSnapshot, PlacementRequest};

pub(super) fn gpus(node: &NodeSnapshot<'_>, request: &PlacementRequest<'_>) -> Option<Rejection> {
    if let Some(previous) = request.previous {
        // The engine's container was made for these very GPUs.
        let all_free = previous.gpus.iter().all(|gpu| node.free_gpus().any(|free| free == gpu));
        return (previous.node == node.node.id && !all_free).then_some(Rejection::OwnGpusLent);
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let free = count(node.free_gpus().count());
    let total = count(node.node.inventory.gpus.len());
    (free < request.gpus).then_some(Rejection::Gpus { free, total, asked: request.gpus })
}
