//! Every schedule of up to three crashes, each before or after the effect of any engine call or ledger write.
//!
//! After the last crash the agent is left alone, and the engine must have exactly what is wanted: no duplicate, nothing
//! lost, nothing leaked, nothing destroyed without a tombstone, no restart twice.

use std::collections::BTreeSet;

use berth_core::{
    container::DesiredPhase::{Removed, Running, Stopped},
    desired::{DesiredContainer, DesiredSet},
    id::ContainerId,
};
use berth_reconcile::point::PlantedFault;

use crate::harness::{Blade, complete, container, id, image, set};

const CRASHES: usize = 3;

/// Sets that follow one another; the agent works on each, and the next one comes when it is done with the one before, or
/// sooner where `hurried`.
struct Scenario {
    name: &'static str,
    image_here: bool,
    sets: Vec<Vec<DesiredContainer>>,
    hurried: bool,
    /// (container, how often it must have been started in all).
    starts: Vec<(ContainerId, u64)>,
}

fn scenarios() -> Vec<Scenario> {
    let restarted = DesiredContainer { restart_nonce: 2, ..container(1, Running) };
    let rebuilt = DesiredContainer { incarnation: 2, restart_nonce: 2, ..container(1, Running) };
    vec![
        Scenario {
            name: "create",
            image_here: true,
            sets: vec![vec![container(1, Running)]],
            hurried: false,
            starts: vec![(id(1), 1)],
        },
        Scenario {
            name: "pull and create",
            image_here: false,
            sets: vec![vec![container(1, Running)]],
            hurried: false,
            starts: vec![(id(1), 1)],
        },
        Scenario {
            name: "create, then delete while it is being made",
            image_here: true,
            sets: vec![vec![container(1, Running)], vec![container(1, Removed)], vec![]],
            hurried: true,
            starts: vec![],
        },
        Scenario {
            name: "delete",
            image_here: true,
            sets: vec![vec![container(1, Running)], vec![container(1, Removed)], vec![]],
            hurried: false,
            starts: vec![(id(1), 1)],
        },
        Scenario {
            name: "restart",
            image_here: true,
            sets: vec![vec![container(1, Running)], vec![restarted.clone()]],
            hurried: false,
            starts: vec![(id(1), 2)],
        },
        Scenario {
            name: "stop and start",
            image_here: true,
            sets: vec![vec![container(1, Running)], vec![container(1, Stopped)], vec![restarted]],
            hurried: false,
            starts: vec![(id(1), 2)],
        },
        Scenario {
            name: "made anew",
            image_here: true,
            sets: vec![vec![container(1, Running)], vec![rebuilt]],
            hurried: false,
            starts: vec![(id(1), 2)],
        },
        Scenario {
            name: "one goes, one comes, one stays",
            image_here: true,
            sets: vec![
                vec![container(1, Running), container(2, Running)],
                vec![container(1, Removed), container(2, Running), container(3, Running)],
            ],
            hurried: false,
            starts: vec![(id(2), 1), (id(3), 1)],
        },
        Scenario {
            name: "absence destroys nothing",
            image_here: true,
            sets: vec![
                vec![container(1, Running), container(2, Running)],
                vec![container(2, Running)],
            ],
            hurried: false,
            starts: vec![(id(1), 1), (id(2), 1)],
        },
    ]
}

/// Runs one schedule: the n-th life of the agent ends at its `schedule[n]`-th point, the one after the last goes on to the
/// end. Answers with the number of points of that last life.
fn run(
    scenario: &Scenario,
    schedule: &[u64],
    planted: Option<PlantedFault>,
) -> (u64, BTreeSet<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let blade = Blade::new(planted);
        if scenario.image_here {
            blade.machine.add_image(image());
        }
        let mut progress = Progress::default();
        for crash_at in schedule.iter().copied().map(Some).chain([None]) {
            blade.machine.crash_at(crash_at);
            let crashed = blade.machine.crashed();
            tokio::select! {
                biased;
                () = crashed => {}
                () = live(&blade, scenario, &mut progress) => {
                    if crash_at.is_some() {
                        // The schedule is longer than this life: it was explored as a shorter one.
                        break;
                    }
                }
            }
        }
        let points = blade.machine.points();
        blade.machine.on_point(None);
        check_end(&blade, scenario);
        let violations = blade.violations.lock().unwrap().clone();
        (points, violations)
    })
}

/// What the controller remembers over the agent's lives.
#[derive(Default)]
struct Progress {
    delivered: usize,
    acknowledged: u64,
}

fn numbered(scenario: &Scenario, index: usize) -> DesiredSet {
    set(index as u64 + 1, &scenario.sets[index])
}

async fn live(blade: &Blade, scenario: &Scenario, progress: &mut Progress) {
    let held = blade.machine.ledger().set.map_or(0, |set| set.generation);
    if held < progress.acknowledged {
        blade.violation("acknowledged before it was durable");
    }
    let agent = blade.agent();
    agent.refresh().await.expect("the engine answers");
    loop {
        // A controller sends the set at the start of every session, changed or not.
        let generation = agent
            .accept(complete(&numbered(scenario, progress.delivered)))
            .await
            .expect("accepted");
        progress.acknowledged = progress.acknowledged.max(generation);
        let last = progress.delivered + 1 == scenario.sets.len();
        if last || !scenario.hurried {
            agent.settle().await;
        }
        if last {
            return;
        }
        progress.delivered += 1;
    }
}

fn check_end(blade: &Blade, scenario: &Scenario) {
    let tombstones: BTreeSet<ContainerId> = scenario
        .sets
        .iter()
        .flatten()
        .filter(|container| container.phase == Removed)
        .map(|container| container.id)
        .collect();
    // A row leaves the controller's set only after the report that it is gone. A hurried controller of these scenarios drops
    // it without, so there the last set before the empty one counts.
    let last =
        scenario.sets.iter().rposition(|set| !set.is_empty()).expect("a set with containers");
    let hurried_drop = scenario.hurried && last + 1 < scenario.sets.len();
    if !hurried_drop {
        blade.check(&numbered(scenario, last), &tombstones);
    }
    let rebuilt = scenario.sets.iter().flatten().any(|container| container.incarnation > 1);
    for gone in blade.machine.removed() {
        if !tombstones.contains(&gone) && !rebuilt {
            blade.violation("destroyed without a tombstone");
        }
    }
    for (container, wanted) in &scenario.starts {
        if blade.machine.starts(*container) != *wanted {
            blade.violation("started too often, or not often enough");
        }
    }
}

struct Explored {
    schedules: u64,
    failures: Vec<(&'static str, Vec<u64>, BTreeSet<String>)>,
}

fn explore(planted: Option<PlantedFault>, crashes: usize) -> Explored {
    let mut explored = Explored { schedules: 0, failures: Vec::new() };
    for scenario in scenarios() {
        let mut open = vec![Vec::new()];
        while let Some(schedule) = open.pop() {
            let (points, violations) = run(&scenario, &schedule, planted);
            explored.schedules += 1;
            if !violations.is_empty() {
                explored.failures.push((scenario.name, schedule.clone(), violations));
            }
            if schedule.len() < crashes {
                open.extend((1..=points).map(|point| [schedule.as_slice(), &[point]].concat()));
            }
        }
    }
    explored
}

#[test]
fn every_schedule_of_up_to_three_crashes() {
    let explored = explore(None, CRASHES);
    println!("{} schedules", explored.schedules);
    assert!(
        explored.schedules > 10_000,
        "only {} schedules: were points passed at all?",
        explored.schedules
    );
    assert!(
        explored.failures.is_empty(),
        "{:#?}",
        &explored.failures[..explored.failures.len().min(5)]
    );
}

#[test]
fn planted_faults_are_found() {
    for (fault, sign) in [
        (PlantedFault::ForgetBeforeRemove, "reported gone before it was gone"),
        (PlantedFault::AcknowledgeBeforeDurable, "acknowledged before it was durable"),
        (PlantedFault::AbsenceDestroys, "destroyed without a tombstone"),
    ] {
        let explored = explore(Some(fault), 1);
        let found =
            explored.failures.iter().filter(|(_, _, violations)| violations.contains(sign)).count();
        println!("{fault:?}: {found} of {} schedules", explored.schedules);
        assert!(found > 0, "{fault:?} was not found");
    }
}
