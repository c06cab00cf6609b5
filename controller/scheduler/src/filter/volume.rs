use berth_core::{
    explanation::Rejection,
    storage::{Mapping, RunAs},
};

use crate::snapshot::{NodeSnapshot, PlacementRequest, VolumeNeed};

/// A volume that is on another blade, or that could not be made on this one.
pub(super) fn place(node: &NodeSnapshot<'_>, request: &PlacementRequest<'_>) -> Option<Rejection> {
    let storage = &node.node.inventory.storage;
    let lacks = |need: &VolumeNeed| match need {
        VolumeNeed::Store(store) => !storage.has(*store),
        VolumeNeed::AnyLocal => storage.volumes.is_none(),
    };
    request.volumes.iter().any(lacks).then_some(Rejection::VolumeElsewhere)
}

/// What an image's own user writes would belong to nobody's account.
pub(super) fn mapping(
    node: &NodeSnapshot<'_>,
    request: &PlacementRequest<'_>,
) -> Option<Rejection> {
    let maps = node.node.inventory.storage.mapping == Mapping::Supported;
    (!request.volumes.is_empty() && request.run_as == RunAs::Image && !maps)
        .then_some(Rejection::CannotMap)
}
