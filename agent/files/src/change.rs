//! Directories made, things renamed and removed.

use std::os::fd::AsFd;

use berth_core::{
    files::{FileFault, FilePath, Replace},
    relay::Moment,
};
use pathrs::flags::OpenFlags;
use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, RenameFlags, Uid, chownat, fchmod, mkdirat, renameat,
        renameat_with, statat,
    },
    io::Errno,
    path::Arg,
};

use crate::{Error, Owner, Result, Tree, error::about, write::set_modified};

const DIRECTORY_MODE: u32 = 0o755;

impl Tree {
    /// With the directories on the way.
    pub fn make_directory(&self, path: &FilePath) -> Result<()> {
        let mut way = Vec::new();
        let mut rest = Some(path.clone());
        while let Some(step) = rest {
            rest = step.split().map(|(parent, _)| parent);
            way.push(step);
        }
        for step in way.iter().rev().filter(|step| !step.is_root()) {
            let (directory, name) = self.place(step)?;
            match mkdirat(&directory, name, Mode::from_raw_mode(DIRECTORY_MODE)) {
                Ok(()) => own(&directory, name, self.owner).map_err(about(step))?,
                // What it leads to is looked at by the next step.
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(Error::errno(step, errno)),
            }
        }
        self.directory(path).map(drop)
    }

    /// Of a file or a folder, and of what a link leads to.
    pub fn set_attributes(
        &self,
        path: &FilePath,
        mode: Option<u32>,
        modified: Option<Moment>,
    ) -> Result<()> {
        let handle = self.resolve(path)?;
        let stat = rustix::fs::fstat(&handle).map_err(about(path))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !matches!(kind, FileType::RegularFile | FileType::Directory) {
            return Err(Error::fault(FileFault::NotAFile, path));
        }
        let file = handle.reopen(OpenFlags::O_RDONLY).map_err(|error| Error::path(path, &error))?;
        if let Some(mode) = mode {
            fchmod(&file, Mode::from_raw_mode(mode & DIRECTORY_MODE)).map_err(about(path))?;
        }
        if let Some(modified) = modified {
            set_modified(&file, modified).map_err(about(path))?;
        }
        Ok(())
    }

    pub fn rename(&self, from: &FilePath, to: &FilePath, replace: Replace) -> Result<()> {
        if to.is_within(from) && to != from {
            return Err(Error::fault(FileFault::IntoItself, from));
        }
        let (old, old_name) = self.place(from)?;
        let (new, new_name) = self.place(to)?;
        put(&old, old_name, &new, new_name, replace).map_err(|errno| match errno {
            Errno::INVAL => Error::fault(FileFault::IntoItself, from),
            // Of both only the new one can be there already.
            Errno::EXIST | Errno::NOTEMPTY | Errno::ISDIR | Errno::NOTDIR => {
                Error::errno(to, errno)
            }
            _ => Error::errno(from, errno),
        })
    }

    /// A directory with everything in it.
    pub fn delete(&self, path: &FilePath) -> Result<()> {
        let (directory, name) = self.place(path)?;
        let there = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(about(path))?;
        let parent = rustix::fs::fstat(&directory).map_err(about(path))?;
        if there.st_dev != parent.st_dev && there.st_mode & 0o170_000 == 0o040_000 {
            // A mount: it would be emptied, and stay.
            return Err(Error::fault(FileFault::NotPermitted, path));
        }
        self.root().remove_all(path.as_str()).map_err(|error| Error::path(path, &error))
    }
}

/// From one directory into another one.
pub(crate) fn put(
    old: impl AsFd,
    old_name: impl Arg + Copy,
    new: impl AsFd,
    new_name: impl Arg + Copy,
    replace: Replace,
) -> rustix::io::Result<()> {
    match replace {
        Replace::Yes => renameat(old, old_name, new, new_name),
        Replace::No => {
            match renameat_with(&old, old_name, &new, new_name, RenameFlags::NOREPLACE) {
                // Some network file systems do not know how.
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
                    if is_absent(&new, new_name) =>
                {
                    renameat(old, old_name, new, new_name)
                }
                other => other,
            }
        }
    }
}

fn is_absent(directory: impl AsFd, name: impl Arg) -> bool {
    matches!(statat(directory, name, AtFlags::SYMLINK_NOFOLLOW), Err(Errno::NOENT))
}

pub(crate) fn own(directory: impl AsFd, name: &str, owner: Owner) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    chownat(directory, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}
