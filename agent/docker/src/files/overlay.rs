//! The layers of a container that does not run, put together as the engine does it (its driver `overlay2`).
//!
//! The mount is in a namespace of its own, which ends with the thread that made it; the mount ends with the last descriptor
//! into it. So nothing is left of it, whatever becomes of this process.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    process::chdir,
    thread::UnshareFlags,
};

use super::{Access, open_root};

pub(super) fn open(upper: &Path, access: Access) -> io::Result<OwnedFd> {
    let layers = Layers::read(upper)?;
    let joined = std::thread::Builder::new()
        .name("layers".to_owned())
        .spawn(move || layers.mount(access))?
        .join();
    joined.map_err(|_| io::Error::other("the mounting thread has ended"))?
}

/// As the engine writes them: names relative to its folder, because a hundred whole ones do not fit into a mount's options.
#[derive(Debug, PartialEq, Eq)]
struct Layers {
    folder: PathBuf,
    /// Of the container.
    id: String,
    lower: String,
}

impl Layers {
    /// `upper` is `FOLDER/ID/diff`.
    fn read(upper: &Path) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        let own = upper.parent().ok_or_else(invalid)?;
        let id = own.file_name().and_then(|id| id.to_str()).ok_or_else(invalid)?;
        let folder = own.parent().ok_or_else(invalid)?;
        let lower = fs::read_to_string(own.join("lower"))?;
        let is_plain = |text: &str| !text.contains([',', '\\', '\n']);
        if !is_plain(&lower) || !is_plain(id) || lower.is_empty() {
            return Err(invalid());
        }
        Ok(Self { folder: folder.to_owned(), id: id.to_owned(), lower })
    }

    fn options(&self, access: Access) -> String {
        let Self { id, lower, .. } = self;
        match access {
            // Without an upper layer nothing can be written.
            Access::Read => format!("lowerdir={id}/diff:{lower}"),
            Access::Write => format!("lowerdir={lower},upperdir={id}/diff,workdir={id}/work"),
        }
    }

    /// Changes the thread that it runs on for ever.
    fn mount(&self, access: Access) -> io::Result<OwnedFd> {
        // Deprecated for flags that take the files from under other threads; these two do not.
        #[allow(deprecated)]
        rustix::thread::unshare(UnshareFlags::FS | UnshareFlags::NEWNS)?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        chdir(&self.folder)?;
        let options = std::ffi::CString::new(self.options(access))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("overlay", self.id.as_str(), "overlay", flags, options.as_c_str())?;
        open_root(&self.folder.join(&self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(lower: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["c/diff", "c/work", "l/A", "l/B"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("c/lower"), lower).unwrap();
        let upper = folder.path().join("c/diff");
        (folder, upper)
    }

    #[test]
    fn options() {
        let (_folder, upper) = engine("l/A:l/B");
        let layers = Layers::read(&upper).unwrap();
        assert_eq!(layers.options(Access::Read), "lowerdir=c/diff:l/A:l/B");
        assert_eq!(
            layers.options(Access::Write),
            "lowerdir=l/A:l/B,upperdir=c/diff,workdir=c/work"
        );
    }

    #[test]
    fn options_that_are_none() {
        for lower in ["", "l/A,upperdir=/", "l/A\\:x", "l/A\n"] {
            let (_folder, upper) = engine(lower);
            assert!(Layers::read(&upper).is_err(), "{lower:?}");
        }
    }
}
