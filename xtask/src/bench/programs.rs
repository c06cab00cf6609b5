//! `berth-bench` and what it measures.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::Figure;
use crate::{say, shell, workspace};

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
