//! Gives those who wait a place, in the order in which they came.

use std::sync::Arc;

use berth_core::{
    container::{Container, ContainerSpec},
    explanation::{Explanation, NodeVerdict, Outcome, Rejection},
    id::ContainerId,
    node::Node,
};
use berth_scheduler::{Decision, PlacementRequest, Usage, place};

use crate::{state::State, transaction::Transaction, volumes};

/// Runs at the end of a batch in which room appeared or somebody began to wait. A later, smaller request may pass an
/// earlier one that does not fit: idle room helps nobody.
pub(crate) fn place_waiting(transaction: &mut Transaction) {
    let waiting: Vec<_> = transaction.state().waiting().collect();
    for id in waiting {
        let Some(container) = transaction.state().containers.get(&id).map(Arc::clone) else {
            continue;
        };
        let mut container = Container::clone(&container);
        let decision = match may_be_elsewhere(transaction.state(), &container) {
            Some(why) => Decision::Unplaceable { why },
            None => decide(transaction.state(), &container),
        };
        match decision {
            Decision::Placed { placement, .. } => {
                if container.placement.is_some() {
                    // It was told to stay stopped until now: a new order, so that its blade's answer is one to this.
                    container.restart_nonce += 1;
                }
                volumes::bind(transaction, &container.spec, placement.node);
                container.placement = Some(placement);
                container.admitted = true;
                container.waiting = None;
                transaction.put_container(container);
            }
            Decision::Unplaceable { why } => {
                if container.waiting.as_ref() != Some(&why) {
                    container.waiting = Some(why);
                    transaction.explain_waiting(container);
                }
            }
        }
    }
}

/// After a database was put back: what it knew as waiting may have been placed since, on a blade that has not spoken yet.
fn may_be_elsewhere(state: &State, container: &Container) -> Option<Explanation> {
    let silent = |node: &Node| node.spoke_in != Some(state.epoch);
    let of_before = state.epoch.made_at().is_some_and(|began| container.created_at <= began);
    if container.placement.is_some() || !of_before || !state.nodes.values().any(|node| silent(node))
    {
        return None;
    }
    let verdict = |node: &Node| {
        let why = if silent(node) { Rejection::NotHeardOf } else { Rejection::AfterRestore };
        NodeVerdict {
            node: node.id,
            name: node.name.clone(),
            outcome: Outcome::Rejected(vec![why]),
        }
    };
    let mut nodes: Vec<_> = state.nodes.values().map(|node| verdict(node)).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    Some(Explanation { nodes })
}

/// What the scheduler says of this container, as the state is.
pub(crate) fn decide(state: &State, container: &Container) -> Decision {
    let nothing = Usage::default();
    let published = container.spec.published();
    let request = request(state, container.id, &container.spec, &published);
    let request = PlacementRequest { previous: container.placement.as_ref(), ..request };
    place(&state.cluster_snapshot(&nothing), &request)
}

/// What one with this spec needs, wherever it was before.
pub(crate) fn request<'a>(
    state: &State,
    container: ContainerId,
    spec: &'a ContainerSpec,
    published: &'a [u16],
) -> PlacementRequest<'a> {
    PlacementRequest {
        container,
        resources: spec.resources,
        gpus: spec.gpus,
        guest_ports: published,
        node_labels: &spec.node_labels,
        runtime: spec.runtime,
        run_as: spec.run_as,
        volumes: volumes::needs(state, spec),
        previous: None,
    }
}
