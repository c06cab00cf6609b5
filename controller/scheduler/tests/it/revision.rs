//! Another request for a container that has its place.

use std::collections::BTreeSet;

use berth_core::{
    container::{Placement, PortBinding},
    explanation::Rejection,
    resources::{GpuId, Resources},
    storage::HomeMount,
};
use berth_scheduler::{Held, NodeSnapshot, PlacementRequest, Usage, revise};
use proptest::prelude::*;

use crate::world::{GIB, Request, a_node, with_gpus};

fn placement(gpus: usize, guests: u16) -> Placement {
    let node = with_gpus(a_node(0), 4);
    let gpus = node.inventory.gpus.iter().take(gpus).map(|gpu| gpu.id.clone()).collect();
    let ports = (1..=guests).map(|guest| PortBinding { guest, host: 20_000 + guest }).collect();
    Placement { node: node.id, gpus, ports, home: HomeMount::None, leaving: None }
}

/// What others and the container itself have of the blade.
fn used(held: &Held, others: Resources, other_gpus: &BTreeSet<GpuId>, own: &Placement) -> Usage {
    Usage {
        resources: held.resources.plus(others),
        gpus: held.gpus.union(other_gpus).cloned().collect(),
        ports: own.ports.iter().map(|port| port.host).collect(),
    }
}

#[test]
fn one_that_does_not_run_may_wait_for_what_others_have_and_never_for_what_there_is_not() {
    let node = with_gpus(a_node(0), 2);
    let all = node.inventory.gpus.iter().map(|gpu| gpu.id.clone()).collect();
    let usage = Usage { resources: Resources::new(8000, 32 * GIB), gpus: all, ..Usage::default() };
    let snapshot = NodeSnapshot { node: &node, used: &usage };
    let own = placement(0, 1);
    let wants = |cpu, gpus| Request { gpus, guest_ports: vec![1], ..Request::new(1, cpu, 1) };
    let later = revise(&snapshot, &wants(8000, 2).borrow(), &own, None).unwrap();
    assert_eq!((later.gpus.len(), later.ports.clone()), (2, own.ports.clone()));
    let why = revise(&snapshot, &wants(9000, 3).borrow(), &own, None).unwrap_err();
    assert!(matches!(why.as_slice(), [Rejection::Cpu { .. }, Rejection::Gpus { total: 2, .. }]));
}

proptest! {
    #[test]
    fn never_more_than_there_is_and_what_stays_stays(
        had in (1u32..5, 1u64..9, 0usize..3, 0u16..4),
        wanted in (1u32..10, 1u64..40, 0u32..5, proptest::collection::btree_set(1u16..8, 0..8)),
        others in (0u32..4, 0u64..16, 0usize..3),
    ) {
        let node = with_gpus(a_node(0), 4);
        let own = placement(had.2, had.3);
        let held = Held {
            resources: Resources::new(had.0 * 1000, had.1 * GIB),
            gpus: own.gpus.iter().cloned().collect(),
        };
        // From the other end.
        let gpus = node.inventory.gpus.iter().rev().map(|gpu| gpu.id.clone());
        let other_gpus: BTreeSet<GpuId> =
            gpus.filter(|gpu| !held.gpus.contains(gpu)).take(others.2).collect();
        let others = Resources::new(others.0 * 1000, others.1 * GIB);
        let usage = used(&held, others, &other_gpus, &own);
        let request = Request {
            gpus: wanted.2,
            guest_ports: wanted.3.into_iter().collect(),
            ..Request::new(1, wanted.0 * 1000, wanted.1)
        };
        let asked = PlacementRequest { previous: None, ..request.borrow() };
        let snapshot = NodeSnapshot { node: &node, used: &usage };
        if let Ok(new) = revise(&snapshot, &asked, &own, Some(&held)) {
            let total = node.inventory.offered();
            let sum = others.plus(held.resources.at_least(asked.resources));
            prop_assert!(sum.cpu_millis <= total.cpu_millis && sum.memory_bytes <= total.memory_bytes);
            prop_assert_eq!(new.gpus.len(), request.gpus as usize);
            prop_assert!(new.gpus.iter().all(|gpu| !other_gpus.contains(gpu)));
            let kept = own.gpus.len().min(new.gpus.len());
            prop_assert_eq!(&new.gpus[..kept], &own.gpus[..kept]);
            let guests: BTreeSet<u16> = new.ports.iter().map(|port| port.guest).collect();
            prop_assert_eq!(guests, request.guest_ports.iter().copied().collect::<BTreeSet<_>>());
            let hosts: BTreeSet<u16> = new.ports.iter().map(|port| port.host).collect();
            prop_assert_eq!(hosts.len(), new.ports.len());
            for port in own.ports.iter().filter(|port| request.guest_ports.contains(&port.guest)) {
                prop_assert!(new.ports.contains(port));
            }
        }
        // What it is already it may always be.
        let same = Request {
            gpus: u32::try_from(had.2).unwrap(),
            guest_ports: (1..=had.3).collect(),
            ..Request::new(1, had.0 * 1000, had.1)
        };
        prop_assert_eq!(revise(&snapshot, &same.borrow(), &own, Some(&held)).unwrap(), own);
    }
}
