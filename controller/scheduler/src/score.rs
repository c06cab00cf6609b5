//! Which of the blades that would do is the best: the emptier, except that blades with GPUs are kept for those who ask
//! for them.

use berth_core::resources::Resources;

use crate::snapshot::{NodeSnapshot, PlacementRequest};

/// 0 to 1000. Integers, so that every machine orders blades alike.
pub(crate) fn score(node: &NodeSnapshot<'_>, request: &PlacementRequest<'_>) -> u32 {
    let spread = free_share(node.free().less(request.resources), node.node.inventory.offered());
    let wants_gpu = request.gpus > 0;
    let has_gpu = !node.node.inventory.gpus.is_empty();
    if wants_gpu {
        // Fill blades that have begun to lend GPUs, so that a request for several finds one that is whole.
        let lent = node.used.gpus.len().min(8);
        u32::try_from(lent).unwrap_or(0) * 100 + spread / 5
    } else if has_gpu {
        spread / 2
    } else {
        500 + spread / 2
    }
}

/// The smaller of the free shares of CPU and memory, in thousandths.
fn free_share(free: Resources, total: Resources) -> u32 {
    let share = |free: u64, total: u64| match total {
        0 => 0,
        _ => u32::try_from(u128::from(free) * 1000 / u128::from(total)).unwrap_or(1000).min(1000),
    };
    share(free.cpu_millis.into(), total.cpu_millis.into())
        .min(share(free.memory_bytes, total.memory_bytes))
}
