//! The tests. Each has a cluster of its own.

use crate::rounds::{self, Rounds};

const ROUNDS: u64 = 20;

fn seed() -> u64 {
    std::env::var("BERTH_CHAOS_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(rand::random)
}

/// A round for each named point, the rest at random.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an engine"]
async fn kill_9_at_named_points_and_at_random_moments() {
    let seed = seed();
    println!("BERTH_CHAOS_SEED={seed}");
    let mut rounds = Rounds::begin(seed, None).await;
    let named = rounds::POINTS.len() as u64;
    for point in rounds::POINTS {
        println!("killed at {point:?}");
        rounds.killed_at(point).await;
        assert_eq!(rounds.compare().await, Vec::<String>::new(), "after {point}");
    }
    for number in named..ROUNDS {
        println!("round {number}");
        rounds.killed_at_random().await;
        assert_eq!(rounds.compare().await, Vec::<String>::new(), "round {number}, seed {seed}");
    }
    rounds.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an engine"]
async fn removal_reported_before_it_happened_is_found() {
    let mut rounds = Rounds::begin(1, Some("forget-before-remove")).await;
    let found = rounds.removal_fails().await;
    assert!(found.iter().any(|what| what.contains("is not wanted")), "not found: {found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an engine"]
async fn acknowledgement_before_the_disk_is_found() {
    let mut rounds = Rounds::begin(2, Some("acknowledge-before-durable")).await;
    rounds.lend_one().await;
    let found = rounds.compare().await;
    assert!(found.iter().any(|what| what.contains("not in the ledger")), "not found: {found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an engine"]
async fn destruction_without_a_tombstone_is_found() {
    let mut rounds = Rounds::begin(3, Some("absence-destroys")).await;
    let destroyed = rounds.row_lost().await;
    assert!(destroyed, "what is in no set was left alone: the fault was not found");
}

/// The same without a fault: what is in no set goes on running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an engine"]
async fn absence_destroys_nothing() {
    let mut rounds = Rounds::begin(4, None).await;
    let destroyed = rounds.row_lost().await;
    assert!(!destroyed, "destroyed without a tombstone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an engine"]
async fn a_database_that_is_put_back_loses_nothing() {
    let mut rounds = Rounds::begin(5, None).await;
    assert_eq!(rounds.database_put_back().await, Vec::<String>::new());
    rounds.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an engine"]
async fn a_shell_outlives_everything_between_it_and_its_user() {
    let mut rounds = Rounds::begin(6, None).await;
    rounds.at_a_terminal().await;
    rounds.end().await;
}
