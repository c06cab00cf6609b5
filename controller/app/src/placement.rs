//! Gives those who wait a place, in the order in which they came.

use std::sync::Arc;

use berth_core::container::Container;
use berth_scheduler::{Decision, PlacementRequest, Usage, place};

use crate::{state::State, transaction::Transaction};

/// Runs at the end of a batch in which room appeared or somebody began to wait. A later, smaller request may pass an
/// earlier one that does not fit: idle room helps nobody.
pub(crate) fn place_waiting(transaction: &mut Transaction) {
    let waiting: Vec<_> = transaction.state().waiting().collect();
    for id in waiting {
        let Some(container) = transaction.state().containers.get(&id).map(Arc::clone) else {
            continue;
        };
        let mut container = Container::clone(&container);
        match decide(transaction.state(), &container) {
            Decision::Placed { placement, .. } => {
                if container.placement.is_some() {
                    // It was told to stay stopped until now: a new order, so that its blade's answer is one to this.
                    container.restart_nonce += 1;
                }
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

/// What the scheduler says of this container, as the state is.
pub(crate) fn decide(state: &State, container: &Container) -> Decision {
    let nothing = Usage::default();
    let request = PlacementRequest {
        container: container.id,
        resources: container.spec.resources,
        gpus: container.spec.gpus,
        guest_ports: &container.spec.guest_ports,
        node_labels: &container.spec.node_labels,
        runtime: container.spec.runtime,
        previous: container.placement.as_ref(),
    };
    place(&state.cluster_snapshot(&nothing), &request)
}
