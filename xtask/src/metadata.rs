//! What cargo knows of the workspace.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{shell, workspace};

#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// Members of the workspace only.
    pub(crate) packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for what ships, else "dev" or "build".
    pub(crate) kind: Option<String>,
    /// Set for a member of the workspace.
    pub(crate) path: Option<PathBuf>,
    pub(crate) features: Vec<String>,
}

impl Metadata {
    pub(crate) fn read() -> Result<Self> {
        let text = shell::output(&mut workspace::cargo(&[
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
        ]))?;
        serde_json::from_str(&text).context("cargo's metadata cannot be read")
    }
}
