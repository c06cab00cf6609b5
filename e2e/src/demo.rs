//! `demo.json`: where a demo is, and who may sign in.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// Names the file for the tests.
pub const VARIABLE: &str = "BERTH_DEMO";

#[derive(Debug, Clone, Deserialize)]
pub struct Demo {
    pub url: String,
    pub ca_file: PathBuf,
    pub starter_image: String,
    pub users: Vec<User>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct User {
    pub name: String,
    pub password: String,
    pub role: String,
}

impl Demo {
    pub fn load(file: &Path) -> Result<Self> {
        let text =
            std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display()))
    }

    pub fn from_environment() -> Result<Self> {
        let file = std::env::var_os(VARIABLE)
            .with_context(|| format!("{VARIABLE} names the demo.json of a running demo"))?;
        Self::load(Path::new(&file))
    }

    pub fn user(&self, name: &str) -> Result<&User> {
        self.users
            .iter()
            .find(|user| user.name == name)
            .with_context(|| format!("the demo has no account {name}"))
    }

    pub fn administrator(&self) -> Result<&User> {
        self.users
            .iter()
            .find(|user| user.role == "administrator")
            .context("the demo has no administrator")
    }

    /// `url` with a path in place of its last slash.
    pub fn page(&self, path: &str) -> String {
        format!("{}{path}", self.url.trim_end_matches('/'))
    }
}
