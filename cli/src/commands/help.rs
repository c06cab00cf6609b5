//! `berth completion` and `berth man`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell, such as bash, zsh or fish
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where the pages are to be written, one for each command
    folder: PathBuf,
}

impl Completion {
    pub(crate) fn run<C: CommandFactory>(&self) {
        let mut command = C::command();
        let name = command.get_name().to_owned();
        clap_complete::generate(self.shell, &mut command, name, &mut std::io::stdout());
    }
}

impl Man {
    pub(crate) fn run<C: CommandFactory>(&self) -> Result<()> {
        let folder = self.folder.display();
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("{folder} cannot be made"))?;
        clap_mangen::generate_to(C::command(), &self.folder)
            .with_context(|| format!("{folder} cannot be written to"))
    }
}
