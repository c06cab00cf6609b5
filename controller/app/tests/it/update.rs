//! Another definition: what stays, what is lost, and what does not fit.

use std::time::Duration;

use berth_app::{
    authz::Actor,
    containers,
    error::{Error, Precondition},
    observe,
    update::{self, Asked, Consent},
    volumes,
};
use berth_core::{
    account::Role,
    container::{Container, DesiredPhase, StopCause},
    create::{CreateRequest, Limits},
    definition::{
        MASK,
        change::{Change, Field},
    },
    explanation::Rejection,
    guest_port::RawPorts,
    id::{ContainerId, StoreId, VolumeId},
    node::Inventory,
    observed::{Observed, ObservedPhase},
    resources::Resources,
    storage::{Enforcement, RunAs, Scope, Storage, Store},
    volume::{RequestedMount, VolumeName},
};
use uuid::Uuid;

use crate::world::{GIB, RULES, World, named, new_container};

pub(crate) fn limits() -> Limits {
    Limits {
        default_resources: Resources::new(1000, GIB),
        maximum_resources: Resources::new(64_000, 64 * GIB),
        maximum_gpus: 8,
        default_lease: Duration::from_secs(600),
        maximum_lease: Duration::from_secs(24 * 3600),
        raw_ports: RawPorts::Default,
    }
}

pub(crate) fn resize(cores: u32, gpus: u32, guest_ports: Vec<u32>) -> Asked {
    let wanted =
        CreateRequest { cpu_millis: cores * 1000, gpus, guest_ports, ..Default::default() };
    let fields = [Field::Cpu, Field::Gpus, Field::GuestPorts].into();
    Asked { change: Change { fields, wanted }, consent: Consent::Recreation }
}

fn asked(fields: &[Field], wanted: CreateRequest, consent: Consent) -> Asked {
    Asked { change: Change { fields: fields.iter().copied().collect(), wanted }, consent }
}

fn image(image: &str, consent: Consent) -> Asked {
    asked(&[Field::Image], CreateRequest { image: image.into(), ..Default::default() }, consent)
}

async fn update(
    world: &World,
    actor: &Actor,
    name: &str,
    asked: Asked,
) -> Result<ContainerId, Error> {
    let (actor, name) = (actor.clone(), named(name));
    world.apply(move |t| update::update(t, &actor, &name, &asked, &limits())).await
}

async fn act(
    world: &World,
    actor: &Actor,
    name: &str,
    act: fn(
        &mut berth_app::transaction::Transaction,
        &Actor,
        &containers::Selector,
    ) -> Result<ContainerId, Error>,
) -> Result<ContainerId, Error> {
    let (actor, name) = (actor.clone(), named(name));
    world.apply(move |t| act(t, &actor, &name)).await
}

fn ports(container: &Container) -> Vec<(u16, u16)> {
    let placement = container.placement.as_ref().unwrap();
    placement.ports.iter().map(|port| (port.guest, port.host)).collect()
}

#[tokio::test]
async fn one_that_runs_is_made_anew_only_where_that_is_allowed() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    world.blade(4, 8, 1).await;
    let id = world.create_with(&alice, new_container("web", 1, 1, &[80, 81])).await.unwrap();
    world.says_phase(id, ObservedPhase::Running).await;
    let before = world.container(id);

    let refused = update(&world, &alice, "web", image("alpine", Consent::InPlace)).await;
    let Err(Error::NeedsRecreation { fields }) = refused else { panic!("{refused:?}") };
    assert_eq!(fields, [Field::Image].into());
    assert_eq!(world.container(id), before);
    // What it is already takes nothing, and is nothing to tell a blade.
    let generation = world.node(before.placement.as_ref().unwrap().node).desired_generation;
    update(&world, &alice, "web", image("busybox", Consent::InPlace)).await.unwrap();
    assert_eq!(world.container(id), before);
    assert_eq!(world.node(before.placement.as_ref().unwrap().node).desired_generation, generation);

    update(&world, &alice, "web", image("alpine", Consent::Recreation)).await.unwrap();
    let after = world.container(id);
    assert_eq!((after.spec.image.as_str(), after.incarnation), ("alpine", 2));
    assert_eq!((after.desired, after.admitted), (DesiredPhase::Running, true));
    assert_eq!(ports(&after), ports(&before));
    let gpus = |container: &Container| container.placement.as_ref().unwrap().gpus.clone();
    assert_eq!(gpus(&after), gpus(&before));
    assert_eq!((after.name.as_str(), after.id), ("web", id));
    // A late word about the one before changes nothing.
    let node = before.placement.as_ref().unwrap().node;
    world.says(node, id, Observed::new(1, ObservedPhase::Exited)).await;
    assert_eq!(world.container(id).desired, DesiredPhase::Running);
    world.check();
}

#[tokio::test]
async fn what_is_given_up_is_nobody_s_before_the_old_one_is_gone() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let blade = world.blade(4, 8, 2).await;
    let id = world.create_with(&alice, new_container("big", 3, 2, &[80])).await.unwrap();
    world.says_phase(id, ObservedPhase::Running).await;
    let waits = world.create_with(&alice, new_container("waits", 2, 1, &[])).await.unwrap();
    assert!(world.container(waits).is_waiting());

    update(&world, &alice, "big", resize(1, 1, vec![80, 81])).await.unwrap();
    let small = world.container(id);
    assert_eq!(small.placement.as_ref().unwrap().gpus.len(), 1);
    assert_eq!(ports(&small).len(), 2);
    let usage = world.handle.committed().state.usage(blade);
    assert_eq!((usage.resources.cpu_millis, usage.gpus.len()), (3000, 2));
    assert!(world.container(waits).is_waiting());
    world.says_phase(id, ObservedPhase::Pulling).await;
    assert!(world.container(waits).is_waiting());

    world.says_phase(id, ObservedPhase::Running).await;
    let other = world.container(waits);
    assert!(other.admitted, "it has what was given up");
    assert_ne!(other.placement.as_ref().unwrap().gpus, small.placement.as_ref().unwrap().gpus);
    world.check();
}

#[tokio::test]
async fn what_its_blade_has_not_is_refused_and_nothing_is_lost() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    world.blade(4, 8, 1).await;
    let id = world.create(&alice, "web", 1).await.unwrap();
    world.create(&alice, "other", 2).await.unwrap();
    // It would fit here; but what is the container's is there.
    world.blade(64, 64, 4).await;
    world.says_phase(id, ObservedPhase::Running).await;
    let before = world.container(id);
    for (asked, why) in [
        (resize(3, 0, vec![]), "cpu"),
        (resize(1, 2, vec![]), "gpus"),
        (
            asked(
                &[Field::NodeLabels],
                CreateRequest {
                    node_labels: [("rack".to_owned(), "1".to_owned())].into(),
                    ..Default::default()
                },
                Consent::InPlace,
            ),
            "label",
        ),
    ] {
        let refused = update(&world, &alice, "web", asked).await;
        let Err(Error::DoesNotFit(rejections)) = refused else { panic!("{why}: {refused:?}") };
        let said = match rejections.as_slice() {
            [Rejection::Cpu { .. }] => "cpu",
            [Rejection::Gpus { .. }] => "gpus",
            [Rejection::Label { .. }] => "label",
            other => panic!("{other:?}"),
        };
        assert_eq!(said, why);
    }
    assert_eq!(world.container(id), before);
    world.check();
}

#[tokio::test]
async fn one_that_waits_changes_as_it_is_and_may_fit_then() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    world.blade(2, 8, 0).await;
    let id = world.create_with(&alice, new_container("big", 8, 0, &[80])).await.unwrap();
    assert!(world.container(id).is_waiting());
    let mut smaller = resize(2, 0, vec![80]);
    smaller.consent = Consent::InPlace;
    update(&world, &alice, "big", smaller).await.unwrap();
    let container = world.container(id);
    assert!(container.admitted);
    assert_eq!((container.incarnation, container.waiting.as_ref()), (1, None));
    world.check();
}

#[tokio::test]
async fn one_that_is_stopped_starts_as_the_new_one() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    world.blade(4, 8, 2).await;
    let id = world.create_with(&alice, new_container("web", 1, 1, &[80])).await.unwrap();
    world.says_phase(id, ObservedPhase::Running).await;
    world.says_phase(id, ObservedPhase::Exited).await;
    world.says_phase(id, ObservedPhase::Exited).await;
    assert!(matches!(world.container(id).stop_cause, Some(StopCause::Exited { .. })));

    let before = ports(&world.container(id));
    let asked = resize(4, 2, vec![80, 8080]);
    let in_place = Asked { consent: Consent::InPlace, ..asked.clone() };
    assert!(matches!(
        update(&world, &alice, "web", in_place).await,
        Err(Error::NeedsRecreation { .. })
    ));
    update(&world, &alice, "web", asked).await.unwrap();
    let stopped = world.container(id);
    assert_eq!((stopped.desired, stopped.admitted), (DesiredPhase::Stopped, false));
    assert_eq!(stopped.stop_cause, None, "how the old one ended says nothing of the new one");
    assert_eq!(ports(&stopped)[0], before[0]);
    world.check();

    act(&world, &alice, "web", containers::start).await.unwrap();
    let started = world.container(id);
    assert!(started.admitted);
    assert_eq!((started.placement.as_ref().unwrap().gpus.len(), ports(&started).len()), (2, 2));
    world.check();
}

#[tokio::test]
async fn one_that_is_stopping_keeps_its_place_until_the_blade_has_said_so() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let blade = world.blade(4, 8, 1).await;
    let id = world.create_with(&alice, new_container("web", 3, 1, &[])).await.unwrap();
    world.says_phase(id, ObservedPhase::Running).await;
    act(&world, &alice, "web", containers::stop).await.unwrap();
    update(&world, &alice, "web", resize(1, 0, vec![])).await.unwrap();
    let usage = world.handle.committed().state.usage(blade);
    assert_eq!((usage.resources.cpu_millis, usage.gpus.len()), (3000, 1));
    // Said of the one before it: no answer to this order.
    world.says(blade, id, Observed::new(1, ObservedPhase::Exited)).await;
    assert!(world.container(id).admitted);
    world.says_phase(id, ObservedPhase::Absent).await;
    let usage = world.handle.committed().state.usage(blade);
    assert_eq!((usage.resources.cpu_millis, usage.gpus.len()), (0, 0));
    world.check();
}

#[tokio::test]
async fn a_lease_begins_anew_in_place_and_what_is_deleted_changes_no_more() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    world.blade(4, 8, 0).await;
    let id = world.create(&alice, "web", 1).await.unwrap();
    let lease = |seconds| {
        let wanted = CreateRequest { lease_seconds: Some(seconds), ..Default::default() };
        asked(&[Field::Lease], wanted, Consent::InPlace)
    };
    world.clock.advance(Duration::from_secs(100));
    let ends = world.container(id).lease_ends_at;
    update(&world, &alice, "web", lease(600)).await.unwrap();
    assert_eq!(world.container(id).lease_ends_at, ends, "it is lent for as long already");
    update(&world, &alice, "web", lease(1200)).await.unwrap();
    let container = world.container(id);
    assert_eq!(container.lease_ends_at.since(ends), Duration::from_secs(700));
    assert_eq!(container.incarnation, 1);

    let bob = world.person("bob", Role::Student).await;
    assert!(matches!(
        update(&world, &bob, &id.to_string(), lease(60)).await,
        Err(Error::NotFound { .. })
    ));
    let actor = alice.clone();
    world.apply(move |t| containers::delete(t, &actor, &named("web"))).await.unwrap();
    assert!(matches!(
        update(&world, &alice, "web", lease(60)).await,
        Err(Error::FailedPrecondition(Precondition::BeingDeleted))
    ));
}

#[tokio::test]
async fn defined_and_started_later() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    world.blade(4, 8, 0).await;
    let id = ContainerId::new(Uuid::from_u128(7));
    let actor = alice.clone();
    let new = new_container("later", 1, 0, &[80]);
    world.apply(move |t| containers::define(t, &actor, id, new, &RULES)).await.unwrap();
    let defined = world.container(id);
    assert_eq!((defined.desired, defined.placement.as_ref()), (DesiredPhase::Stopped, None));
    update(&world, &alice, "later", image("alpine", Consent::InPlace)).await.unwrap();
    act(&world, &alice, "later", containers::start).await.unwrap();
    let started = world.container(id);
    assert!(started.admitted);
    assert_eq!((started.spec.image.as_str(), started.incarnation), ("alpine", 1));
    world.check();
}

#[tokio::test]
async fn secrets_are_kept_and_lent_to_one_s_own_containers_alone() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let admin = world.person("root", Role::Administrator).await;
    let mut new = new_container("web", 1, 0, &[]);
    new.spec.environment = [("TOKEN".to_owned(), "s".to_owned())].into();
    new.spec.secrets = ["TOKEN".to_owned()].into();
    let id = world.create_with(&alice, new).await.unwrap();
    let state = world.handle.committed().state.clone();
    assert_eq!(update::secrets_of(&state, &alice, "web").unwrap()["TOKEN"], "s");
    assert!(update::secrets_of(&state, &admin, &id.to_string()).is_err());

    let wanted = CreateRequest {
        secret_environment: [("TOKEN".to_owned(), MASK.to_owned())].into(),
        run_as: Some(RunAs::Image),
        ..Default::default()
    };
    let keep = asked(&[Field::SecretEnvironment, Field::RunAs], wanted, Consent::InPlace);
    update(&world, &alice, "web", keep).await.unwrap();
    let container = world.container(id);
    assert_eq!(container.spec.environment["TOKEN"], "s");
    assert_eq!(container.spec.run_as, RunAs::Image);
}

/// As long as the one before may have it open, a volume is in use.
#[tokio::test]
async fn a_volume_that_is_left_out_is_free_when_the_old_one_is_gone() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let blade = world.blade(4, 8, 0).await;
    let id = StoreId::new(Uuid::from_u128(1));
    let store = Store { id, scope: Scope::Local, enforcement: Enforcement::Metered };
    let storage = Storage { volumes: Some(store), ..Storage::default() };
    let inventory = Inventory { storage, ..world.node(blade).inventory.clone() };
    let actor = alice.clone();
    let volume = VolumeId::new(Uuid::from_u128(2));
    let name = VolumeName::parse("data").unwrap();
    world
        .apply(move |t| {
            observe::connected(t, blade, "test", inventory);
            volumes::create(t, &actor, volume, name, Scope::Local, &RULES)
        })
        .await
        .unwrap();
    let id = world.create(&alice, "web", 1).await.unwrap();
    world.says_phase(id, ObservedPhase::Running).await;
    let wants = |volumes: Vec<RequestedMount>| {
        let wanted = CreateRequest { volumes, ..Default::default() };
        asked(&[Field::Volumes], wanted, Consent::Recreation)
    };
    let mount = RequestedMount { name: "data".into(), path: "/data".into(), read_only: false };
    let unknown = RequestedMount { name: "other".into(), ..mount.clone() };
    let refused = update(&world, &alice, "web", wants(vec![unknown])).await;
    assert!(matches!(refused, Err(Error::InvalidArgument { .. })));
    update(&world, &alice, "web", wants(vec![mount])).await.unwrap();
    assert_eq!(world.container(id).spec.volumes[0].volume, volume);
    let place = world.handle.committed().state.volumes[&volume].place.clone();
    assert_eq!(place.unwrap().node, Some(blade), "it is where its container is");
    world.says_phase(id, ObservedPhase::Running).await;

    let delete = async || {
        let actor = alice.clone();
        let selector = volumes::Selector { owner: String::new(), name: "data".into() };
        world.apply(move |t| volumes::delete(t, &actor, &selector)).await
    };
    update(&world, &alice, "web", wants(vec![])).await.unwrap();
    assert!(matches!(delete().await, Err(Error::FailedPrecondition(Precondition::VolumeInUse))));
    world.says_phase(id, ObservedPhase::Running).await;
    delete().await.unwrap();
    world.check();
}
