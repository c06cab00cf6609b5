use std::time::Duration;

use berth_app::{
    containers,
    error::{Error, Precondition},
};
use berth_core::{
    account::Role,
    container::{DesiredPhase, StopCause},
    observed::ObservedPhase,
};

use crate::world::{RULES, World, named};

async fn expire(world: &World) {
    world
        .apply(|transaction| {
            containers::expire_leases(transaction, &RULES);
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_lease_ends_is_kept_for_a_grace_and_goes() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    world.blade(2, 8, 0).await;
    let id = world.create(&alice, "web", 1).await.unwrap();
    world.says_phase(id, ObservedPhase::Running).await;

    world.clock.advance(Duration::from_secs(599));
    expire(&world).await;
    assert_eq!(world.container(id).desired, DesiredPhase::Running);
    world.clock.advance(Duration::from_secs(1));
    expire(&world).await;
    let container = world.container(id);
    assert_eq!(
        (container.desired, &container.stop_cause),
        (DesiredPhase::Stopped, &Some(StopCause::LeaseEnded))
    );
    world.says_phase(id, ObservedPhase::Exited).await;

    let actor = alice.clone();
    let refused = world.apply(move |t| containers::start(t, &actor, &named("web"))).await;
    assert!(matches!(refused, Err(Error::FailedPrecondition(Precondition::LeaseEnded))));
    let actor = alice.clone();
    let hour = Duration::from_secs(3600);
    world.apply(move |t| containers::extend_lease(t, &actor, &named("web"), hour)).await.unwrap();
    let actor = alice.clone();
    world.apply(move |t| containers::start(t, &actor, &named("web"))).await.unwrap();
    assert_eq!(world.container(id).desired, DesiredPhase::Running);

    world.clock.advance(hour);
    expire(&world).await;
    world.says_phase(id, ObservedPhase::Exited).await;
    world.clock.advance(RULES.grace - Duration::from_secs(1));
    expire(&world).await;
    assert_eq!(world.container(id).desired, DesiredPhase::Stopped);
    world.clock.advance(Duration::from_secs(1));
    expire(&world).await;
    assert_eq!(world.container(id).desired, DesiredPhase::Removed);
    let actor = alice.clone();
    let refused =
        world.apply(move |t| containers::extend_lease(t, &actor, &named("web"), hour)).await;
    assert!(matches!(refused, Err(Error::FailedPrecondition(Precondition::BeingDeleted))));
    world.says_phase(id, ObservedPhase::Removed).await;
    assert!(world.handle.committed().state.containers.is_empty());
}

#[tokio::test]
async fn one_that_waits_ends_with_its_lease_too() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let id = world.create(&alice, "big", 100).await.unwrap();
    world.clock.advance(Duration::from_secs(600));
    expire(&world).await;
    assert_eq!(world.container(id).stop_cause, Some(StopCause::LeaseEnded));
    world.clock.advance(RULES.grace);
    expire(&world).await;
    assert!(
        world.handle.committed().state.containers.is_empty(),
        "nobody has to remove what never was"
    );
}
