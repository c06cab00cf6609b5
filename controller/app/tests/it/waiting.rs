use berth_app::{
    containers,
    error::{Error, Kind},
    nodes,
};
use berth_core::{
    account::Role,
    container::{DesiredPhase, StopCause},
    fault::{Fault, FaultKind},
    node::Availability,
    observed::{Observed, ObservedPhase},
    phase::{self, Phase, Reason},
};

use crate::world::{RULES, World, named, new_container};

fn shown(world: &World, id: berth_core::id::ContainerId) -> (Phase, Option<Reason>) {
    let container = world.container(id);
    let liveness =
        container.placement.as_ref().map(|placement| world.node(placement.node).liveness);
    phase::of(&container, liveness.unwrap_or_default())
}

#[tokio::test]
async fn what_fits_nowhere_waits_with_reasons_and_starts_when_room_appears() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let first = world.create(&alice, "first", 2).await.unwrap();
    assert!(matches!(shown(&world, first), (Phase::Pending, Some(Reason::WaitingForRoom(_)))));

    let blade = world.blade(2, 8, 0).await;
    assert_eq!(
        world.container(first).placement.as_ref().map(|placement| placement.node),
        Some(blade)
    );
    let second = world.create(&alice, "second", 1).await.unwrap();
    let (phase, Some(Reason::WaitingForRoom(why))) = shown(&world, second) else {
        panic!("placed")
    };
    assert_eq!((phase, why.nodes.len()), (Phase::Pending, 1));

    // Asked to stop is not yet stopped: the room is free when the blade says so.
    let actor = alice.clone();
    world.apply(move |t| containers::stop(t, &actor, &named("first"))).await.unwrap();
    assert!(world.container(second).placement.is_none());
    assert_eq!(shown(&world, first).0, Phase::Stopping);
    world.says_phase(first, ObservedPhase::Exited).await;
    assert!(world.container(second).admitted);
    assert_eq!(shown(&world, first), (Phase::Stopped, Some(Reason::StoppedByUser)));

    // Its place is taken now; it waits for its own blade, where its files are.
    let actor = alice.clone();
    world.apply(move |t| containers::start(t, &actor, &named("first"))).await.unwrap();
    assert_eq!(shown(&world, first).0, Phase::Pending);
    let set = world.handle.committed().state.desired_set(blade);
    assert_eq!(set.containers[&first].phase, DesiredPhase::Stopped, "not before there is room");
    world.check();
}

#[tokio::test]
async fn a_program_that_ends_gives_its_room_back_and_says_how_it_ended() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let blade = world.blade(2, 8, 1).await;
    let id = world.create_with(&alice, new_container("train", 1, 1, &[8888])).await.unwrap();
    world.says_phase(id, ObservedPhase::Running).await;
    assert_eq!(shown(&world, id).0, Phase::Running);
    world.says_phase(id, ObservedPhase::Exited).await;
    assert_eq!(
        shown(&world, id),
        (Phase::Stopped, Some(Reason::Exited { exit_code: 0, at_once: true }))
    );
    // Until its blade has heard that it is to stay stopped, it might start it once more: after a reboot, say.
    assert_eq!(world.handle.committed().state.usage(blade).gpus.len(), 1);
    world.says_phase(id, ObservedPhase::Exited).await;
    let usage = world.handle.committed().state.usage(blade);
    assert!(usage.gpus.is_empty() && usage.resources.cpu_millis == 0);
    assert_eq!(usage.ports.len(), 1, "its port stays its own");

    let before = world.container(id);
    let actor = alice.clone();
    world.apply(move |t| containers::start_with_shell(t, &actor, &named("train"))).await.unwrap();
    let after = world.container(id);
    assert_eq!(
        (after.incarnation, after.spec.command.as_slice(), after.spec.tty),
        (2, &["sh".to_owned()][..], true)
    );
    assert_eq!(after.placement, before.placement);
    // A late word about the old one changes nothing.
    let mut late = Observed::new(1, ObservedPhase::Exited);
    late.restart_nonce = 99;
    world.says(blade, id, late).await;
    assert_eq!(world.container(id).desired, DesiredPhase::Running);
    world.check();
}

#[tokio::test]
async fn a_port_that_somebody_else_holds_is_excluded_and_another_is_given() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let blade = world.blade(2, 8, 0).await;
    let id = world.create_with(&alice, new_container("web", 1, 0, &[80])).await.unwrap();
    let first = world.container(id).placement.as_ref().unwrap().ports[0].host;
    let generation = world.node(blade).desired_generation;
    let mut observed = Observed::new(1, ObservedPhase::Failed);
    observed.restart_nonce = 1;
    observed.retrying = true;
    observed.fault = Some(Fault::new(FaultKind::PortInUse { port: first }, "in use"));
    world.says(blade, id, observed).await;
    let container = world.container(id);
    let second = container.placement.as_ref().unwrap().ports[0].host;
    assert_ne!(first, second);
    assert_eq!(container.incarnation, 2);
    assert!(world.node(blade).desired_generation > generation);
    assert!(world.node(blade).excluded_ports.contains(&first));
}

#[tokio::test]
async fn what_cannot_be_made_fails_with_its_reason_and_can_be_tried_again() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let blade = world.blade(2, 8, 0).await;
    let id = world.create(&alice, "web", 1).await.unwrap();
    let fault = Fault::new(FaultKind::ImageNotFound, "manifest unknown");
    let mut observed = Observed::new(1, ObservedPhase::Failed);
    observed.restart_nonce = 1;
    observed.fault = Some(fault.clone());
    world.says(blade, id, observed).await;
    assert_eq!(world.container(id).stop_cause, Some(StopCause::Failed(fault.clone())));
    assert_eq!(shown(&world, id), (Phase::Failed, Some(Reason::Fault { fault, retrying: false })));
    let actor = alice.clone();
    world.apply(move |t| containers::start(t, &actor, &named("web"))).await.unwrap();
    assert_eq!(shown(&world, id).0, Phase::Starting);
}

#[tokio::test]
async fn deleting_leaves_a_tombstone_until_the_blade_says_that_it_is_gone() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let blade = world.blade(2, 8, 0).await;
    let id = world.create(&alice, "web", 1).await.unwrap();
    let actor = alice.clone();
    world.apply(move |t| containers::delete(t, &actor, &named("web"))).await.unwrap();
    assert_eq!(shown(&world, id).0, Phase::Deleting);
    let set = world.handle.committed().state.desired_set(blade);
    assert_eq!(set.containers[&id].phase, DesiredPhase::Removed);
    // Anything else it says is not the end.
    world.says_phase(id, ObservedPhase::Exited).await;
    assert_eq!(shown(&world, id).0, Phase::Deleting);
    world.says_phase(id, ObservedPhase::Removed).await;
    assert!(!world.handle.committed().state.containers.contains_key(&id));
    assert!(world.handle.committed().state.desired_set(blade).containers.is_empty());

    // What never had a blade goes at once.
    let big = world.create(&alice, "big", 100).await.unwrap();
    let actor = alice.clone();
    world.apply(move |t| containers::delete(t, &actor, &named("big"))).await.unwrap();
    assert!(!world.handle.committed().state.containers.contains_key(&big));
}

#[tokio::test]
async fn others_containers_do_not_exist_for_a_student() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let bob = world.person("bob", Role::Student).await;
    let teacher = world.person("tina", Role::Teacher).await;
    let admin = world.person("root", Role::Administrator).await;
    let id = world.create(&alice, "web", 1).await.unwrap();
    let of_alice = containers::Selector { owner: "alice".into(), name: "web".into() };
    let by_id = containers::Selector { owner: String::new(), name: id.to_string() };
    let state = &world.handle.committed().state;
    for selector in [&of_alice, &by_id] {
        assert_eq!(containers::find(state, &alice, selector).unwrap().id, id);
        assert_eq!(containers::find(state, &admin, selector).unwrap().id, id);
        for stranger in [&bob, &teacher] {
            let error = containers::find(state, stranger, selector).unwrap_err();
            assert!(matches!(error, Error::NotFound { kind: Kind::Container, .. }));
        }
    }
}

#[tokio::test]
async fn a_cap_on_containers_per_person_and_creation_once_per_request() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let mut first = new_container("c0", 1, 0, &[]);
    first.request_id = Some("0190a5c2-7a5b-7c3d-8e4f-123456789abc".parse().unwrap());
    let made = world.create_with(&alice, first.clone()).await.unwrap();
    assert_eq!(world.create_with(&alice, first).await.unwrap(), made);
    assert!(matches!(world.create(&alice, "c0", 1).await, Err(Error::AlreadyExists { .. })));
    for number in 1..RULES.containers_per_person {
        world.create(&alice, &format!("c{number}"), 1).await.unwrap();
    }
    assert!(matches!(
        world.create(&alice, "more", 1).await,
        Err(Error::QuotaExceeded { limit: 5, .. })
    ));
}

#[tokio::test]
async fn a_cordon_keeps_new_ones_away_and_a_deleted_blade_is_forgotten() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let blade = world.blade(4, 8, 0).await;
    let name = world.node(blade).name.clone();
    let cordoned = name.clone();
    world
        .apply(move |t| nodes::set_availability(t, &cordoned, Availability::Cordoned))
        .await
        .unwrap();
    let id = world.create(&alice, "web", 1).await.unwrap();
    assert!(world.container(id).is_waiting());
    let uncordoned = name.clone();
    world
        .apply(move |t| nodes::set_availability(t, &uncordoned, Availability::Active))
        .await
        .unwrap();
    assert!(world.container(id).admitted);
    let in_use = name.clone();
    let refused =
        world.apply(move |t| nodes::delete(t, &in_use, nodes::Disposition::RefuseIfInUse)).await;
    assert!(matches!(refused, Err(Error::FailedPrecondition(_))));
    world
        .apply(move |t| nodes::delete(t, &name, nodes::Disposition::ForgetContainers))
        .await
        .unwrap();
    assert!(
        world.handle.committed().state.nodes.is_empty()
            && world.handle.committed().state.containers.is_empty()
    );
}
