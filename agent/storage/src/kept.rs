//! What is kept for each engine container, while there is one: its lists of accounts and its mapped home.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use berth_core::{
    desired::Belongings,
    storage::{HomeMount, Mapping, Posix},
};
use rustix::{
    fs::{fstat, stat},
    io::Errno,
    mount::{UnmountFlags, unmount},
};
use serde::{Deserialize, Serialize};

use crate::{
    Access, Error, Key, Mount,
    accounts::{self, ImageAccounts},
    home::Home,
    mapped::{self, Ids},
    root::Open,
};

const PASSWD: &str = "passwd";
const GROUP: &str = "group";
const PREPARED: &str = "prepared.json";
const PROBE: &str = "probe";

/// What a container was made with, for its next start.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    pub(crate) belongings: Belongings,
    pub(crate) image_user: Ids,
}

#[derive(Debug)]
pub(crate) struct Kept {
    /// Outlives a reboot.
    files: PathBuf,
    /// Does not: mounts. Only root gets here, so what is mapped is no way around anything.
    mounts: PathBuf,
}

impl Kept {
    pub(crate) fn new(data: &Path, run: PathBuf) -> Result<Self, Error> {
        let kept = Self { files: data.join("containers"), mounts: run };
        for folder in [&kept.files, &kept.mounts] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(Error::io(format!("{} cannot be made", folder.display())))?;
        }
        Ok(kept)
    }

    pub(crate) fn write_accounts(
        &self,
        key: Key,
        belongings: &Belongings,
        image: &ImageAccounts,
    ) -> Result<Vec<Mount>, Error> {
        let home = match belongings.home {
            HomeMount::None => "/".to_owned(),
            HomeMount::Plain | HomeMount::Mapped => belongings.holder.home(),
        };
        let lists = accounts::with_holder(image, &belongings.holder, &home);
        let mut mounts = Vec::new();
        for (name, text) in [(PASSWD, lists.passwd), (GROUP, lists.group)] {
            let source = self.write(key, name, &text)?;
            mounts.push(Mount { source, target: format!("/etc/{name}"), access: Access::ReadOnly });
        }
        Ok(mounts)
    }

    pub(crate) fn remember(&self, key: Key, prepared: &Prepared) -> Result<(), Error> {
        let text = serde_json::to_string(prepared)
            .expect("what core derives has text for keys, and then JSON holds it");
        self.write(key, PREPARED, &text).map(drop)
    }

    /// `None`: nothing was prepared.
    pub(crate) fn recall(&self, key: Key) -> Result<Option<Prepared>, Error> {
        let path = self.folder(key).join(PREPARED);
        let failed = || Error::io(format!("{} cannot be read", path.display()));
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed()(error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| failed()(error.into()))
    }

    /// There already is fine, if it is this very home.
    pub(crate) fn map(
        &self,
        key: Key,
        slot: &str,
        home: &Home,
        disk: Posix,
        inside: Ids,
    ) -> Result<PathBuf, Error> {
        let folder = self.mounts.join(name(key));
        let target = folder.join(slot);
        create(&folder)
            .and_then(|()| self.map_at(&target, home, disk, inside))
            .map_err(Error::io(format!("{} cannot be shown as another's", home.path.display())))?;
        Ok(target)
    }

    fn map_at(&self, target: &Path, home: &Home, disk: Posix, inside: Ids) -> io::Result<()> {
        create(target)?;
        let (there, wanted) = (stat(target)?, fstat(&home.directory)?);
        let same = (there.st_dev, there.st_ino) == (wanted.st_dev, wanted.st_ino);
        if same && there.st_uid == inside.uid {
            return Ok(());
        }
        clear(target)?;
        mapped::mount(&home.directory, target, disk, inside)
    }

    /// Tried on the very file system: not all of them can be mapped.
    pub(crate) fn probe_mapping(&self, root: &Open) -> Mapping {
        let target = self.mounts.join(PROBE);
        let disk = Posix::own_group(70_000).expect("a number of people's");
        let tried = || {
            create(&target)?;
            clear(&target)?;
            mapped::mount(&root.directory, &target, disk, Ids::default())?;
            clear(&target)
        };
        match tried() {
            Ok(()) => Mapping::Supported,
            Err(error) => {
                tracing::info!(%error, "homes cannot be shown as another's: images that want root get none");
                Mapping::Unsupported
            }
        }
    }

    pub(crate) fn release(&self, key: Key) -> Result<(), Error> {
        let (mount, files) = (self.mounts.join(name(key)), self.folder(key));
        let gone = |result: io::Result<()>| match result {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        };
        let release = || {
            for slot in slots(&mount)? {
                gone(clear(&slot))?;
                // An empty directory and nothing else: were the home still there, this would fail, and not empty it.
                gone(fs::remove_dir(&slot))?;
            }
            gone(fs::remove_dir(&mount))?;
            for name in [PASSWD, GROUP, PREPARED] {
                gone(fs::remove_file(files.join(name)))?;
            }
            gone(fs::remove_dir(&files))
        };
        release().map_err(Error::io(format!("what is kept for {} cannot be removed", name(key))))
    }

    pub(crate) fn keys(&self) -> Result<Vec<Key>, Error> {
        let mut keys = Vec::new();
        for folder in [&self.files, &self.mounts] {
            let failed = || Error::io(format!("{} cannot be read", folder.display()));
            for entry in fs::read_dir(folder).map_err(failed())? {
                let entry = entry.map_err(failed())?;
                keys.extend(entry.file_name().to_str().and_then(parse));
            }
        }
        keys.sort();
        keys.dedup();
        Ok(keys)
    }

    fn folder(&self, key: Key) -> PathBuf {
        self.files.join(name(key))
    }

    fn write(&self, key: Key, name: &str, text: &str) -> Result<PathBuf, Error> {
        let folder = self.folder(key);
        let path = folder.join(name);
        let write = || {
            create(&folder)?;
            // Through a new file: an earlier one may be mounted somewhere, and is whole as long as it is.
            let new = folder.join(format!("{name}.new"));
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o644)
                .open(&new)?;
            file.write_all(text.as_bytes())?;
            rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o644))?;
            fs::rename(&new, &path)
        };
        write().map_err(Error::io(format!("{} cannot be written", path.display())))?;
        Ok(path)
    }
}

/// What is mounted for one container.
fn slots(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn name(key: Key) -> String {
    format!("{}.{}", key.container, key.incarnation)
}

fn parse(name: &str) -> Option<Key> {
    let (container, incarnation) = name.split_once('.')?;
    Some(Key { container: container.parse().ok()?, incarnation: incarnation.parse().ok()? })
}

fn create(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Nothing is mounted there afterwards.
fn clear(target: &Path) -> io::Result<()> {
    loop {
        // Detached: a container that is just ending may still have it.
        match unmount(target, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            Err(Errno::INVAL) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
