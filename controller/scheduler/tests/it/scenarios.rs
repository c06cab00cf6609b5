use berth_core::{
    container::{Placement, PortBinding},
    explanation::{Outcome, Rejection},
    fault::{Fault, FaultKind},
    node::{Availability, Liveness},
    resources::Resources,
    storage::HomeMount,
    text::{self, Language},
};
use berth_scheduler::{Decision, PlacementRequest, Usage, place};

use crate::world::{GIB, Request, a_node, cluster, with_gpus};

#[test]
fn all_objections_of_all_blades_are_named() {
    let mut cordoned = a_node(1);
    cordoned.availability = Availability::Cordoned;
    cordoned.inventory.total = Resources::new(1000, GIB);
    let mut silent = a_node(2);
    silent.liveness = Liveness::Unreachable;
    let mut broken = a_node(3);
    broken.inventory.problems = vec![Fault::new(FaultKind::FirewallMissing, "no table")];
    let nodes =
        [cordoned, silent, broken, with_gpus(a_node(4), 2)].map(|node| (node, Usage::default()));
    let request = Request { gpus: 3, ..Request::new(1, 2000, 4) };
    let Decision::Unplaceable { why } = place(&cluster(&nodes), &request.borrow()) else {
        panic!("placed")
    };
    let rejections: Vec<&[Rejection]> = why
        .nodes
        .iter()
        .map(|verdict| match &verdict.outcome {
            Outcome::Rejected(rejections) => rejections.as_slice(),
            Outcome::Scored(_) => panic!("{} would do", verdict.name),
        })
        .collect();
    assert_eq!(
        rejections[0],
        [
            Rejection::Cordoned,
            Rejection::Cpu { free_millis: 1000, asked_millis: 2000 },
            Rejection::Memory { free_bytes: GIB, asked_bytes: 4 * GIB },
            Rejection::Gpus { free: 0, total: 0, asked: 3 },
        ]
    );
    assert_eq!(
        text::explanation(Language::English, &why),
        "No blade has room. blade-1: cordoned, 1 of 2 cores free, 1 GiB of 4 GiB memory free, has no GPU; \
         blade-2: not answering, has no GPU; blade-3: out of order (The blade's firewall rules are missing, so it starts nothing), has no GPU; \
         blade-4: 2 of 2 GPUs free, 3 asked."
    );
    assert!(
        text::explanation(Language::Japanese, &why).starts_with("空いているブレードがありません。")
    );
}

#[test]
fn blades_with_gpus_are_kept_for_those_who_ask_for_them() {
    let nodes = [with_gpus(a_node(1), 4), a_node(2)].map(|node| (node, Usage::default()));
    let plain = place(&cluster(&nodes), &Request::new(1, 1000, 1).borrow());
    let Decision::Placed { placement, .. } = plain else { panic!("unplaceable") };
    assert_eq!(placement.node, nodes[1].0.id);
    let wants = Request { gpus: 1, ..Request::new(2, 1000, 1) };
    let Decision::Placed { placement, .. } = place(&cluster(&nodes), &wants.borrow()) else {
        panic!("unplaceable")
    };
    assert_eq!(placement.node, nodes[0].0.id);
}

#[test]
fn ports_of_others_and_excluded_ones_are_not_offered() {
    let mut node = a_node(1);
    node.inventory.foreign_ports = (20_000..20_005).collect();
    node.excluded_ports = [20_005].into();
    let used = Usage { ports: [20_006].into(), ..Usage::default() };
    let nodes = [(node, used)];
    let request = Request { guest_ports: vec![80, 81, 82], ..Request::new(1, 1000, 1) };
    let Decision::Placed { placement, .. } = place(&cluster(&nodes), &request.borrow()) else {
        panic!("unplaceable")
    };
    let mut hosts: Vec<u16> = placement.ports.iter().map(|port| port.host).collect();
    hosts.sort_unstable();
    assert_eq!(hosts, [20_007, 20_008, 20_009]);
    let request = Request { guest_ports: vec![80, 81, 82, 83], ..request };
    assert!(matches!(place(&cluster(&nodes), &request.borrow()), Decision::Unplaceable { .. }));
}

#[test]
fn one_that_ran_before_goes_back_to_its_blade_its_gpus_and_its_ports() {
    let node = with_gpus(a_node(1), 1);
    let previous = Placement {
        node: node.id,
        gpus: vec![node.inventory.gpus[0].id.clone()],
        ports: vec![PortBinding { guest: 80, host: 20_003 }],
        home: HomeMount::None,
        leaving: None,
    };
    let request = Request { gpus: 1, guest_ports: vec![80], ..Request::new(1, 1000, 1) };
    let again = PlacementRequest { previous: Some(&previous), ..request.borrow() };
    let mut cordoned = node.clone();
    cordoned.availability = Availability::Cordoned;
    // Its own port counts as used; and a cordon keeps only new ones away.
    let used = Usage { ports: [20_003].into(), ..Usage::default() };
    let nodes = [(cordoned, used.clone()), (a_node(2), Usage::default())];
    let Decision::Placed { placement, .. } = place(&cluster(&nodes), &again) else {
        panic!("unplaceable")
    };
    assert_eq!(placement, previous);

    let lent = Usage { gpus: previous.gpus.iter().cloned().collect(), ..used };
    let nodes = [(node, lent), (a_node(2), Usage::default())];
    let Decision::Unplaceable { why } = place(&cluster(&nodes), &again) else { panic!("placed") };
    assert_eq!(why.nodes[0].outcome, Outcome::Rejected(vec![Rejection::OwnGpusLent]));
    assert_eq!(why.nodes[1].outcome, Outcome::Rejected(vec![Rejection::NotItsNode]));
}
