//! Terminals through Berth beside the engine alone, on release builds.

use anyhow::Result;

use super::{Figure, Size, programs};
use crate::{
    demo::starter,
    engine::{self, Wanted},
    install, machine, say, shell, workspace,
};

pub(crate) fn run(size: Size) -> Result<Vec<Figure>> {
    machine::require_root("bench terminal")?;
    let programs = programs::build()?;
    engine::ensure(Wanted::Tests)?;
    install::ensure(&[install::BUSYBOX])?;
    let folder = workspace::state("bench");
    std::fs::create_dir_all(&folder)?;
    let image_was_there = starter::exists();
    starter::make(&folder)?;

    say::step("Measuring (two minutes)");
    let mut bench = shell::command(programs.join("berth-bench"), &["terminal", "--folder"]);
    bench.arg(folder.join("terminal")).arg("--programs").arg(&programs);
    bench.args(["--image", starter::IMAGE]);
    if let Some(rounds) = size.rounds {
        bench.args(["--rounds", &rounds.to_string()]);
    }
    let measured = programs::measure(&mut bench);
    if !image_was_there {
        starter::remove()?;
    }
    engine::release(Wanted::Tests)?;
    measured
}
