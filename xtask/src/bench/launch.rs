//! Creations through Berth beside the engine alone, on release builds: a program of its own measures, this one brings what
//! it needs.

use anyhow::{Context as _, Result, ensure};

use super::{Figure, Size};
use crate::{
    demo::starter,
    engine::{self, Wanted},
    install, machine, say, shell, workspace,
};

pub(crate) fn run(size: Size) -> Result<Vec<Figure>> {
    machine::require_root("bench launch")?;
    let programs = build()?;
    engine::ensure(Wanted::Tests)?;
    install::ensure(&[install::BUSYBOX])?;
    let folder = workspace::state("bench");
    std::fs::create_dir_all(&folder)?;
    let image_was_there = starter::exists();
    starter::make(&folder)?;

    say::step("Measuring (a quarter of an hour for 300 pairs)");
    let mut bench = shell::command(programs.join("berth-bench"), &["launch", "--folder"]);
    bench.arg(folder.join("launch")).arg("--programs").arg(&programs);
    bench.args(["--image", starter::IMAGE]);
    if let Some(rounds) = size.rounds {
        bench.args(["--rounds", &rounds.to_string()]);
    }
    let measured = bench.stderr(std::process::Stdio::inherit()).output();
    if !image_was_there {
        starter::remove()?;
    }
    engine::release(Wanted::Tests)?;
    let measured = measured.context("berth-bench cannot be run")?;
    ensure!(measured.status.success(), "nothing was measured ({})", measured.status);
    serde_json::from_slice(&measured.stdout).context("berth-bench prints figures")
}

/// As they are shipped.
fn build() -> Result<std::path::PathBuf> {
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
