//! What this machine lets us do.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The agent sets firewall rules and speaks to the engine; both are root's.
pub(crate) fn require_root(command: &str) -> Result<()> {
    if is_root() {
        return Ok(());
    }
    bail!(
        "`cargo xtask {command}` needs root, because it installs and starts a container engine and sets firewall rules: \
         run `sudo -E env \"PATH=$PATH\" cargo xtask {command}`"
    )
}

/// An engine and a linker that run out of disk half way leave a mess that is hard to read.
pub(crate) fn require_disk(path: &Path, gibibytes: u64) -> Result<()> {
    let mut existing = path;
    while !existing.exists() {
        existing = existing.parent().context("the root folder exists")?;
    }
    let disk = rustix::fs::statvfs(existing)
        .with_context(|| format!("the disk under {} cannot be read", existing.display()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= gibibytes << 30 {
        return Ok(());
    }
    let tenths = free / ((1 << 30) / 10);
    bail!(
        "the disk under {} has {}.{} GiB left and {gibibytes} GiB are needed: make room and run this again",
        existing.display(),
        tenths / 10,
        tenths % 10,
    )
}
