//! What is read of an image before anything is made from it: as whom it runs, and its lists of accounts.
//!
//! # Caveats
//! The lists are read from the layers as the driver `overlay2` keeps them. With another driver, and from images whose lists
//! are links, a container gets lists with root and its owner alone.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use berth_storage::{Ids, Image, ImageAccounts};
use bollard::models::ImageInspect;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};

/// Longer lists are no image's.
const LIST_MAXIMUM: u64 = 1 << 20;

#[derive(Debug)]
pub(crate) struct ImageFacts {
    working_directory: String,
    image: Image,
}

/// What an inspection says.
#[derive(Debug, Default)]
struct Inspected {
    user: String,
    /// The uppermost first.
    layers: Vec<PathBuf>,
}

impl ImageFacts {
    /// Reads files.
    pub(crate) fn read(answer: ImageInspect) -> Self {
        let config = answer.config.unwrap_or_default();
        let driver = answer.graph_driver.unwrap_or_default();
        let mut layers = Vec::new();
        if driver.name == "overlay2" {
            layers.extend(driver.data.get("UpperDir").map(PathBuf::from));
            let lower = driver.data.get("LowerDir").map(String::as_str).unwrap_or_default();
            layers.extend(lower.split(':').filter(|path| !path.is_empty()).map(PathBuf::from));
        }
        let inspected = Inspected { user: config.user.unwrap_or_default(), layers };
        let accounts = inspected.accounts();
        Self {
            working_directory: config.working_dir.unwrap_or_default(),
            image: Image { user: inspected.user(&accounts), accounts },
        }
    }

    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    /// It does not care where it begins, or begins in a home that is not its owner's.
    pub(crate) fn works_in_root(&self) -> bool {
        matches!(self.working_directory.as_str(), "" | "/" | "/root")
    }
}

impl Inspected {
    fn accounts(&self) -> ImageAccounts {
        ImageAccounts { passwd: self.list("etc/passwd"), group: self.list("etc/group") }
    }

    /// `name`, `uid`, `name:group`, `uid:gid`: what the lists do not explain is root, as for an image that says nothing.
    fn user(&self, accounts: &ImageAccounts) -> Ids {
        let (user, group) = match self.user.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (self.user.as_str(), None),
        };
        let line = accounts.passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, _password, uid, gid) =
                (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            let ids = Ids { uid: uid.parse().ok()?, gid: gid.parse().ok()? };
            (name == user || uid == user).then_some(ids)
        });
        let mut ids = line.unwrap_or_else(|| Ids { uid: user.parse().unwrap_or(0), gid: 0 });
        if let Some(group) = group {
            let named = accounts.group.lines().find_map(|line| {
                let mut fields = line.split(':');
                (fields.next()? == group).then(|| fields.nth(1)?.parse().ok()).flatten()
            });
            ids.gid = named.or_else(|| group.parse().ok()).unwrap_or(ids.gid);
        }
        ids
    }

    fn list(&self, path: &str) -> String {
        for layer in &self.layers {
            match read_in(layer, Path::new(path)) {
                Ok(Some(text)) => return text,
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, path, "an image's list of accounts cannot be read");
                    return String::new();
                }
            }
        }
        String::new()
    }
}

/// `None`: this layer does not say. An image is anybody's work: its links lead nowhere.
fn read_in(layer: &Path, path: &Path) -> io::Result<Option<String>> {
    let folder =
        openat(CWD, layer, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file = match openat2(&folder, path, flags, Mode::empty(), resolve) {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // A layer takes a lower one's file away with a device.
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut text = String::new();
    File::from(file).take(LIST_MAXIMUM).read_to_string(&mut text)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn facts(user: &str, layers: &[&Path]) -> Inspected {
        Inspected {
            user: user.to_owned(),
            layers: layers.iter().map(|path| path.to_path_buf()).collect(),
        }
    }

    fn layer(passwd: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("etc/passwd"), passwd).unwrap();
        folder
    }

    #[test]
    fn the_uppermost_list_counts() {
        let (upper, lower, none) =
            (layer("upper\n"), layer("lower\n"), tempfile::tempdir().unwrap());
        let read = |layers: &[&Path]| facts("", layers).accounts().passwd;
        assert_eq!(read(&[upper.path(), lower.path()]), "upper\n");
        assert_eq!(read(&[none.path(), lower.path()]), "lower\n");
        assert_eq!(read(&[none.path()]), "");
    }

    #[test]
    fn links_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("etc")).unwrap();
        symlink("/etc/passwd", folder.path().join("etc/passwd")).unwrap();
        assert_eq!(facts("", &[folder.path()]).accounts().passwd, "");
        let folder = tempfile::tempdir().unwrap();
        symlink("/etc", folder.path().join("etc")).unwrap();
        assert_eq!(facts("", &[folder.path()]).accounts().passwd, "");
    }

    #[test]
    fn users() {
        let accounts = ImageAccounts {
            passwd: "root:x:0:0::/root:/bin/sh\njovyan:x:1000:100::/home/jovyan:/bin/sh\n".into(),
            group: "root:x:0:\nwheel:x:10:\n".into(),
        };
        for (user, uid, gid) in [
            ("", 0, 0),
            ("jovyan", 1000, 100),
            ("1000", 1000, 100),
            ("1000:0", 1000, 0),
            ("jovyan:wheel", 1000, 10),
            ("5:7", 5, 7),
            ("nobody-knows", 0, 0),
        ] {
            assert_eq!(facts(user, &[]).user(&accounts), Ids { uid, gid }, "{user}");
        }
    }
}
