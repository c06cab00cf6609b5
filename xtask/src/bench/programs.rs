//! `berth-bench` and what it measures.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::{Figure, Size};
use crate::{
    demo::starter,
    engine::{self, Wanted},
    install, machine, say, shell, workspace,
};

/// As they are shipped; always all of them, since fewer would choose other features and begin anew.
pub(crate) fn build() -> Result<PathBuf> {
    say::step("Building controller and agent as releases (some minutes on a fresh clone)");
    shell::run(&mut workspace::cargo(&[
        "build",
        "--release",
        "--bins",
        "--package",
        "berth-controller",
        "--package",
        "berth-agent",
        "--package",
        "berth",
        "--package",
        "berth-bench",
    ]))?;
    Ok(workspace::built().join("release"))
}

/// What it prints; what it says meanwhile is for the person who waits.
pub(crate) fn measure(bench: &mut Command) -> Result<Vec<Figure>> {
    let measured = bench.stderr(Stdio::inherit()).output().context("berth-bench cannot be run")?;
    ensure!(measured.status.success(), "nothing was measured ({})", measured.status);
    serde_json::from_slice(&measured.stdout).context("berth-bench prints figures")
}

/// A benchmark that needs an engine and the starter image, and leaves neither where there was none. `time` is what the
/// person who waits is told.
pub(crate) fn beside_the_engine(name: &str, time: &str, size: Size) -> Result<Vec<Figure>> {
    machine::require_root(&format!("bench {name}"))?;
    let programs = build()?;
    engine::ensure(Wanted::Tests)?;
    install::ensure(&[install::BUSYBOX])?;
    let folder = workspace::state("bench");
    std::fs::create_dir_all(&folder)?;
    let image_was_there = starter::exists();
    starter::make(&folder)?;

    say::step(format!("Measuring ({time})"));
    let mut bench = shell::command(programs.join("berth-bench"), &[name, "--folder"]);
    bench.arg(folder.join(name)).arg("--programs").arg(&programs);
    bench.args(["--image", starter::IMAGE]);
    if let Some(rounds) = size.rounds {
        bench.args(["--rounds", &rounds.to_string()]);
    }
    let measured = measure(&mut bench);
    if !image_was_there {
        starter::remove()?;
    }
    engine::release(Wanted::Tests)?;
    measured
}
