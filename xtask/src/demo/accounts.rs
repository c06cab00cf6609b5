//! Who may sign in to the demo, and `demo.json`, which tells other programs.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// Scripts and benchmarks read this: its form is fixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Demo {
    pub(crate) url: String,
    pub(crate) ca_file: PathBuf,
    pub(crate) starter_image: String,
    pub(crate) users: Vec<User>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) role: String,
}

const USERS: [(&str, &str); 4] =
    [("admin", "administrator"), ("teacher", "teacher"), ("alice", "student"), ("bob", "student")];

/// Without letters that look alike: these are typed by hand. A power of two, so that no letter is likelier.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// 20 letters of 5 bits.
const LENGTH: usize = 20;

impl Demo {
    pub(crate) fn new(url: String, ca_file: PathBuf, starter_image: &str) -> Result<Self> {
        let users = USERS
            .iter()
            .map(|(name, role)| {
                Ok(User {
                    name: (*name).to_owned(),
                    password: password()?,
                    role: (*role).to_owned(),
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { url, ca_file, starter_image: starter_image.to_owned(), users })
    }

    pub(crate) fn load(file: &Path) -> Result<Self> {
        let text = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display()))
    }

    /// Never there with fewer than all of its contents, nor readable for others.
    pub(crate) fn save(&self, file: &Path) -> Result<()> {
        let new = file.with_extension("json.new");
        let _ = fs::remove_file(&new);
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut opened| opened.write_all(&text))
            .and_then(|()| fs::rename(&new, file))
            .with_context(|| format!("{} cannot be written", file.display()))
    }

    pub(crate) fn user(&self, name: &str) -> Result<&User> {
        self.users
            .iter()
            .find(|user| user.name == name)
            .with_context(|| format!("no account {name}"))
    }
}

fn password() -> Result<String> {
    let mut random = [0; LENGTH];
    let got = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
        .context("the kernel gives no random numbers")?;
    // The kernel gives up to 256 bytes at once, always.
    anyhow::ensure!(got == LENGTH, "the kernel gives too few random numbers");
    Ok(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_the_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("demo.json");
        let demo = Demo::new("https://127.0.0.1:8443/".into(), "/ca.pem".into(), "image").unwrap();
        demo.save(&file).unwrap();
        demo.save(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Demo::load(&file).unwrap(), demo);
        assert_eq!(demo.users.len(), 4);
        assert_ne!(demo.users[0].password, demo.users[1].password);
        assert_eq!(demo.user("alice").unwrap().role, "student");
    }
}
