//! The two programs of a demo, running or not.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::paths::Paths;
use crate::process::{self, Ending, Identity};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Program {
    name: &'static str,
    arguments: &'static str,
}

pub(crate) const CONTROLLER: Program = Program { name: "berth-controller", arguments: "serve" };
pub(crate) const AGENT: Program = Program { name: "berth-agent", arguments: "run" };

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Program {
    pub(crate) fn file(self, folder: &Path) -> PathBuf {
        folder.join(self.name)
    }

    pub(crate) fn config(self, paths: &Paths) -> PathBuf {
        if self == CONTROLLER { paths.controller_config() } else { paths.agent_config() }
    }

    pub(crate) fn log(self, paths: &Paths) -> PathBuf {
        paths.folder().join(format!("{}.log", self.name))
    }

    fn record(self, paths: &Paths) -> PathBuf {
        paths.folder().join(format!("{}.pid", self.name))
    }

    pub(crate) fn running(self, paths: &Paths) -> Option<Identity> {
        Identity::load(&self.record(paths)).filter(Identity::is_running)
    }

    pub(crate) fn start(self, paths: &Paths, folder: &Path) -> Result<Identity> {
        let config = self.config(paths);
        let process = process::start(
            &self.file(folder),
            |command| {
                command.arg(self.arguments).arg("--config").arg(&config);
            },
            &self.log(paths),
        )?;
        process.save(&self.record(paths))?;
        Ok(process)
    }

    pub(crate) fn stop(self, paths: &Paths) -> Result<Ending> {
        let record = self.record(paths);
        let Some(process) = Identity::load(&record) else { return Ok(Ending::Absent) };
        let ending = process
            .end(Duration::from_secs(20))
            .with_context(|| format!("{self} cannot be stopped"))?;
        std::fs::remove_file(&record)?;
        Ok(ending)
    }

    /// The last lines of its log, for somebody who wonders why it did not work out.
    pub(crate) fn last_words(self, paths: &Paths) -> Vec<String> {
        const LINES: usize = 3;
        let text = std::fs::read(self.log(paths)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(LINES)..].iter().map(|line| (*line).to_owned()).collect()
    }
}
