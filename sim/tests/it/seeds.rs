use berth_reconcile::point::PlantedFault;
use berth_sim::{
    Outcome, Plan, run,
    run::{Keep, Seen},
};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn one(seed: u64) -> Outcome {
    run(Plan { seed, planted: None, keep: Keep::Kept })
}

fn how_to_replay(outcome: &Outcome) -> String {
    format!(
        "seed {}: {:#?}\nreplay: BERTH_SIM_SEED={} cargo test -p berth-sim --test it -- seeds --nocapture",
        outcome.seed, outcome.violations, outcome.seed
    )
}

#[test]
fn whatever_breaks_everything_comes_to_rest_as_it_should() {
    if let Some(seed) = number("BERTH_SIM_SEED") {
        let outcome = run(Plan { seed, planted: None, keep: Keep::Kept });
        outcome.lines.iter().for_each(|line| println!("{line}"));
        assert!(outcome.violations.is_empty(), "{}", how_to_replay(&outcome));
        return;
    }
    let mut seen = Seen::default();
    let mut failed = Vec::new();
    for seed in 0..number("BERTH_SIM_SEEDS").unwrap_or(50) {
        let begun = std::time::Instant::now();
        let outcome = one(seed);
        println!(
            "seed {seed}: {} events, at rest after {:?}, {:?}",
            outcome.events,
            outcome.rest,
            begun.elapsed()
        );
        seen = seen.plus(outcome.seen);
        if !outcome.violations.is_empty() {
            println!("{}", how_to_replay(&outcome));
            failed.push(outcome.seed);
        }
    }
    println!("{seen:#?}");
    assert!(failed.is_empty(), "failing seeds: {failed:?}");
    // A run in which these never happen proves nothing about them.
    for (what, count) in [
        ("complete sets", seen.complete_sets),
        ("differences", seen.differences),
        ("fallbacks to the complete set", seen.fallbacks),
        ("pulls", seen.pulls),
        ("restarts", seen.restarts),
        ("failed commits", seen.failed_commits),
        ("silent blades", seen.unreachable),
        ("ports of others", seen.ports_in_use),
    ] {
        assert!(count > 0, "no {what}");
    }
}

#[test]
fn one_seed_has_one_log() {
    for seed in [3, 4] {
        let (first, second) = (one(seed), one(seed));
        let parting = first.lines.iter().zip(&second.lines).find(|(one, other)| one != other);
        assert_eq!(parting, None, "seed {seed} went two ways");
        assert_eq!((first.events, first.sha256), (second.events, second.sha256));
    }
}

/// A simulation that cannot find a mistake that others have made would not find ours.
#[test]
fn planted_faults_are_found() {
    for (fault, sign) in [
        (PlantedFault::ForgetBeforeRemove, "forgotten before it was removed"),
        (PlantedFault::AcknowledgeBeforeDurable, "acknowledged before it was durable"),
        (PlantedFault::AbsenceDestroys, "destroyed without a tombstone"),
    ] {
        let found = (0..20).find(|seed| {
            let outcome = run(Plan { seed: *seed, planted: Some(fault), keep: Keep::Hashed });
            outcome.violations.iter().any(|violation| violation.contains(sign))
        });
        println!("{fault:?}: found by seed {found:?}");
        assert!(found.is_some(), "{fault:?} was not found");
    }
}
