//! What happens at a crash, at a reboot, at the end of a lease, to orphans, and to ports that others hold.

use std::time::Duration;

use berth_core::{
    clock::Clock as _,
    container::DesiredPhase::{Removed, Running, Stopped},
    desired::{DesiredContainer, DesiredSet},
    fault::FaultKind,
    id::Epoch,
    observed::{Observed, ObservedPhase},
};
use berth_reconcile::{reconciler::Orphan, runtime::EngineState};
use uuid::Uuid;

use crate::harness::{Agent, Blade, complete, container, id, image, set};

fn blade() -> Blade {
    let blade = Blade::new(None);
    blade.machine.add_image(image());
    blade
}

async fn apply(agent: &Agent, set: &DesiredSet) {
    agent.accept(complete(set)).await.expect("accepted");
    agent.settle().await;
}

fn report(agent: &Agent, number: u8) -> (Observed, Orphan) {
    let all = agent.everything().expect("the engine was listed");
    let found = all.into_iter().find(|(container, _, _)| *container == id(number));
    found.map(|(_, observed, orphan)| (observed, orphan)).expect("it is reported")
}

#[tokio::test(start_paused = true)]
async fn a_program_that_ends_by_itself_is_not_started_again_until_ordered() {
    let blade = blade();
    let agent = blade.agent();
    agent.refresh().await.unwrap();
    apply(&agent, &set(1, &[container(1, Running)])).await;
    blade.machine.exit(id(1), 3);
    agent.refresh().await.unwrap();
    agent.settle().await;
    let (observed, _) = report(&agent, 1);
    assert_eq!(
        (observed.phase, observed.exit_code, observed.restart_nonce),
        (ObservedPhase::Exited, 3, 1)
    );
    assert_eq!(blade.machine.starts(id(1)), 1);

    apply(&agent, &set(2, &[DesiredContainer { restart_nonce: 2, ..container(1, Running) }])).await;
    let (observed, _) = report(&agent, 1);
    assert_eq!((observed.phase, observed.restart_nonce), (ObservedPhase::Running, 2));
    assert_eq!(blade.machine.starts(id(1)), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_reboot_what_ran_runs_again_and_what_was_stopped_stays_stopped() {
    let blade = blade();
    let agent = blade.agent();
    agent.refresh().await.unwrap();
    apply(&agent, &set(1, &[container(1, Running), container(2, Running)])).await;
    apply(&agent, &set(2, &[container(1, Running), container(2, Stopped)])).await;
    drop(agent);
    blade.machine.reboot();
    let agent = blade.agent();
    agent.refresh().await.unwrap();
    // On its way up again it is not reported as ended.
    assert_eq!(report(&agent, 1).0.phase, ObservedPhase::Starting);
    agent.settle().await;
    assert_eq!(report(&agent, 1).0.phase, ObservedPhase::Running);
    assert_eq!(report(&agent, 2).0.phase, ObservedPhase::Exited);
    assert_eq!((blade.machine.starts(id(1)), blade.machine.starts(id(2))), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_also_when_nobody_says_so_and_an_extension_takes_it_back() {
    let blade = blade();
    let agent = blade.agent();
    agent.refresh().await.unwrap();
    let end = blade.clock.now() + Duration::from_secs(60);
    let lent = |not_after| DesiredContainer { not_after, ..container(1, Running) };
    apply(&agent, &set(1, &[lent(end)])).await;
    assert_eq!(report(&agent, 1).0.phase, ObservedPhase::Running);

    blade.clock.advance(Duration::from_secs(61));
    agent.settle().await;
    let (observed, _) = report(&agent, 1);
    assert_eq!(observed.phase, ObservedPhase::Exited);
    assert_eq!(observed.restart_nonce, 0, "our own stop is not the program's end");

    // The agent dies meanwhile: that it was our stop is in the ledger.
    drop(agent);
    let agent = blade.agent();
    agent.refresh().await.unwrap();
    apply(&agent, &set(2, &[lent(end + Duration::from_secs(3600))])).await;
    let (observed, _) = report(&agent, 1);
    assert_eq!((observed.phase, observed.restart_nonce), (ObservedPhase::Running, 1));
}

#[tokio::test(start_paused = true)]
async fn an_orphan_runs_for_a_grace_is_stopped_and_kept() {
    let blade = blade();
    let agent = blade.agent();
    agent.refresh().await.unwrap();
    apply(&agent, &set(1, &[container(1, Running)])).await;
    apply(&agent, &set(2, &[])).await;
    agent.refresh().await.unwrap();
    agent.settle().await;
    let (observed, orphan) = report(&agent, 1);
    assert_eq!((observed.phase, orphan), (ObservedPhase::Running, Orphan::Yes));

    blade.clock.advance(Duration::from_secs(3601));
    agent.settle().await;
    assert_eq!(report(&agent, 1).0.phase, ObservedPhase::Exited);
    assert_eq!(blade.machine.removed(), []);

    apply(&agent, &set(3, &[container(1, Removed)])).await;
    assert_eq!(blade.machine.removed(), [id(1)]);
    assert_eq!(report(&agent, 1).0.phase, ObservedPhase::Removed);
}

#[tokio::test(start_paused = true)]
async fn after_a_new_epoch_nothing_is_stopped_by_itself() {
    let blade = blade();
    let agent = blade.agent();
    agent.refresh().await.unwrap();
    apply(&agent, &set(7, &[container(1, Running)])).await;
    let restored = DesiredSet { epoch: Epoch::new(Uuid::from_u128(1)), ..set(1, &[]) };
    apply(&agent, &restored).await;
    agent.refresh().await.unwrap();
    blade.clock.advance(Duration::from_secs(100_000));
    agent.settle().await;
    assert_eq!(report(&agent, 1).0.phase, ObservedPhase::Running);
}

#[tokio::test(start_paused = true)]
async fn before_the_first_set_nothing_is_done() {
    let blade = blade();
    let agent = blade.agent();
    agent.refresh().await.unwrap();
    apply(&agent, &set(1, &[container(1, Running)])).await;
    drop(agent);
    // The ledger is lost; the engine is not.
    let other = Blade::new(None);
    let lost = berth_reconcile::reconciler::Reconciler::new(
        std::sync::Arc::new(blade.machine.clone()),
        std::sync::Arc::new(other.machine.clone()),
        berth_reconcile::ledger::Content::default(),
        std::sync::Arc::clone(&blade.clock) as std::sync::Arc<dyn berth_core::clock::Clock>,
        berth_reconcile::reconciler::Options::default(),
    );
    lost.refresh().await.unwrap();
    blade.clock.advance(Duration::from_secs(100_000));
    lost.settle().await;
    assert!(
        blade.machine.containers().iter().all(|c| matches!(c.state, EngineState::Running { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn a_port_that_somebody_else_holds_is_reported_and_tried_again() {
    let blade = blade();
    blade.machine.hold_port(20_001);
    let agent = blade.agent();
    agent.refresh().await.unwrap();
    apply(&agent, &set(1, &[container(1, Running)])).await;
    let (observed, _) = report(&agent, 1);
    assert_eq!(observed.phase, ObservedPhase::Failed);
    assert_eq!(observed.fault.map(|fault| fault.kind), Some(FaultKind::PortInUse { port: 20_001 }));
    assert!(observed.retrying);
    assert_eq!(observed.started_at, None);
}
