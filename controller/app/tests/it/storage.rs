//! Where people's data is, and what that means for where containers go.

use std::time::Duration;

use berth_app::{
    authz::Actor,
    containers,
    error::{Error, Precondition, Quota},
    figures::Figures,
    homes, observe, space,
    volumes::{self, Selector},
};
use berth_core::{
    account::Role,
    clock::Clock as _,
    container::{DesiredPhase, StopCause},
    figures::Report,
    id::{ContainerId, NodeId, StoreId, VolumeId},
    node::Inventory,
    observed::ObservedPhase,
    space::{Space, SpaceLimits, Taker},
    storage::{Enforcement, HomeMount, Mapping, RunAs, Scope, Storage, Store},
    violation::Problem,
    volume::{Access, NewMount, VolumeName, VolumeState},
};
use uuid::Uuid;

use crate::world::{RULES, World, named, new_container};

fn store(number: u128, scope: Scope) -> Option<Store> {
    let id = StoreId::new(Uuid::from_u128(number));
    Some(Store { id, scope, enforcement: Enforcement::Metered })
}

/// A blade that has this to keep data with.
async fn blade(world: &World, storage: Storage) -> NodeId {
    let id = world.blade(8, 32, 0).await;
    let inventory = Inventory { storage, ..world.node(id).inventory.clone() };
    world
        .apply(move |transaction| {
            observe::connected(transaction, id, "test", inventory);
            Ok(())
        })
        .await
        .unwrap();
    id
}

async fn volume(world: &World, actor: &Actor, name: &str, scope: Scope) -> Result<VolumeId, Error> {
    let id = VolumeId::new(Uuid::from_u128(0x7000 + u128::from(world.number())));
    let (actor, name) = (actor.clone(), VolumeName::parse(name).unwrap());
    world.apply(move |t| volumes::create(t, &actor, id, name, scope, &RULES)).await
}

async fn with_volume(
    world: &World,
    actor: &Actor,
    name: &str,
    volume: &str,
) -> Result<ContainerId, Error> {
    let mut new = new_container(name, 1, 0, &[]);
    let name = VolumeName::parse(volume).unwrap();
    new.volumes = vec![NewMount { name, path: "/data".into(), access: Access::ReadWrite }];
    world.create_with(actor, new).await
}

fn node_of(world: &World, id: ContainerId) -> Option<NodeId> {
    world.container(id).placement.as_ref().map(|placement| placement.node)
}

fn volume_row(world: &World, id: VolumeId) -> Option<berth_core::volume::Volume> {
    world.handle.committed().state.volumes.get(&id).map(|volume| (**volume).clone())
}

fn problem(error: &Error) -> (&str, &Problem) {
    match error {
        Error::InvalidArgument { violations } => (&violations[0].field, &violations[0].problem),
        other => panic!("{other}"),
    }
}

fn mine(name: &str) -> Selector {
    Selector { owner: String::new(), name: name.to_owned() }
}

#[tokio::test]
async fn what_a_container_gets_of_the_home_is_settled_with_its_place() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let maps = Storage { mapping: Mapping::Supported, ..Storage::default() };
    let blade = blade(&world, Storage { homes: store(1, Scope::Local), ..maps }).await;
    let mut as_image = new_container("root", 1, 0, &[]);
    as_image.spec.run_as = RunAs::Image;
    let own = world.create(&alice, "own", 1).await.unwrap();
    let root = world.create_with(&alice, as_image).await.unwrap();
    let set = world.handle.committed().state.desired_set(blade);
    let belongings = |id| set.containers[&id].spec.belongings.clone().unwrap();
    assert_eq!(belongings(own).home, HomeMount::Plain);
    assert_eq!(belongings(root).home, HomeMount::Mapped);
    assert_eq!(belongings(own).holder.posix, alice.user.posix);
    assert_eq!(belongings(own).holder.home(), "/home/alice");

    // What the blade can do later changes nothing for those that are there.
    let inventory =
        Inventory { storage: Storage::default(), ..world.node(blade).inventory.clone() };
    world
        .apply(move |t| {
            observe::connected(t, blade, "test", inventory);
            Ok(())
        })
        .await
        .unwrap();
    let set = world.handle.committed().state.desired_set(blade);
    assert_eq!(set.containers[&own].spec.belongings.as_ref().unwrap().home, HomeMount::Plain);
}

#[tokio::test]
async fn a_volume_of_a_blade_keeps_its_containers_there() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let refused = volume(&world, &alice, "data", Scope::Local).await.unwrap_err();
    assert_eq!(problem(&refused), ("scope", &Problem::Unavailable));
    for number in 1..=3 {
        blade(&world, Storage { volumes: store(number, Scope::Local), ..Storage::default() }).await;
    }
    let data = volume(&world, &alice, "data", Scope::Local).await.unwrap();
    assert_eq!(volume_row(&world, data).unwrap().place, None, "nowhere before it is wanted");
    let first = with_volume(&world, &alice, "first", "data").await.unwrap();
    let there = node_of(&world, first).unwrap();
    assert_eq!(volume_row(&world, data).unwrap().place.unwrap().node, Some(there));
    for name in ["second", "third"] {
        let next = with_volume(&world, &alice, name, "data").await.unwrap();
        assert_eq!(node_of(&world, next), Some(there), "{name}");
    }
    let set = world.handle.committed().state.desired_set(there);
    let given = set.containers[&first].spec.belongings.as_ref().unwrap().volumes.clone();
    assert_eq!(
        (given[0].id, given[0].scope, given[0].path.as_str()),
        (data, Scope::Local, "/data")
    );
    world.check();
}

#[tokio::test]
async fn a_shared_volume_is_wherever_the_share_is() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let shares = Storage { homes: store(7, Scope::Shared), ..Storage::default() };
    let with = blade(&world, shares.clone()).await;
    let _without =
        blade(&world, Storage { homes: store(8, Scope::Local), ..Storage::default() }).await;
    let data = volume(&world, &alice, "data", Scope::Shared).await.unwrap();
    let place = volume_row(&world, data).unwrap().place.unwrap();
    assert_eq!((place.store, place.node), (StoreId::new(Uuid::from_u128(7)), None));
    for name in ["a", "b", "c"] {
        let id = with_volume(&world, &alice, name, "data").await.unwrap();
        assert_eq!(node_of(&world, id), Some(with), "{name}");
    }
    // An image's own user would write files of nobody's there.
    let mut new = new_container("root", 1, 0, &[]);
    new.spec.run_as = RunAs::Image;
    let name = VolumeName::parse("data").unwrap();
    new.volumes = vec![NewMount { name, path: "/data".into(), access: Access::ReadOnly }];
    let root = world.create_with(&alice, new).await.unwrap();
    assert_eq!(node_of(&world, root), None);
    assert!(world.container(root).waiting.is_some(), "and it is said why");
    let maps = Storage { mapping: Mapping::Supported, ..shares };
    let third = blade(&world, maps).await;
    assert_eq!(node_of(&world, root), Some(third));
}

#[tokio::test]
async fn what_a_container_has_is_not_deleted() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let bob = world.person("bob", Role::Student).await;
    let blade =
        blade(&world, Storage { volumes: store(1, Scope::Local), ..Storage::default() }).await;
    let data = volume(&world, &alice, "data", Scope::Local).await.unwrap();
    let box_ = with_volume(&world, &alice, "box", "data").await.unwrap();
    let delete = async |actor: &Actor, name: &str| {
        let (actor, selector) = (actor.clone(), mine(name));
        world.apply(move |t| volumes::delete(t, &actor, &selector)).await
    };
    let refused = delete(&alice, "data").await.unwrap_err();
    assert!(matches!(refused, Error::FailedPrecondition(Precondition::VolumeInUse)), "{refused}");
    // Others' do not exist, by name or by id, to be deleted or to be had.
    for name in ["data", &data.to_string()] {
        assert!(matches!(delete(&bob, name).await.unwrap_err(), Error::NotFound { .. }), "{name}");
    }
    let refused = with_volume(&world, &bob, "box", "data").await.unwrap_err();
    assert_eq!(problem(&refused), ("volumes[0].name", &Problem::NoSuchVolume));

    let actor = alice.clone();
    world.apply(move |t| containers::delete(t, &actor, &named("box"))).await.unwrap();
    assert!(delete(&alice, "data").await.is_err(), "until its blade has let go");
    world.says_phase(box_, ObservedPhase::Removed).await;
    delete(&alice, "data").await.unwrap();
    delete(&alice, "data").await.unwrap();
    assert_eq!(volume_row(&world, data).unwrap().state, VolumeState::Deleting);
    let refused = with_volume(&world, &alice, "box", "data").await.unwrap_err();
    assert_eq!(problem(&refused), ("volumes[0].name", &Problem::VolumeDeleting));

    let waiting = volumes::to_delete(&world.handle.committed().state);
    assert_eq!(waiting.len(), 1);
    assert_eq!((waiting[0].0.id, waiting[0].1), (data, Some(blade)));
    world
        .apply(move |t| {
            volumes::deleted(t, data);
            volumes::deleted(t, data);
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(volume_row(&world, data), None);
    volume(&world, &alice, "data", Scope::Local).await.unwrap();
}

#[tokio::test]
async fn names_are_one_s_own_and_there_is_a_limit() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let bob = world.person("bob", Role::Student).await;
    blade(&world, Storage { volumes: store(1, Scope::Local), ..Storage::default() }).await;
    for number in 0..RULES.volumes_per_person {
        volume(&world, &alice, &format!("v{number}"), Scope::Local).await.unwrap();
    }
    let taken = volume(&world, &alice, "v0", Scope::Local).await.unwrap_err();
    assert!(matches!(taken, Error::AlreadyExists { .. }));
    let full = volume(&world, &alice, "more", Scope::Local).await.unwrap_err();
    assert!(matches!(full, Error::QuotaExceeded { subject: Quota::VolumesPerPerson, .. }));
    let shared = volume(&world, &bob, "x", Scope::Shared).await.unwrap_err();
    assert_eq!(problem(&shared), ("scope", &Problem::Unavailable));
    volume(&world, &bob, "v0", Scope::Local).await.unwrap();
    // What was never anywhere goes at once.
    let (actor, selector) = (alice.clone(), mine("v0"));
    world.apply(move |t| volumes::delete(t, &actor, &selector)).await.unwrap();
    let committed = world.handle.committed();
    assert_eq!(committed.state.volumes_of(alice.user.id).count(), RULES.volumes_per_person - 1);
}

#[tokio::test]
async fn a_home_without_a_container_is_where_it_was_last() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let found = |owner: &str| homes::find(&world.handle.committed().state, &alice, owner);
    assert!(matches!(found("").unwrap_err(), Error::FailedPrecondition(Precondition::NoHomes)));
    let first =
        blade(&world, Storage { homes: store(1, Scope::Local), ..Storage::default() }).await;
    assert_eq!(found("").unwrap().1, first);
    let shared =
        blade(&world, Storage { homes: store(2, Scope::Shared), ..Storage::default() }).await;
    assert_eq!(found("").unwrap().1, shared, "the same wherever one looks");
    let id = world.create(&alice, "box", 8).await.unwrap();
    let there = node_of(&world, id).unwrap();
    assert_eq!(found("").unwrap().1, there);
    assert_eq!(found("").unwrap().0.account.as_str(), "alice");
    assert!(matches!(found("bob").unwrap_err(), Error::NotFound { .. }));
    let teacher = world.person("carol", Role::Teacher).await;
    let state = &world.handle.committed().state;
    assert!(matches!(homes::find(state, &teacher, "alice").unwrap_err(), Error::NotFound { .. }));
}

#[tokio::test]
async fn who_stores_far_too_much_is_stopped_and_nobody_else() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let bob = world.person("bob", Role::Student).await;
    let both = Storage {
        homes: store(1, Scope::Shared),
        volumes: store(2, Scope::Local),
        ..Storage::default()
    };
    let blade = blade(&world, both).await;
    let data = volume(&world, &alice, "data", Scope::Local).await.unwrap();
    let with = with_volume(&world, &alice, "with", "data").await.unwrap();
    let without = world.create(&alice, "without", 1).await.unwrap();
    let others = world.create(&bob, "others", 1).await.unwrap();
    let limits = SpaceLimits { home: Some(1000), volume: Some(500), layer: None };
    let figures = Figures::default();
    let home = Taker::Home(StoreId::new(Uuid::from_u128(1)), alice.user.posix.uid);
    let counts = |taker, bytes| {
        let report = Report { space: vec![Space { taker, bytes }], ..Report::default() };
        // Each is heard: a blade that says more than every few seconds is not listened to.
        world.clock.advance(Duration::from_secs(5));
        figures.record(&world.handle.committed().state, blade, &report, world.clock.now());
    };
    let over = || {
        let counted = |taker| figures.space(taker);
        space::far_over(&world.handle.committed().state, &counted, &limits)
    };
    assert_eq!(over(), [], "what was never counted is no reason");
    counts(Taker::Volume(data), 551);
    assert_eq!(over(), [with]);
    counts(Taker::Volume(data), 550);
    counts(home, 1100);
    assert_eq!(over(), [], "a tenth is borne");
    let refused = |id| {
        let counted = |taker| figures.space(taker);
        let state = &world.handle.committed().state;
        space::refuse_over(state, &counted, &limits, &world.container(id)).is_err()
    };
    assert!(refused(with) && refused(without), "but nothing is started any more");
    assert!(!refused(others));
    counts(home, 1101);
    let mut both = vec![with, without];
    both.sort();
    assert_eq!(over(), both);
    // Another blade that does not have the store says nothing of it, and nothing of others' containers.
    counts(Taker::Home(StoreId::new(Uuid::from_u128(9)), bob.user.posix.uid), u64::MAX);
    counts(Taker::Layer(others), u64::MAX);
    assert_eq!(over(), both);

    for id in both {
        world
            .apply(move |t| {
                space::stop(t, id);
                space::stop(t, id);
                Ok(())
            })
            .await
            .unwrap();
        let container = world.container(id);
        assert_eq!(container.desired, DesiredPhase::Stopped);
        assert_eq!(container.stop_cause, Some(StopCause::OverQuota));
    }
    assert_eq!(over(), []);
    // Room is made, and it goes on.
    counts(home, 10);
    counts(Taker::Volume(data), 10);
    assert!(!refused(with));
    world.check();
}

#[tokio::test]
async fn what_is_counted_on_request_is_not_undone_by_what_was_on_its_way() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let homes = Storage { homes: store(1, Scope::Shared), ..Storage::default() };
    let blade = blade(&world, homes).await;
    let taker = Taker::Home(StoreId::new(Uuid::from_u128(1)), alice.user.posix.uid);
    let figures = Figures::default();
    let says = |bytes| {
        let report = Report { space: vec![Space { taker, bytes }], ..Report::default() };
        figures.record(&world.handle.committed().state, blade, &report, world.clock.now());
        world.clock.advance(Duration::from_secs(5));
    };
    says(500);
    assert!(figures.may_ask(taker, world.clock.now()));
    figures.set_space(taker, 7, world.clock.now());
    assert!(!figures.may_ask(taker, world.clock.now()), "not as fast as one can click");
    says(500);
    assert_eq!(figures.space(taker), Some(7));
    assert!(figures.may_ask(taker, world.clock.now()));
    says(8);
    says(8);
    says(9);
    assert_eq!(figures.space(taker), Some(9), "later counts are told of again");
}
