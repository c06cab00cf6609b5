//! A database that was put back meets its blades.

use berth_app::{
    adopt::{Adopted, Holding, adopt},
    containers,
    state::State,
};
use berth_core::{
    account::Role,
    container::{DesiredPhase, StopCause},
    desired::DesiredContainer,
    id::{ContainerId, Epoch, NodeId, UserId},
    observed::ObservedPhase,
};
use uuid::Uuid;

use crate::world::{World, named, new_container};

const OLD: Epoch = Epoch::new(Uuid::from_u128(0xd));

/// What a blade that has accepted everything has in its ledger; as if it were of another epoch.
fn ledger(state: &State, node: NodeId) -> Holding {
    let set = state.desired_set(node);
    let containers = set.containers.into_values().collect();
    Holding { epoch: OLD, generation: set.generation, containers, retained: Vec::new() }
}

async fn meets(world: &World, node: NodeId, holding: Holding) -> Adopted {
    let adopted = world.apply(move |t| Ok(adopt(t, node, holding))).await.unwrap();
    world.check();
    adopted
}

fn held(holding: &Holding, id: ContainerId) -> DesiredContainer {
    holding.containers.iter().find(|held| held.id == id).unwrap().clone()
}

/// Another controller's life: `before` is the backup's state, `after` is what the blade remembers.
async fn forgets(world: &World, id: ContainerId) {
    world
        .apply(move |transaction| {
            transaction.remove_container(id);
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn what_the_database_does_not_know_is_taken_in_as_it_runs() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let node = world.blade(4, 8, 1).await;
    let id = world.create_with(&alice, new_container("web", 1, 1, &[8080])).await.unwrap();
    let before = world.container(id);
    let holding = ledger(&world.handle.committed().state, node);
    forgets(&world, id).await;

    let adopted = meets(&world, node, holding.clone()).await;
    assert_eq!(adopted, Adopted { unknown: 1, ..Adopted::default() });
    let row = world.container(id);
    assert_eq!((&row.name, row.owner), (&before.name, before.owner));
    assert_eq!((row.desired, row.admitted), (DesiredPhase::Running, true));
    assert_eq!(row.placement, before.placement);
    assert_eq!(row.lease_ends_at, before.lease_ends_at);
    // The blade is told what it was told.
    let told = world.handle.committed().state.desired_set(node);
    assert_eq!(told.containers[&id], held(&holding, id));
    assert!(told.generation >= holding.generation);

    // The answer may be lost: the same once more changes nothing.
    assert_eq!(meets(&world, node, holding).await.unknown, 0);
    let again = world.handle.committed().state.desired_set(node);
    assert_eq!(again.containers, told.containers);
}

/// A blade does not know which variables are secrets: none that only it remembers is shown.
#[tokio::test]
async fn what_may_be_a_secret_is_one() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let node = world.blade(4, 8, 1).await;
    let mut new = new_container("web", 1, 0, &[]);
    new.spec.environment = [("A", "1"), ("B", "2")].map(|(k, v)| (k.into(), v.into())).into();
    let id = world.create_with(&alice, new).await.unwrap();
    let mut holding = ledger(&world.handle.committed().state, node);
    let later = holding.containers.iter_mut().find(|held| held.id == id).unwrap();
    later.incarnation += 1;
    let variables = [("A", "1"), ("B", "3"), ("C", "4")].map(|(k, v)| (k.into(), v.into()));
    later.spec.environment = variables.into();
    meets(&world, node, holding.clone()).await;
    assert_eq!(world.container(id).spec.secrets, ["B".to_owned(), "C".to_owned()].into());

    forgets(&world, id).await;
    meets(&world, node, holding).await;
    let spec = world.container(id).spec.clone();
    assert!(spec.environment.keys().eq(&spec.secrets));
}

#[tokio::test]
async fn a_name_that_was_taken_meanwhile_is_another() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let node = world.blade(4, 8, 0).await;
    let id = world.create(&alice, "web", 1).await.unwrap();
    let holding = ledger(&world.handle.committed().state, node);
    forgets(&world, id).await;
    let other = world.create_with(&alice, new_container("web", 64, 0, &[])).await.unwrap();

    assert_eq!(meets(&world, node, holding).await.unknown, 1);
    assert_eq!(world.container(other).name.as_str(), "web");
    assert!(world.container(id).name.as_str().starts_with("adopted-"));
}

#[tokio::test]
async fn later_orders_win_on_either_side() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let node = world.blade(4, 8, 0).await;
    let blade_knows = world.create(&alice, "a", 1).await.unwrap();
    let database_knows = world.create(&alice, "b", 1).await.unwrap();
    let mut holding = ledger(&world.handle.committed().state, node);
    for held in &mut holding.containers {
        if held.id == blade_knows {
            held.restart_nonce += 2;
            held.incarnation += 1;
            held.spec.ports = Vec::new();
        }
    }
    world.says_phase(database_knows, ObservedPhase::Running).await;
    let actor = alice.clone();
    world.apply(move |t| containers::restart(t, &actor, &named("b")).map(drop)).await.unwrap();
    let ordered = world.container(database_knows).restart_nonce;

    assert_eq!(meets(&world, node, holding.clone()).await.later, 1);
    let row = world.container(blade_knows);
    let want = held(&holding, blade_knows);
    assert_eq!((row.incarnation, row.restart_nonce), (want.incarnation, want.restart_nonce));
    assert_eq!(world.container(database_knows).restart_nonce, ordered);
}

#[tokio::test]
async fn what_the_blade_has_removed_since_is_shown_as_gone_and_gives_its_place_back() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let node = world.blade(2, 8, 1).await;
    let gone = world.create_with(&alice, new_container("old", 2, 1, &[80])).await.unwrap();
    let place = world.container(gone).placement.clone().unwrap();
    let mut holding = ledger(&world.handle.committed().state, node);
    // Its place went to somebody whom the database does not know.
    let successor = ContainerId::new(Uuid::from_u128(0x77));
    holding.containers[0].id = successor;
    holding.containers[0].spec.hostname = "new".to_owned();
    holding.generation += 5;

    let adopted = meets(&world, node, holding).await;
    assert_eq!((adopted.unknown, adopted.gone), (1, 1));
    let row = world.container(gone);
    assert_eq!((row.desired, &row.stop_cause), (DesiredPhase::Stopped, &Some(StopCause::Gone)));
    assert_eq!((&row.placement, row.admitted), (&None, false));
    assert_eq!(world.container(successor).placement.as_ref(), Some(&place));

    // Its owner may start it anew, which waits for room, or delete it, which is done at once.
    let actor = alice.clone();
    world.apply(move |t| containers::start(t, &actor, &named("old")).map(drop)).await.unwrap();
    assert!(world.container(gone).is_waiting());
    let actor = alice.clone();
    world.apply(move |t| containers::delete(t, &actor, &named("old"))).await.unwrap();
    assert!(!world.handle.committed().state.containers.contains_key(&gone));
}

#[tokio::test]
async fn a_blade_that_was_cut_off_before_the_backup_gets_its_orders() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let node = world.blade(4, 8, 0).await;
    let known = world.create(&alice, "a", 1).await.unwrap();
    let holding = ledger(&world.handle.committed().state, node);
    let ordered = world.create(&alice, "b", 1).await.unwrap();
    let actor = alice.clone();
    world.apply(move |t| containers::stop(t, &actor, &named("a")).map(drop)).await.unwrap();

    assert_eq!(meets(&world, node, holding).await, Adopted::default());
    assert_eq!(world.container(known).desired, DesiredPhase::Stopped);
    assert_eq!(world.container(ordered).desired, DesiredPhase::Running);
    assert!(world.container(ordered).placement.is_some());
}

#[tokio::test]
async fn stopped_and_removed_ones_give_their_room_back_when_the_blade_has_said_so() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let node = world.blade(4, 8, 1).await;
    let stopped = world.create_with(&alice, new_container("s", 1, 1, &[])).await.unwrap();
    let removed = world.create(&alice, "r", 1).await.unwrap();
    let mut holding = ledger(&world.handle.committed().state, node);
    for held in &mut holding.containers {
        held.phase = if held.id == stopped { DesiredPhase::Stopped } else { DesiredPhase::Removed };
    }
    forgets(&world, stopped).await;
    forgets(&world, removed).await;

    assert_eq!(meets(&world, node, holding).await.unknown, 2);
    assert!(world.container(stopped).admitted, "it may still be about to stop");
    world.says_phase(stopped, ObservedPhase::Exited).await;
    assert!(!world.container(stopped).admitted);
    world.says_phase(removed, ObservedPhase::Removed).await;
    assert!(!world.handle.committed().state.containers.contains_key(&removed));
}

#[tokio::test]
async fn nobody_knows_its_owner_any_more() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let node = world.blade(4, 8, 0).await;
    let ids = [world.create(&alice, "a", 1).await, world.create(&alice, "b", 1).await];
    let [a, b] = ids.map(Result::unwrap);
    let mut holding = ledger(&world.handle.committed().state, node);
    forgets(&world, a).await;
    forgets(&world, b).await;
    let lost = UserId::new(Uuid::from_u128(0xb0b));
    holding.containers.iter_mut().for_each(|held| held.spec.user = lost);

    assert_eq!(meets(&world, node, holding).await.unknown, 2);
    let committed = world.handle.committed();
    let owner = &committed.state.users[&lost];
    assert_eq!(owner.account.as_str(), "unknown-000000000b0b");
    assert!([a, b].iter().all(|id| world.container(*id).owner == lost));
}

#[tokio::test]
async fn what_was_retained_is_taken_in_when_no_row_says_otherwise() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let (here, there) = (world.blade(4, 8, 0).await, world.blade(4, 8, 0).await);
    let id = world.create(&alice, "web", 1).await.unwrap();
    let at = world.container(id).placement.as_ref().unwrap().node;
    let other = if at == here { there } else { here };
    let holding = ledger(&world.handle.committed().state, at);

    // The database has it on the other blade: two of one id are not taken for one.
    assert_eq!(meets(&world, other, holding.clone()).await.left, 1);
    assert_eq!(world.container(id).placement.as_ref().unwrap().node, at);

    // Its owner deletes it there; what is left of it on the first shows itself, and can be deleted too.
    forgets(&world, id).await;
    let epoch = world.handle.committed().state.epoch;
    let later =
        Holding { epoch, generation: 0, containers: Vec::new(), retained: holding.containers };
    assert_eq!(meets(&world, other, later).await.unknown, 1);
    assert_eq!(world.container(id).placement.as_ref().unwrap().node, other);
}

#[tokio::test]
async fn what_the_ledger_has_stopped_and_the_database_wants_to_run_waits_for_room() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let node = world.blade(2, 8, 1).await;
    let first = world.create_with(&alice, new_container("first", 2, 1, &[])).await.unwrap();
    let mut holding = ledger(&world.handle.committed().state, node);
    // In the lost time it was stopped, and somebody else got its room.
    let second = ContainerId::new(Uuid::from_u128(0x77));
    let mut successor = holding.containers[0].clone();
    successor.id = second;
    successor.spec.hostname = "second".to_owned();
    holding.containers[0].phase = DesiredPhase::Stopped;
    holding.containers.push(successor);
    holding.generation += 2;
    // After the restoration it was started anew.
    world.says_phase(first, ObservedPhase::Running).await;
    let actor = alice.clone();
    world.apply(move |t| containers::restart(t, &actor, &named("first")).map(drop)).await.unwrap();

    meets(&world, node, holding).await;
    assert!(world.container(second).admitted);
    let row = world.container(first);
    assert_eq!((row.desired, row.admitted), (DesiredPhase::Running, false));
    assert_eq!(row.placement.as_ref().unwrap().node, node, "its files are there");
}
