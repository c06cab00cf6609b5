//! A tree in a folder of its own, with a neighbour that nobody may reach.

use std::{
    fs,
    path::{Path, PathBuf},
};

use berth_core::files::{FileFault, FilePath, UploadId};
use berth_files::{Error, Owner, Tree};
use uuid::Uuid;

pub(crate) struct World {
    folder: tempfile::TempDir,
    pub(crate) tree: Tree,
}

/// What must not be seen or changed from inside.
const SECRET: &str = "of the machine";

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/secret"), SECRET).unwrap();
        let root = fs::File::open(folder.path().join("root")).unwrap();
        let owner = Owner {
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
        };
        Self { tree: Tree::new(root.into(), owner), folder }
    }

    /// As the machine sees it.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join("root").join(path.trim_start_matches('/'))
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    pub(crate) fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let at = self.at(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, content).unwrap();
    }

    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        fs::read(self.at(path)).unwrap()
    }

    /// Every name below the root, hidden ones as well.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        walk(&self.at("/"), Path::new(""), &mut names);
        names.sort();
        names
    }

    pub(crate) fn assert_outside_is_unchanged(&self) {
        let names: Vec<_> =
            fs::read_dir(self.outside()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["secret"]);
        assert_eq!(fs::read_to_string(self.outside().join("secret")).unwrap(), SECRET);
    }
}

fn walk(folder: &Path, at: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = at.join(entry.file_name());
        names.push(name.to_string_lossy().into_owned());
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &name, names);
        }
    }
}

pub(crate) fn path(text: &str) -> FilePath {
    FilePath::parse(text).unwrap()
}

pub(crate) fn upload(number: u128) -> UploadId {
    UploadId(Uuid::from_u128(number))
}

#[track_caller]
pub(crate) fn fault<T>(result: Result<T, Error>) -> (FileFault, String) {
    match result.err().expect("it is refused") {
        Error::Fault { fault, subject } => (fault, subject),
        Error::Io { subject, source } => panic!("{subject}: {source}"),
    }
}
