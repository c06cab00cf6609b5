//! Creations through Berth beside the engine alone, on release builds: a program of its own measures, this one brings what
//! it needs.

use anyhow::Result;

use super::{Figure, Size, programs};
use crate::{
    demo::starter,
    engine::{self, Wanted},
    install, machine, say, shell, workspace,
};

pub(crate) fn run(size: Size) -> Result<Vec<Figure>> {
    machine::require_root("bench launch")?;
    let programs = programs::build()?;
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
    let measured = programs::measure(&mut bench);
    if !image_was_there {
        starter::remove()?;
    }
    engine::release(Wanted::Tests)?;
    measured
}
