//! A blade of one's own: directories, and the mounts that go with them.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use berth_core::{
    account::AccountName,
    desired::Belongings,
    id::ContainerId,
    storage::{Holder, HomeMount, Posix, RunAs},
};
use berth_storage::{Error, Key, Options, Storage};
use uuid::Uuid;

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Other accounts of the machine are let in: what keeps them out must be the homes' own doing.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        Self { folder }
    }

    pub(crate) fn homes(&self) -> PathBuf {
        self.folder.path().join("homes")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn options(&self, shared: bool) -> Options {
        Options {
            homes: Some(self.homes()),
            shared,
            volumes: Some(self.folder.path().join("volumes")),
            ..Options::default()
        }
    }

    pub(crate) fn start(&self, shared: bool) -> Storage {
        let run = self.folder.path().join("run");
        Storage::start(&self.options(shared), &self.data(), run).unwrap()
    }

    pub(crate) fn home(&self, storage: &Storage, holder: &Holder) -> Result<PathBuf, Error> {
        storage.home(holder).map(|home| home.path)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for mount in mounts_below(self.folder.path()) {
            rustix::mount::unmount(&mount, rustix::mount::UnmountFlags::DETACH).unwrap();
        }
    }
}

pub(crate) fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut points: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(PathBuf::from)
        .filter(|point| point.starts_with(folder))
        .collect();
    points.reverse();
    points
}

pub(crate) fn holder(account: &str, uid: u32) -> Holder {
    Holder { account: AccountName::parse(account).unwrap(), posix: Posix::new(uid, uid).unwrap() }
}

pub(crate) fn belongings(holder: &Holder, run_as: RunAs, home: HomeMount) -> Belongings {
    Belongings { holder: holder.clone(), run_as, home, volumes: vec![] }
}

pub(crate) fn key(number: u32) -> Key {
    Key { container: ContainerId::new(Uuid::from_u128(7)), incarnation: number }
}
