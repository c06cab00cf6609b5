//! Taking a demo away, with everything of it.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

use super::{
    paths::Paths,
    programs::{AGENT, CONTROLLER},
    starter,
};
use crate::{
    engine::{self, Wanted},
    machine,
    process::Ending,
    say, shell,
};

pub(crate) fn down() -> Result<()> {
    let paths = Paths::new();
    if !paths.folder().exists() {
        say::note("There is no demo here.");
        return Ok(());
    }
    machine::require_root("demo --down")?;
    say::step("Taking the demo down");
    for program in [AGENT, CONTROLLER] {
        match program.stop(&paths)? {
            Ending::Absent => {}
            Ending::Ended => say::note(format_args!("{program} has stopped")),
            Ending::Killed => say::note(format_args!("{program} had to be killed")),
        }
    }
    if paths.joined().exists() {
        purge(&paths)?;
    }
    if engine::answers() {
        starter::remove()?;
    }
    engine::release(Wanted::Demo)?;
    fs::remove_dir_all(paths.folder())
        .with_context(|| format!("{} cannot be removed", paths.folder().display()))?;
    say::note("Containers, networks, firewall rules and accounts are gone; Debian packages stay.");
    Ok(())
}

/// The agent knows what is its own by labels; nothing else on the engine is touched.
fn purge(paths: &Paths) -> Result<()> {
    if !engine::answers() {
        // After a reboot, for example: containers and networks are still on its disk.
        engine::ensure(Wanted::Demo)?;
    }
    let programs = fs::read_to_string(paths.programs())
        .map(PathBuf::from)
        .context("no programs are recorded")?;
    let mut purge = shell::command(AGENT.file(&programs), &["purge", "--config"]);
    let said = shell::output(purge.arg(paths.agent_config())).with_context(|| {
        format!(
            "containers and networks could not be removed with {}",
            AGENT.file(&programs).display()
        )
    })?;
    for line in said.lines() {
        say::note(line);
    }
    Ok(())
}
