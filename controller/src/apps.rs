//! Containers' ports under https names: what the gate needs of this machine.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use berth_api::Apps;
use berth_core::{app_host::AppDomain, share::Lifetimes};
use rand::{TryRngCore as _, rngs::OsRng};

use crate::config::Config;

/// Seals the cookies of containers' pages. Not in the database: whoever reads that can make none.
const KEY: &str = "apps.key";

/// `port` is what the console listens on.
pub(crate) fn site(config: &Config, port: u16) -> Option<Apps> {
    let apps = &config.apps;
    apps.is_on().then(|| Apps {
        domain: AppDomain { domain: apps.domain.clone(), port: apps.port.unwrap_or(port) },
        links: Lifetimes { default: apps.link_default, maximum: apps.link_maximum },
        link_path: berth_gate::LINK_PATH,
    })
}

/// The one in `folder`; made there the first time.
pub(crate) fn key(folder: &Path) -> Result<[u8; 32]> {
    let path = folder.join(KEY);
    let read = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(folder, &path).with_context(|| format!("{} cannot be made", path.display()))?;
            File::open(&path).with_context(|| format!("{} cannot be read", path.display()))?
        }
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", path.display()));
        }
    };
    let mut bytes = Vec::new();
    read.take(64)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let key = <[u8; 32]>::try_from(bytes);
    ensure!(key.is_ok(), "{} does not hold 32 bytes: remove it", path.display());
    Ok(key.unwrap_or_default())
}

/// All of it or nothing, whenever the machine stops.
fn create(folder: &Path, path: &Path) -> io::Result<()> {
    let mut bytes = [0; 32];
    OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    let new = path.with_extension("key.new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_stays() {
        let folder = tempfile::tempdir().unwrap();
        let first = key(folder.path()).unwrap();
        assert_ne!(first, [0; 32]);
        assert_eq!(key(folder.path()).unwrap(), first);
        let path = folder.path().join(KEY);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for damaged in [&[1; 31][..], &[1; 33], &[]] {
            std::fs::write(&path, damaged).unwrap();
            let error = key(folder.path()).unwrap_err().to_string();
            assert!(error.contains("apps.key"), "{error}");
        }
    }
}
