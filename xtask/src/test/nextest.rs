//! Tests of the crates, run by cargo-nextest and counted from its report.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};

use super::suite::Tally;
use crate::{lint, shell, workspace};

/// Used where the machine has none.
const CARGO_NEXTEST: &str = "0.9.143";

/// The store's conformance on PostgreSQL starts a server by itself, but cannot install one.
const POSTGRESQL: &str = "package(berth-store) & test(=postgresql)";

/// Everything that needs nothing but cargo.
pub(crate) fn ordinary() -> Result<Tally> {
    run("ci", &["--filterset", &format!("not ({POSTGRESQL})")], &[])
}

pub(crate) fn postgresql() -> Result<Tally> {
    run("ci", &["--filterset", POSTGRESQL], &[])
}

/// Tests that speak to the engine; they say so by being ignored without one.
pub(crate) fn engine() -> Result<Tally> {
    ignored("not package(berth-e2e)", &[("BERTH_TEST_DOCKER", "1")])
}

/// The ordinary run has 50 of them.
pub(crate) fn many_seeds() -> Result<Tally> {
    let filter = "package(berth-sim) & test(/^seeds::whatever/)";
    run("long", &["--filterset", filter], &[("BERTH_SIM_SEEDS", "2000")])
}

/// Only what is ignored by default.
pub(crate) fn ignored(filter: &str, environment: &[(&str, &str)]) -> Result<Tally> {
    run("ci", &["--run-ignored", "only", "--filterset", filter], environment)
}

/// The build is the one of all suites, since a build of one package alone would choose other features and begin anew.
fn run(profile: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Tally> {
    let report = workspace::built().join(format!("nextest/{profile}/junit.xml"));
    // A report of an earlier run must not be counted.
    let _ = fs::remove_file(&report);
    let mut command = shell::command(
        program()?,
        &["nextest", "run", "--workspace", "--profile", profile, "--no-tests", "fail"],
    );
    command.current_dir(workspace::root()).args(arguments).envs(environment.iter().copied());
    let outcome = shell::run(&mut command);
    let Ok(text) = fs::read_to_string(&report) else {
        outcome?;
        bail!("nextest left no report at {}", report.display());
    };
    let tally = count(&text).context("nextest's report cannot be read")?;
    if tally.failed == 0 {
        // It failed, but no test did.
        outcome?;
    }
    Ok(tally)
}

fn program() -> Result<PathBuf> {
    if let Some(program) = shell::find("cargo-nextest") {
        return Ok(program);
    }
    let program = workspace::state("tools/bin/cargo-nextest");
    if !program.is_file() {
        lint::install_tool("cargo-nextest", CARGO_NEXTEST)?;
    }
    Ok(program)
}

/// The sums stand in the first element of the JUnit report.
fn count(report: &str) -> Option<Tally> {
    let (_, rest) = report.split_once("<testsuites ")?;
    let (attributes, _) = rest.split_once('>')?;
    let number = |name: &str| -> Option<u64> {
        let (_, rest) = attributes.split_once(&format!("{name}=\""))?;
        rest.split_once('"')?.0.parse().ok()
    };
    let failed = number("failures")? + number("errors")?;
    Some(Tally { passed: number("tests")?.checked_sub(failed)?, failed, skipped: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_a_report() {
        let report = "<?xml version=\"1.0\"?>\n<testsuites name=\"nextest-run\" tests=\"12\" failures=\"2\" \
                      errors=\"1\" uuid=\"x\" time=\"0.5\">\n<testsuite name=\"a\" tests=\"3\" failures=\"9\">";
        assert_eq!(count(report), Some(Tally { passed: 9, failed: 3, skipped: 0 }));
        assert_eq!(count("<testsuites>"), None);
        assert_eq!(count(""), None);
    }
}
