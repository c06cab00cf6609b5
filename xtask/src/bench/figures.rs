//! What live figures cost the controller, on release builds.

use std::fs;

use anyhow::Result;

use super::{Figure, Size, programs};
use crate::{say, shell, workspace};

pub(crate) fn run(size: Size) -> Result<Vec<Figure>> {
    let programs = programs::build()?;
    say::step("Measuring (up to nine minutes: history is written every five)");
    let folder = workspace::state("bench");
    fs::create_dir_all(&folder)?;
    let mut bench = shell::command(programs.join("berth-bench"), &["figures", "--folder"]);
    bench.arg(folder.join("figures")).arg("--programs").arg(&programs);
    if let Some(nodes) = size.nodes {
        bench.args(["--nodes", &nodes.to_string()]);
    }
    if let Some(containers) = size.containers {
        bench.args(["--containers", &containers.to_string()]);
    }
    programs::measure(&mut bench)
}
