use berth_core::{
    explanation::Rejection,
    node::{Availability, Liveness, Trouble},
};

use crate::snapshot::{NodeSnapshot, PlacementRequest};

/// A container that ran before goes back to where its files are.
pub(super) fn its_own_node(
    node: &NodeSnapshot<'_>,
    request: &PlacementRequest<'_>,
) -> Option<Rejection> {
    request.previous.filter(|previous| previous.node != node.node.id).map(|_| Rejection::NotItsNode)
}

/// A cordon keeps new containers away; one whose files are here may come back.
pub(super) fn availability(
    node: &NodeSnapshot<'_>,
    request: &PlacementRequest<'_>,
) -> Option<Rejection> {
    match node.node.availability {
        Availability::Active => None,
        Availability::Cordoned if request.previous.is_some() => None,
        Availability::Cordoned => Some(Rejection::Cordoned),
    }
}

pub(super) fn liveness(node: &NodeSnapshot<'_>, _: &PlacementRequest<'_>) -> Option<Rejection> {
    match node.node.liveness {
        Liveness::Ready => None,
        Liveness::Unknown => Some(Rejection::NotHeardOf),
        Liveness::Unreachable => Some(Rejection::Unreachable),
    }
}

pub(super) fn trouble(node: &NodeSnapshot<'_>, _: &PlacementRequest<'_>) -> Option<Rejection> {
    let troubles = &node.node.troubles;
    troubles.contains(&Trouble::LedgerAhead).then_some(Rejection::RefusesOrders)
}

pub(super) fn health(node: &NodeSnapshot<'_>, _: &PlacementRequest<'_>) -> Option<Rejection> {
    let kinds: Vec<_> = node.node.inventory.problems.iter().map(|fault| fault.kind).collect();
    (!kinds.is_empty()).then_some(Rejection::Faulty(kinds))
}
