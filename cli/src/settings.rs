//! What `login` remembers: where the service is and whom to trust (config.toml, ca.pem), and the session (credentials.toml, for
//! its owner alone). `BERTH_CONFIG_DIR` puts them elsewhere.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::NotSignedIn;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// "https://host:port"
    pub(crate) url: String,
    pub(crate) account: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) token: String,
}

pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn find() -> Result<Self> {
        let path = |name: &str| {
            std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        let folder = path("BERTH_CONFIG_DIR")
            .or_else(|| Some(path("XDG_CONFIG_HOME")?.join("berth")))
            .or_else(|| Some(path("HOME")?.join(".config/berth")))
            // Windows has this one.
            .or_else(|| Some(path("APPDATA")?.join("berth")))
            .context("HOME is not set: set BERTH_CONFIG_DIR")?;
        Ok(Self(folder))
    }

    pub(crate) fn settings(&self) -> Result<Option<Settings>> {
        self.read("config.toml")
    }

    pub(crate) fn credentials(&self) -> Result<Credentials> {
        self.read("credentials.toml")?.ok_or_else(|| NotSignedIn.into())
    }

    /// PEM; the authority that was pinned.
    pub(crate) fn authority(&self) -> Result<Option<String>> {
        let path = self.0.join("ca.pem");
        optional(&path, fs::read_to_string(&path))
    }

    pub(crate) fn remember(
        &self,
        settings: &Settings,
        authority: &str,
        credentials: &Credentials,
    ) -> Result<()> {
        private_folder()
            .create(&self.0)
            .with_context(|| format!("{} cannot be made", self.0.display()))?;
        self.write("ca.pem", authority)?;
        self.write("config.toml", &toml::to_string(settings)?)?;
        self.write("credentials.toml", &toml::to_string(credentials)?)
    }

    /// The service and its authority stay known.
    pub(crate) fn forget_credentials(&self) -> Result<()> {
        let path = self.0.join("credentials.toml");
        optional(&path, fs::remove_file(&path)).map(|_| ())
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.0.join(name);
        let Some(text) = optional(&path, fs::read_to_string(&path))? else { return Ok(None) };
        toml::from_str(&text).map(Some).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Whole or not at all, and never readable for others.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.0.join(name);
        let new = self.0.join(format!("{name}.new"));
        optional(&new, fs::remove_file(&new))?;
        private_file()
            .open(&new)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}

// Where there are no such modes, as on Windows, what is in a person's folder is theirs alone already.

fn private_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// `None` where there is no such file.
fn optional<T>(path: &Path, result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be used", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn remembered_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder(home.path().join("berth"));
        assert_eq!(folder.settings().unwrap(), None);
        assert!(folder.credentials().err().unwrap().is::<NotSignedIn>());
        let settings = Settings { url: "https://h:1".into(), account: "ann".into() };
        for token in ["one", "two"] {
            let credentials = Credentials { token: token.into() };
            folder.remember(&settings, "PEM", &credentials).unwrap();
            assert_eq!(folder.credentials().unwrap().token, token);
        }
        assert_eq!(folder.settings().unwrap(), Some(settings));
        assert_eq!(folder.authority().unwrap().as_deref(), Some("PEM"));
        let file = fs::metadata(folder.0.join("credentials.toml")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        folder.forget_credentials().unwrap();
        folder.forget_credentials().unwrap();
        assert!(folder.credentials().is_err());
    }
}
