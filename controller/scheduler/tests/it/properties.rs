use berth_core::{
    explanation::Outcome,
    node::{Availability, Liveness, Node},
    resources::Resources,
};
use berth_scheduler::{Decision, Usage, place};
use proptest::prelude::*;

use crate::world::{Request, a_node, cluster, with_gpus};

fn nodes() -> impl Strategy<Value = Vec<(Node, Usage)>> {
    proptest::collection::vec((1u32..9, 1u64..33, 0u8..4, 0u8..8), 0..6).prop_map(|shapes| {
        shapes
            .into_iter()
            .enumerate()
            .map(|(index, (cores, gib, gpus, flags))| {
                let mut node = with_gpus(a_node(u8::try_from(index).unwrap()), gpus);
                node.inventory.total = Resources::new(cores * 1000, gib << 30);
                if flags == 0 {
                    node.availability = Availability::Cordoned;
                }
                if flags == 1 {
                    node.liveness = Liveness::Unreachable;
                }
                (node, Usage::default())
            })
            .collect()
    })
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    proptest::collection::vec((0u32..5000, 0u64..12, 0u32..3, 0usize..4), 1..40).prop_map(|asked| {
        asked
            .into_iter()
            .enumerate()
            .map(|(index, (cpu, gib, gpus, ports))| Request {
                gpus,
                guest_ports: (1..=ports).map(|port| u16::try_from(port).unwrap()).collect(),
                ..Request::new(u32::try_from(index).unwrap(), cpu, gib)
            })
            .collect()
    })
}

/// Sets aside what was decided, as the writer does.
fn take(nodes: &mut [(Node, Usage)], request: &Request, decision: &Decision) {
    let Decision::Placed { placement, .. } = decision else { return };
    let (_, used) = nodes.iter_mut().find(|(node, _)| node.id == placement.node).unwrap();
    used.resources = used.resources.plus(request.resources);
    for gpu in &placement.gpus {
        assert!(used.gpus.insert(gpu.clone()), "a GPU twice");
    }
    for port in &placement.ports {
        assert!(used.ports.insert(port.host), "a port twice");
    }
}

proptest! {
    #[test]
    fn never_over_commits_and_never_gives_a_gpu_or_port_twice(mut nodes in nodes(), requests in requests()) {
        for request in &requests {
            let decision = place(&cluster(&nodes), &request.borrow());
            if let Decision::Placed { placement, .. } = &decision {
                prop_assert_eq!(placement.gpus.len(), request.gpus as usize);
                let guests: Vec<u16> = placement.ports.iter().map(|port| port.guest).collect();
                prop_assert_eq!(&guests, &request.guest_ports);
                let (node, _) = nodes.iter().find(|(node, _)| node.id == placement.node).unwrap();
                prop_assert_eq!((node.availability, node.liveness), (Availability::Active, Liveness::Ready));
            }
            take(&mut nodes, request, &decision);
        }
        for (node, used) in &nodes {
            let total = node.inventory.offered();
            prop_assert!(used.resources.cpu_millis <= total.cpu_millis);
            prop_assert!(used.resources.memory_bytes <= total.memory_bytes);
        }
    }

    #[test]
    fn the_order_of_the_blades_changes_nothing(nodes in nodes(), request in requests(), turn in 0usize..6) {
        let mut turned = nodes.clone();
        turned.rotate_left(turn.min(nodes.len()));
        turned.reverse();
        prop_assert_eq!(
            place(&cluster(&nodes), &request[0].borrow()),
            place(&cluster(&turned), &request[0].borrow())
        );
    }

    #[test]
    fn more_room_never_turns_a_yes_into_a_no(nodes in nodes(), request in requests(), more in 0u32..4000) {
        let placed = matches!(place(&cluster(&nodes), &request[0].borrow()), Decision::Placed { .. });
        let mut larger = nodes;
        for (node, _) in &mut larger {
            node.inventory.total = node.inventory.total.plus(Resources::new(more, u64::from(more) << 20));
        }
        let still = matches!(place(&cluster(&larger), &request[0].borrow()), Decision::Placed { .. });
        prop_assert!(!placed || still);
    }

    #[test]
    fn the_explanation_has_every_blade_once(nodes in nodes(), request in requests()) {
        let decision = place(&cluster(&nodes), &request[0].borrow());
        let mut explained: Vec<_> = decision.why().nodes.iter().map(|verdict| verdict.node).collect();
        explained.sort();
        let mut all: Vec<_> = nodes.iter().map(|(node, _)| node.id).collect();
        all.sort();
        prop_assert_eq!(explained, all);
        let any_good = decision.why().nodes.iter().any(|verdict| matches!(verdict.outcome, Outcome::Scored(_)));
        prop_assert_eq!(any_good, matches!(decision, Decision::Placed { .. }));
    }
}
