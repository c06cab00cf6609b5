//! A tar from somebody who may mean harm, laid out in a directory.
//!
//! It is laid out beside its place first, under a hidden name, and moved there when all of it was read and found good. What
//! is refused, or breaks off, leaves nothing.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Write as _},
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use berth_core::files::{FileFault, FilePath, Refused, Replace, UploadId};
use pathrs::{
    Root,
    flags::{OpenFlags, ResolverFlags},
};
use rustix::{
    fs::{
        AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid, fchmod, fchown, mkdirat, openat, statat,
        symlinkat, syncfs, unlinkat,
    },
    io::Errno,
};

use crate::{
    Error, Owner, Result, Tree, change,
    error::about,
    hidden,
    tree::{self, free},
    write::set_modified,
};

const BUFFER: usize = 256 << 10;
const DEPTH_MAXIMUM: usize = 128;
const MODE_MASK: u32 = 0o755;
/// What a directory needs to be gone through.
const MODE_DIRECTORY: u32 = 0o700;
const SET_ID: u32 = 0o6000;

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 250_000 }
    }
}

/// What was laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Laid {
    pub entries: u64,
    pub bytes: u64,
}

impl Tree {
    /// `upload` names the hidden directory.
    pub fn unpack(
        &self,
        path: &FilePath,
        replace: Replace,
        upload: UploadId,
        limits: Limits,
        from: impl Read,
    ) -> Result<Laid> {
        let directory = self.directory(path)?;
        if tree::is_no_place(directory.as_fd()).map_err(about(path))? {
            return Err(Error::fault(FileFault::NotAFile, path));
        }
        let hidden = hidden::name(upload);
        mkdirat(&directory, &hidden, Mode::from_raw_mode(MODE_DIRECTORY)).map_err(|errno| {
            match errno {
                Errno::EXIST => Error::fault(FileFault::Busy, path),
                errno => Error::errno(path, errno),
            }
        })?;
        let laid = self.lay_out(path, &directory, &hidden, limits, from).and_then(|laid| {
            let stage = open_directory(&directory, &hidden).map_err(about(path))?;
            collisions(&stage, &directory, replace, Path::new(""))?;
            syncfs(&stage).map_err(about(path))?;
            publish(&stage, &directory, replace, Path::new(""))?;
            directory.sync_all().map_err(|error| Error::io(path, error))?;
            Ok(laid)
        });
        // Empty by now, or not wanted.
        let left = Root::from_fd(own_descriptor(&directory).map_err(about(path))?)
            .remove_all(&hidden)
            .map_err(|error| Error::path(path, &error));
        let laid = laid?;
        left.map(|()| laid)
    }

    fn lay_out(
        &self,
        path: &FilePath,
        directory: &File,
        hidden: &str,
        limits: Limits,
        from: impl Read,
    ) -> Result<Laid> {
        let stage = open_directory(directory, hidden).map_err(about(path))?;
        let root = Root::from_fd(stage).with_resolver_flags(ResolverFlags::NO_SYMLINKS);
        let mut laying = Laying {
            root,
            owner: self.owner,
            limits,
            laid: Laid::default(),
            directories: BTreeMap::new(),
            buffer: vec![0; BUFFER],
        };
        let broken = |_| Error::fault(FileFault::Refused(Refused::Broken), path);
        let mut archive = tar::Archive::new(from);
        for entry in archive.entries().map_err(broken)? {
            laying.entry(entry.map_err(broken)?)?;
        }
        laying.directories()?;
        Ok(laying.laid)
    }
}

struct Laying {
    root: Root,
    owner: Owner,
    limits: Limits,
    laid: Laid,
    /// Their times are set in the end: what is put into them changes them.
    directories: BTreeMap<PathBuf, i64>,
    buffer: Vec<u8>,
}

impl Laying {
    fn entry(&mut self, mut entry: tar::Entry<'_, impl Read>) -> Result<()> {
        let raw = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&raw).into_owned();
        let refuse = |refused| Error::fault(FileFault::Refused(refused), &shown);
        self.laid.entries += 1;
        if self.laid.entries > self.limits.entries {
            return Err(refuse(Refused::TooManyEntries));
        }
        let header = entry.header().clone();
        let kind = header.entry_type();
        if is_sparse(&mut entry, kind) {
            return Err(refuse(Refused::Sparse));
        }
        let name = relative(&raw).ok_or_else(|| refuse(Refused::Name))?;
        if kind == tar::EntryType::XGlobalHeader {
            return Ok(());
        }
        if name.as_os_str().is_empty() {
            // The directory itself, as `tar -C directory .` writes it.
            let is_directory = kind == tar::EntryType::Directory;
            return if is_directory { Ok(()) } else { Err(refuse(Refused::Name)) };
        }
        let broken = |_| refuse(Refused::Broken);
        let mode = header.mode().map_err(broken)?;
        let modified = header.mtime().ok().and_then(|time| i64::try_from(time).ok()).unwrap_or(0);
        match kind {
            tar::EntryType::Directory => {
                self.directory(&name, mode, &name)?;
                self.directories.insert(name, modified);
                Ok(())
            }
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                if mode & SET_ID != 0 {
                    return Err(refuse(Refused::Setuid));
                }
                self.file(&mut entry, &name, mode, modified)
            }
            tar::EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let inside = stays_inside(&name, &target);
                let target = inside.then(|| path_of(&target)).ok_or(Refused::Link);
                self.link(&name, &target.map_err(refuse)?)
            }
            tar::EntryType::Link => Err(refuse(Refused::Link)),
            tar::EntryType::Char | tar::EntryType::Block | tar::EntryType::Fifo => {
                Err(refuse(Refused::Device))
            }
            tar::EntryType::GNUSparse => Err(refuse(Refused::Sparse)),
            _ => Err(refuse(Refused::Broken)),
        }
    }

    /// The directory that an entry is in, made where it is not there yet, and its name.
    fn place(&self, name: &Path) -> Result<(OwnedFd, PathBuf)> {
        let last = name.file_name().map(PathBuf::from).unwrap_or_default();
        let parent = name.parent().unwrap_or_else(|| Path::new(""));
        Ok((self.directory(parent, MODE_MASK, name)?, last))
    }

    /// Made where it is not there yet, with those on the way. `wanted_by` is the entry that is told when it cannot be.
    fn directory(&self, name: &Path, mode: u32, wanted_by: &Path) -> Result<OwnedFd> {
        let shown = || Error::lossy(wanted_by);
        let mut at = own_descriptor(&self.root).map_err(about(shown()))?;
        let mut rest = name.components().peekable();
        while let Some(component) = rest.next() {
            let mode = if rest.peek().is_none() { mode } else { MODE_MASK };
            let mode = Mode::from_raw_mode(mode & MODE_MASK | MODE_DIRECTORY);
            let made = mkdirat(&at, component.as_os_str(), mode);
            if !matches!(made, Ok(()) | Err(Errno::EXIST)) {
                made.map_err(about(shown()))?;
            }
            at = open_directory(&at, component.as_os_str()).map_err(|errno| match errno {
                // A link or a file that an earlier entry has put there.
                Errno::NOTDIR | Errno::LOOP => {
                    Error::fault(FileFault::Refused(Refused::ThroughLink), shown())
                }
                errno => Error::errno(shown(), errno),
            })?;
            if made.is_ok() {
                let (uid, gid) = self.owner();
                fchown(&at, Some(uid), Some(gid)).map_err(about(shown()))?;
                // Whatever the process's mask is.
                fchmod(&at, mode).map_err(about(shown()))?;
            }
        }
        Ok(at)
    }

    fn owner(&self) -> (Uid, Gid) {
        (Uid::from_raw(self.owner.uid), Gid::from_raw(self.owner.gid))
    }

    fn file(
        &mut self,
        entry: &mut tar::Entry<'_, impl Read>,
        name: &Path,
        mode: u32,
        modified: i64,
    ) -> Result<()> {
        let shown = || Error::lossy(name);
        let (parent, last) = self.place(name)?;
        let size = entry.size();
        if free(&parent).map_err(about(shown()))? < size {
            return Err(Error::fault(FileFault::NoSpace, shown()));
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&parent, &last, flags, Mode::from_raw_mode(0o600));
        let mut file = File::from(file.map_err(|errno| duplicate(name, errno))?);
        let mut left = size;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            let read = entry.read(&mut self.buffer[..wanted]);
            let broken = || Error::fault(FileFault::Refused(Refused::Broken), shown());
            let read = read.ok().filter(|read| *read > 0).ok_or_else(broken)?;
            file.write_all(&self.buffer[..read]).map_err(|error| Error::io(shown(), error))?;
            left -= read as u64;
            self.laid.bytes += read as u64;
        }
        let (uid, gid) = self.owner();
        fchown(&file, Some(uid), Some(gid)).map_err(about(shown()))?;
        fchmod(&file, Mode::from_raw_mode(mode & MODE_MASK)).map_err(about(shown()))?;
        set_modified(&file, seconds(modified)).map_err(about(shown()))
    }

    fn link(&self, name: &Path, target: &Path) -> Result<()> {
        let (parent, last) = self.place(name)?;
        symlinkat(target, &parent, &last).map_err(|errno| duplicate(name, errno))?;
        let (uid, gid) = self.owner();
        rustix::fs::chownat(&parent, &last, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(about(Error::lossy(name)))
    }

    fn directories(&self) -> Result<()> {
        for (name, modified) in &self.directories {
            let shown = || Error::lossy(name);
            let directory = self
                .root
                .open_subpath(name, OpenFlags::O_RDONLY | OpenFlags::O_DIRECTORY)
                .map_err(|error| Error::io(shown(), std::io::Error::other(error.to_string())))?;
            set_modified(&directory, seconds(*modified)).map_err(about(shown()))?;
        }
        Ok(())
    }
}

fn seconds(modified: i64) -> berth_core::relay::Moment {
    berth_core::relay::Moment(modified.saturating_mul(1_000_000_000))
}

fn duplicate(name: &Path, errno: Errno) -> Error {
    match errno {
        Errno::EXIST | Errno::ISDIR => {
            Error::fault(FileFault::Refused(Refused::Duplicate), Error::lossy(name))
        }
        errno => Error::errno(Error::lossy(name), errno),
    }
}

/// GNU's old way has a type of its own; the newer ones are a plain file with further headers.
fn is_sparse(entry: &mut tar::Entry<'_, impl Read>, kind: tar::EntryType) -> bool {
    if kind == tar::EntryType::GNUSparse {
        return true;
    }
    let Ok(Some(extensions)) = entry.pax_extensions() else { return false };
    extensions.flatten().any(|extension| extension.key_bytes().starts_with(b"GNU.sparse"))
}

/// Below where it is laid out, and nowhere else. `None` for every other name.
fn relative(raw: &[u8]) -> Option<PathBuf> {
    let path = path_of(raw);
    let mut name = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) if part.len() <= FilePath::NAME_MAXIMUM => name.push(part),
            Component::CurDir => {}
            Component::Normal(_)
            | Component::ParentDir
            | Component::RootDir
            | Component::Prefix(_) => return None,
        }
    }
    let is_fine = !raw.is_empty()
        && !raw.contains(&0)
        && name.components().count() <= DEPTH_MAXIMUM
        && name.as_os_str().len() <= FilePath::MAXIMUM;
    is_fine.then_some(name)
}

fn path_of(raw: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(raw))
}

/// Whether a link's target, read from where the link is, is below the archive's own top.
fn stays_inside(name: &Path, target: &[u8]) -> bool {
    if target.is_empty() || target.contains(&0) {
        return false;
    }
    let mut depth = name.components().count().saturating_sub(1);
    for component in path_of(target).components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return false,
            },
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

fn own_descriptor(directory: impl AsFd) -> rustix::io::Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(directory, 0)
}

fn open_directory(
    directory: impl AsFd,
    name: impl rustix::path::Arg,
) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(directory, name, flags, Mode::empty())
}

/// Names in a directory, with what they are.
fn names(directory: impl AsFd) -> rustix::io::Result<Vec<(std::ffi::CString, FileType)>> {
    let mut names = Vec::new();
    for found in Dir::read_from(&directory)? {
        let name = found?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            let stat = statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            names.push((name, FileType::from_raw_mode(stat.st_mode)));
        }
    }
    Ok(names)
}

/// Whether what is laid out can take its place: asked before the first name of it does.
fn collisions(stage: impl AsFd, place: impl AsFd, replace: Replace, at: &Path) -> Result<()> {
    let here = Error::lossy(at);
    for (name, kind) in names(&stage).map_err(about(&here))? {
        let path = at.join(path_of(name.to_bytes()));
        let shown = Error::lossy(&path);
        let there = match statat(&place, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(Error::errno(shown, errno)),
        };
        match (kind, there) {
            (FileType::Directory, FileType::Directory) => {
                let stage = open_directory(&stage, &name).map_err(about(&shown))?;
                let place = open_directory(&place, &name).map_err(about(&shown))?;
                collisions(stage, place, replace, &path)?;
            }
            (_, FileType::Directory) => return Err(Error::fault(FileFault::IsADirectory, shown)),
            (FileType::Directory, _) => {
                return Err(Error::fault(FileFault::NotADirectory, shown));
            }
            _ if replace == Replace::No => {
                return Err(Error::fault(FileFault::AlreadyExists, shown));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Each file and each new directory takes its place by one renaming.
fn publish(stage: impl AsFd, place: impl AsFd, replace: Replace, at: &Path) -> Result<()> {
    let here = Error::lossy(at);
    for (name, kind) in names(&stage).map_err(about(&here))? {
        let path = at.join(path_of(name.to_bytes()));
        let shown = Error::lossy(&path);
        let text = name.to_bytes();
        let is_merged =
            kind == FileType::Directory && statat(&place, &name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        if is_merged {
            let inner = open_directory(&stage, &name).map_err(about(&shown))?;
            let place = open_directory(&place, &name).map_err(about(&shown))?;
            publish(inner, place, replace, &path)?;
            unlinkat(&stage, &name, AtFlags::REMOVEDIR).map_err(about(&shown))?;
        } else {
            change::put(&stage, text, &place, text, replace).map_err(about(&shown))?;
        }
    }
    Ok(())
}
