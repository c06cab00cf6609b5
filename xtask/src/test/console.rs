//! The console: lints for the browser's target, the build, and how much of it a browser fetches first.

use anyhow::{Result, ensure};

use super::suite::Tally;
use crate::{bench, lint, workspace};

pub(crate) fn run() -> Result<Tally> {
    let built = Tally::of(workspace::build_console(true));
    Ok(built + Tally::of(lint::clippy_console()) + Tally::of(size()))
}

fn size() -> Result<()> {
    let first_load = bench::first_load()?;
    ensure!(first_load.holds, "the first load is {:.1} {}", first_load.value, first_load.unit);
    Ok(())
}
