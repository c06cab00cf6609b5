//! Everything that CI checks, in one command.

mod ansible;
mod console;
mod elsewhere;
mod list;
mod nextest;
mod service;
mod suite;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use clap::Args;

use self::suite::{Needs, Suite, Tally};
use crate::{
    demo::{AGENT, CONTROLLER, Paths},
    engine::{self, Wanted},
    install, machine, say, workspace,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Leave out what needs servers.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Add the long proofs: many seeds, chaos.
    #[arg(long)]
    full: bool,
    /// Only these suites, by name.
    #[arg(value_name = "SUITE")]
    only: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    Quick,
    Ordinary,
    Full,
}

/// Everything that a debug build and an engine's images take.
const DISK_GIBIBYTES: u64 = 12;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let extent = match (arguments.quick, arguments.full) {
        (true, _) => Extent::Quick,
        (false, true) => Extent::Full,
        (false, false) => Extent::Ordinary,
    };
    let suites = choose(extent, &arguments.only)?;
    machine::require_disk(workspace::root(), DISK_GIBIBYTES)?;
    let began = Instant::now();
    let servers = suites.iter().any(|suite| suite.needs != Needs::Nothing);
    if servers {
        prepare()?;
    }
    let results: Vec<(&Suite, Tally, Duration)> = suites
        .into_iter()
        .map(|suite| {
            let began = Instant::now();
            say::blank();
            say::step(format_args!("suite {}: {}", suite.name, suite.about));
            let tally = (suite.run)(extent).unwrap_or_else(|error| {
                say::stopped(&error);
                Tally::failed()
            });
            let time = began.elapsed();
            say::note(format_args!("suite {}: {tally} in {}", suite.name, say::seconds(time)));
            (suite, tally, time)
        })
        .collect();
    if servers {
        engine::release(Wanted::Tests)?;
    }
    report(&results, began.elapsed())
}

/// In the order of the list, whatever the order in which they were named.
fn choose(extent: Extent, only: &[String]) -> Result<Vec<&'static Suite>> {
    let unknown: BTreeSet<&str> = only
        .iter()
        .map(String::as_str)
        .filter(|name| list::SUITES.iter().all(|suite| suite.name != *name))
        .collect();
    if !unknown.is_empty() {
        let names: Vec<&str> = list::SUITES.iter().map(|suite| suite.name).collect();
        bail!(
            "no suite is called {}; there are: {}",
            unknown.into_iter().collect::<Vec<_>>().join(", "),
            names.join(", ")
        );
    }
    let wanted = |suite: &&Suite| {
        let named = only.iter().any(|name| name == suite.name);
        // The demo's suites stand on its start, and its end leaves nothing behind.
        let frame = suite.needs == Needs::Demo && matches!(suite.name, "demo-up" | "demo-down");
        let demo_named = list::SUITES
            .iter()
            .any(|other| other.needs == Needs::Demo && only.iter().any(|name| name == other.name));
        if only.is_empty() { suite.extent() <= extent } else { named || frame && demo_named }
    };
    Ok(list::SUITES.iter().filter(wanted).collect())
}

/// What the suites with servers stand on. Each suite starts its own servers; the engine is for all of them.
fn prepare() -> Result<()> {
    machine::require_root("test")?;
    let paths = Paths::new();
    if [CONTROLLER, AGENT].iter().any(|program| program.running(&paths).is_some()) {
        bail!(
            "a demo runs here, and the tests start one of their own: run `cargo xtask demo --down` first"
        );
    }
    install::ensure(install::FOR_TESTS)?;
    engine::ensure(Wanted::Tests)
}

fn report(results: &[(&Suite, Tally, Duration)], total: Duration) -> Result<()> {
    say::blank();
    let sum = results.iter().fold(Tally::default(), |sum, (_, tally, _)| sum + *tally);
    for (suite, tally, time) in results {
        say::note(format_args!("{:<14} {:>14}   {tally}", suite.name, say::seconds(*time)));
    }
    say::note(format_args!("{:<14} {:>14}", "in all", say::seconds(total)));
    say::plain(sum);
    if sum.failed > 0 {
        // The last line is the sum; what failed was said above.
        std::process::exit(1);
    }
    Ok(())
}
