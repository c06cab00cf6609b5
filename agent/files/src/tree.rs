//! The root, and how paths are looked up in it.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use berth_core::files::{FileFault, FilePath};
use pathrs::{Handle, Root, flags::OpenFlags};
use rustix::fs::{FileType, fstat, fstatfs, fstatvfs};

use crate::{Error, Result, error::about};

/// Where the kernel shows itself: nothing there is a file.
const NO_PLACES: &[i64] = &[
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x6367_7270, // cgroup2
    0x0027_e0eb, // cgroup
    0x1cd1,      // devpts
    0x1980_0202, // mqueue
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0xcafe_4a11, // bpf
    0x6265_6570, // configfs
    0x6e73_6673, // nsfs
    0x4249_4e4d, // binfmt_misc
];

/// Whose files new ones are, as the machine counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
}

pub struct Tree {
    root: Root,
    pub(crate) owner: Owner,
}

impl Tree {
    /// Below the directory that `root` holds.
    pub fn new(root: OwnedFd, owner: Owner) -> Self {
        Self { root: Root::from_fd(root), owner }
    }

    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// What a path leads to, links followed.
    pub(crate) fn resolve(&self, path: &FilePath) -> Result<Handle> {
        let handle = self.root.resolve(path.as_str());
        checked(path, handle.map_err(|error| Error::path(path, &error))?)
    }

    /// A directory, to be read and to make names in.
    pub(crate) fn directory(&self, path: &FilePath) -> Result<File> {
        let handle = self.resolve(path)?;
        handle
            .reopen(OpenFlags::O_RDONLY | OpenFlags::O_DIRECTORY)
            .map_err(|error| Error::path(path, &error))
    }

    /// The directory that a path is in, held open, and its name there.
    pub(crate) fn place<'a>(&self, path: &'a FilePath) -> Result<(File, &'a str)> {
        let Some((parent, name)) = path.split() else {
            return Err(Error::fault(FileFault::NotPermitted, path));
        };
        Ok((self.directory(&parent)?, name))
    }
}

fn checked(path: &FilePath, handle: Handle) -> Result<Handle> {
    if is_no_place(handle.as_fd()).map_err(about(path))? {
        return Err(Error::fault(FileFault::NotAFile, path));
    }
    Ok(handle)
}

pub(crate) fn is_no_place(descriptor: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    // The type is an unsigned number of 32 bits that some headers give a sign.
    Ok(NO_PLACES.contains(&(fstatfs(descriptor)?.f_type & 0xffff_ffff)))
}

/// Opened for reading only after it was seen to be a plain file: opening a pipe would wait, and a device would do things.
pub(crate) fn open_file(path: &FilePath, handle: &Handle) -> Result<File> {
    let stat = fstat(handle).map_err(about(path))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(Error::fault(FileFault::IsADirectory, path)),
        _ => return Err(Error::fault(FileFault::NotAFile, path)),
    }
    handle.reopen(OpenFlags::O_RDONLY).map_err(|error| Error::path(path, &error))
}

/// Bytes that can still be written there.
pub(crate) fn free(descriptor: impl AsFd) -> rustix::io::Result<u64> {
    let stat = fstatvfs(descriptor)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}
