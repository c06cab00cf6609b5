//! One run of one seed.

use std::{sync::Arc, time::Duration};

use berth_app::ports::{Records, Store as _};
use berth_core::{clock::Clock as _, image::ImageRef};
use berth_reconcile::point::PlantedFault;
use futures::FutureExt as _;
use turmoil::Sim;

pub use crate::record::{Keep, Seen};
use crate::{
    agent,
    authority::{CONTROLLER, authority},
    blade::Blade,
    clock::{SimClock, beginning},
    controller::{self, PEOPLE, person},
    faults::Faults,
    journal::Journal,
    people::{self, Crowd, IMAGES},
    record::Recorder,
    settled::{check_sums, unsettled},
    store::restored,
    world::{CLUSTER, EPOCH, World, next_epoch, rules},
};

/// Messages arrive between ticks; timers are exact to the millisecond within them.
const TICK: Duration = Duration::from_millis(10);
/// While things break.
const STORM: Duration = Duration::from_secs(40);
/// By then everything must have come to rest: a lost connection is noticed after 20 s, a failed step is repeated after at
/// most a minute.
const REST: Duration = Duration::from_secs(150);
/// How often it is looked whether it has.
const LOOK: u32 = 25;

#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    pub planted: Option<PlantedFault>,
    pub keep: Keep,
}

#[derive(Debug, Clone)]
pub struct Outcome {
    pub seed: u64,
    pub violations: Vec<String>,
    /// Of the log: equal for two runs of one plan.
    pub sha256: String,
    pub events: u64,
    pub seen: Seen,
    /// The log itself, where it was asked for.
    pub lines: Vec<String>,
    /// How long it took to come to rest, in simulated time.
    pub rest: Duration,
}

/// Every third run has a class in it, every fifth a database that is put back.
fn crowd(seed: u64) -> Crowd {
    if seed.is_multiple_of(3) { Crowd::Class } else { Crowd::Few }
}

fn puts_back(seed: u64) -> bool {
    seed % 5 == 3
}

pub fn run(plan: Plan) -> Outcome {
    // Before the log begins: made once in a process, and no part of any run.
    let _made = authority();
    let clock = Arc::new(SimClock::default());
    clock.set(beginning().duration_since(std::time::UNIX_EPOCH).unwrap_or_default());
    let recorder = Recorder::new(Arc::clone(&clock), plan.keep);
    let rest = tracing::subscriber::with_default(recorder.subscriber(), || {
        let journal = Arc::new(Journal::default());
        let blades = (0..3)
            .map(|index| Blade::new(plan.seed, index, Arc::clone(&clock), Arc::clone(&journal)))
            .collect();
        let world = Arc::new(World::new(plan.seed, plan.planted, clock, journal, blades));
        for blade in &world.blades {
            // The others are fetched.
            blade.machine.add_image(ImageRef::parse(IMAGES[0]).expect("an image"));
        }
        let rest = weather(&world);
        (world.journal.violations(), rest)
    });
    let (violations, rest) = rest;
    let (sha256, events, seen) = recorder.summary();
    let lines = recorder.lines();
    Outcome { seed: plan.seed, violations, sha256, events, seen, lines, rest }
}

fn weather(world: &Arc<World>) -> Duration {
    let mut sim = hosts(world);
    let mut faults = Faults::new(Arc::clone(world));
    let mut backup = None;
    let mut sequence = 0;
    while sim.elapsed() < STORM && step(&mut sim, world, &mut sequence) {
        faults.step(&mut sim);
        if puts_back(world.seed) {
            put_back(world, &mut sim, &mut faults, &mut backup);
        }
        if world.planted == Some(PlantedFault::AbsenceDestroys) && sim.elapsed() > STORM / 2 {
            lose_a_row(world);
        }
    }
    world.close();
    faults.heal(&mut sim);
    let calm = sim.elapsed();
    let mut looked = 0;
    let mut rested = 0;
    loop {
        if !step(&mut sim, world, &mut sequence) {
            return sim.elapsed() - calm;
        }
        let now = sim.elapsed();
        faults.notice_end(&mut sim, now);
        faults.mend(&mut sim, now);
        looked += 1;
        if looked % LOOK != 0 {
            continue;
        }
        let open = unsettled(world);
        // For three looks: what was on its way has arrived.
        rested = if open.is_empty() { rested + 1 } else { 0 };
        if rested == 3 {
            let there =
                world.live().map(|h| h.committed().state.containers.keys().copied().collect());
            world.journal.check_promises(
                &there.unwrap_or_default(),
                world.clock.now(),
                rules().grace,
            );
            return now - calm;
        }
        if now - calm > REST {
            open.into_iter()
                .for_each(|what| world.journal.violation(format!("at the end: {what}")));
            return now - calm;
        }
    }
}

fn hosts(world: &Arc<World>) -> Sim<'static> {
    let mut sim = turmoil::Builder::new()
        .epoch(beginning())
        .tick_duration(TICK)
        .simulation_duration(Duration::from_secs(3600))
        // One delay for a whole link, which the faults change: drawn for each message, it would depend on their number.
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(1))
        .tcp_capacity(1 << 16)
        .rng_seed(world.seed)
        .build();
    let shared = Arc::clone(world);
    sim.host(CONTROLLER, move || controller::run(Arc::clone(&shared)));
    for blade in &world.blades {
        let (shared, blade) = (Arc::clone(world), Arc::clone(blade));
        sim.host(blade.name, move || agent::run(Arc::clone(&shared), Arc::clone(&blade)));
    }
    sim.client("people", people::run(Arc::clone(world), crowd(world.seed)));
    sim
}

/// One tick, and what must be so after each. False when a host has failed.
fn step(sim: &mut Sim<'_>, world: &World, sequence: &mut u64) -> bool {
    if let Err(error) = sim.step() {
        world.journal.violation(format!("a host has failed: {error}"));
        return false;
    }
    world.clock.set(sim.since_epoch());
    world.blades.iter().for_each(|blade| blade.check_ledger());
    if let Some(handle) = world.live() {
        let committed = handle.committed();
        if committed.sequence != *sequence {
            *sequence = committed.sequence;
            check_sums(world, &committed.state);
        }
    }
    true
}

/// A third of the way a backup is taken; later the controller dies with its database, and comes back with the backup,
/// under a new epoch. In some runs the backup does not know one of the people.
fn put_back(world: &World, sim: &mut Sim<'_>, faults: &mut Faults, backup: &mut Option<Records>) {
    let now = sim.elapsed();
    if faults.is_down(CONTROLLER) {
        return;
    }
    if backup.is_none() && now > STORM / 3 {
        let (store, _) = world.store();
        *backup = store.load(CLUSTER, EPOCH).now_or_never().and_then(Result::ok);
    }
    let Some(records) = backup else { return };
    if !world.journal.was_put_back() && now > STORM * 2 / 3 {
        if forgets_a_person(world.seed) {
            let index = PEOPLE.len() - 1;
            let user = person(index, PEOPLE[index]).id;
            records.users.retain(|other| other.id != user);
            records.containers.retain(|row| row.owner != user);
        }
        tracing::info!(target: "berth_sim", revision = records.revision, "the database is put back");
        world.journal.put_back(records);
        replace(world, sim, faults, records);
    }
}

fn replace(world: &World, sim: &mut Sim<'_>, faults: &mut Faults, records: &Records) {
    faults.crash(sim, CONTROLLER, sim.elapsed() + Duration::from_secs(1));
    let epoch = next_epoch(world.clock.now());
    match restored(records.clone(), epoch).now_or_never() {
        Some(Ok(store)) => world.put_back(store, epoch),
        Some(Err(_)) | None => world.journal.violation("the backup cannot be put back"),
    }
}

fn forgets_a_person(seed: u64) -> bool {
    seed % 10 == 3
}

/// What no weather does: without it, nothing is ever absent from a set, and a blade that destroys for it goes unnoticed.
fn lose_a_row(world: &World) {
    let Some(handle) = world.live() else { return };
    let Some(id) = handle.committed().state.containers.keys().next().copied() else { return };
    let asked = handle.apply(move |transaction| {
        transaction.remove_container(id);
        Ok(())
    });
    // Asked in passing: whether it is answered is of no interest.
    drop(asked.now_or_never());
}
