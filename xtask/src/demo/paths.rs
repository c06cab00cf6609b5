//! What lies under `target/demo/`.

use std::path::{Path, PathBuf};

use crate::workspace;

pub(crate) struct Paths {
    folder: PathBuf,
}

impl Paths {
    pub(crate) fn new() -> Self {
        Self { folder: workspace::state("demo") }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// For people and programs: see `accounts`.
    pub(crate) fn demo(&self) -> PathBuf {
        self.folder.join("demo.json")
    }

    pub(crate) fn controller_config(&self) -> PathBuf {
        self.folder.join("controller.toml")
    }

    pub(crate) fn controller_data(&self) -> PathBuf {
        self.folder.join("controller")
    }

    /// The authority that signed the console's certificate, for clients.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.controller_data().join("ca.pem")
    }

    pub(crate) fn agent_config(&self) -> PathBuf {
        self.folder.join("agent.toml")
    }

    pub(crate) fn agent_data(&self) -> PathBuf {
        self.folder.join("agent")
    }

    /// There once every account is in the database.
    /// People's homes; gone with the demo.
    pub(crate) fn homes(&self) -> PathBuf {
        self.folder.join("homes")
    }

    pub(crate) fn volumes(&self) -> PathBuf {
        self.folder.join("volumes")
    }

    pub(crate) fn accounts_made(&self) -> PathBuf {
        self.folder.join("accounts-made")
    }

    /// There once the agent has its certificate.
    pub(crate) fn joined(&self) -> PathBuf {
        self.folder.join("joined")
    }

    /// Holds the address that it was made for.
    pub(crate) fn listen(&self) -> PathBuf {
        self.folder.join("listen")
    }

    /// Holds the folder of the programs that it was made with.
    pub(crate) fn programs(&self) -> PathBuf {
        self.folder.join("programs")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }
}
