//! What is in a directory.

use std::{
    ffi::CString,
    fs::File,
    os::fd::AsFd,
    time::{Duration, SystemTime},
};

use berth_core::files::{Entry, FilePath};
use rustix::{
    fs::{AtFlags, Dir, FileType, statat, unlinkat},
    io::Errno,
};

use crate::{Error, Result, Tree, entry, error::about, hidden};

/// Entries in the order that the file system has them in. Which are left off where there are more than wanted is chance.
pub struct Listing {
    path: FilePath,
    directory: File,
    dir: Dir,
    left: u32,
    now: SystemTime,
}

impl Tree {
    /// The thing itself, not what a link leads to.
    pub fn stat(&self, path: &FilePath) -> Result<Entry> {
        let Some(name) = path.name() else {
            let handle = self.resolve(path)?;
            let stat = rustix::fs::fstat(&handle).map_err(about(path))?;
            return Ok(entry::from_stat(&stat, b"/"));
        };
        let (directory, _) = self.place(path)?;
        let name = c_string(path, name)?;
        entry::entry(&directory, &name).map_err(about(path))
    }

    pub fn list(&self, path: &FilePath, limit: u32, now: SystemTime) -> Result<Listing> {
        let directory = self.directory(path)?;
        let dir = Dir::read_from(&directory).map_err(about(path))?;
        Ok(Listing { path: path.clone(), directory, dir, left: limit, now })
    }
}

impl Listing {
    /// Whether there was more than what was given out.
    pub fn has_more(&mut self) -> Result<bool> {
        Ok(self.next_name()?.is_some())
    }

    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        while self.left > 0 {
            let Some(name) = self.next_name()? else { return Ok(None) };
            match entry::entry(&self.directory, &name) {
                Ok(entry) => {
                    self.left -= 1;
                    return Ok(Some(entry));
                }
                // Removed since its name was read.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(Error::errno(&self.path, errno)),
            }
        }
        Ok(None)
    }

    fn next_name(&mut self) -> Result<Option<CString>> {
        while let Some(found) = self.dir.read() {
            let name = found.map_err(about(&self.path))?.file_name().to_owned();
            match name.to_bytes() {
                b"." | b".." => {}
                bytes if hidden::is_one(bytes) => self.forget(&name),
                _ => return Ok(Some(name)),
            }
        }
        Ok(None)
    }

    /// Takes away what was begun long ago. What cannot be removed stays until somebody lists again.
    fn forget(&self, name: &CString) {
        let directory = self.directory.as_fd();
        let Ok(stat) = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else { return };
        let modified = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
        let age = self.now.duration_since(SystemTime::UNIX_EPOCH + modified);
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if is_file && age.is_ok_and(|age| age > hidden::FORGOTTEN_AFTER) {
            let _ = unlinkat(directory, name, AtFlags::empty());
        }
    }
}

pub(crate) fn c_string(path: &FilePath, name: &str) -> Result<CString> {
    // A `FilePath` has no NUL.
    CString::new(name).map_err(|_| Error::errno(path, Errno::INVAL))
}
