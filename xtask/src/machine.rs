//! What this machine lets us do.

use std::path::Path;

use anyhow::{Context as _, Error, Result};

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The agent sets firewall rules and speaks to the engine; both are root's.
pub(crate) fn require_root(command: &str) -> Result<()> {
    if is_root() { Ok(()) } else { Err(Error::msg(needs_root(command))) }
}

fn needs_root(command: &str) -> String {
    format!(
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
    let free = free_bytes(existing)?;
    if free >= gibibytes << 30 {
        return Ok(());
    }
    Err(Error::msg(too_little(existing, free, gibibytes)))
}

/// On the disk that an existing file or folder lies on.
pub(crate) fn free_bytes(path: &Path) -> Result<u64> {
    let disk = rustix::fs::statvfs(path)
        .with_context(|| format!("the disk under {} cannot be read", path.display()))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn too_little(path: &Path, free: u64, gibibytes: u64) -> String {
    let tenths = free / ((1 << 30) / 10);
    format!(
        "the disk under {} has {}.{} GiB left and {gibibytes} GiB are needed: make room and run this again",
        path.display(),
        tenths / 10,
        tenths % 10,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_asked_for_with_the_command_to_type() {
        let sentence = needs_root("demo");
        assert!(sentence.starts_with("`cargo xtask demo` needs root"), "{sentence}");
        assert!(
            sentence.ends_with("run `sudo -E env \"PATH=$PATH\" cargo xtask demo`"),
            "{sentence}"
        );
        assert!(!sentence.contains('\n'));
    }

    #[test]
    fn a_small_disk_is_a_sentence() {
        assert_eq!(
            too_little(Path::new("/srv"), (1 << 30) + (1 << 29), 5),
            "the disk under /srv has 1.5 GiB left and 5 GiB are needed: make room and run this again"
        );
        require_disk(Path::new("/no/such/folder"), 0).unwrap();
        let error = require_disk(Path::new("/no/such/folder"), 1 << 33).unwrap_err().to_string();
        assert!(error.starts_with("the disk under / has "), "{error}");
    }
}
