//! A file that comes from somewhere else: in parts, over connections that break, whole in the end or not at all.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::fd::AsFd,
    thread::JoinHandle,
};

use berth_core::files::{self, Blake3, Entry, FileFault, FilePath, Replace};
use rustix::{
    fs::{
        AtFlags, FileType, FlockOperation, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid,
        fchmod, fchown, flock, fstat, ftruncate, futimens, openat, statat, unlinkat,
    },
    io::Errno,
};

use crate::{
    Error, Result, Tree, change, entry,
    error::about,
    hidden,
    list::c_string,
    tree::{self, Owner},
};

const MODE_DEFAULT: u32 = 0o644;
/// Rights that whoever uploads can give: none to become somebody else.
const MODE_MASK: u32 = 0o755;
const BUFFER: usize = 256 << 10;
const FLUSH: u64 = 32 << 20;
/// While it is written, it is nobody's but ours.
const MODE_PART: u32 = 0o600;

/// How far an upload is, and what its bytes amount to: spares reading them again when the next part comes.
#[derive(Debug, Clone)]
pub struct Progress {
    at: u64,
    hasher: blake3::Hasher,
}

#[derive(Debug)]
pub struct Writer {
    path: FilePath,
    directory: File,
    part: File,
    hidden: String,
    size: Option<u64>,
    look: Look,
    modified: Option<berth_core::relay::Moment>,
    replace: Replace,
    progress: Progress,
    flushing: Flushing,
}

/// Sends what was written to the disk while more of it comes, so that the end need not wait for all of it, and a large file does
/// not fill the blade's memory with what is still to be written.
#[derive(Debug, Default)]
struct Flushing {
    written: u64,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Flushing {
    fn wrote(&mut self, bytes: usize, part: &File) -> io::Result<()> {
        self.written += bytes as u64;
        let is_busy = self.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        if self.written < FLUSH || is_busy {
            return Ok(());
        }
        self.settle()?;
        self.written = 0;
        let part = part.try_clone()?;
        self.thread = Some(std::thread::spawn(move || part.sync_data()));
        Ok(())
    }

    /// Waits for what is on its way. The kernel tells of a failed write once: whoever hears of it must pass it on, because the
    /// next flush succeeds.
    fn settle(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().map_err(|_| io::Error::other("the flushing thread has ended"))?
    }
}

impl Drop for Flushing {
    fn drop(&mut self) {
        // Of what is given up, or was settled before. The part's lock is held as long as the thread has the file.
        drop(self.settle());
    }
}

/// Whose it will be, and with which permissions.
#[derive(Debug, Clone, Copy)]
struct Look {
    owner: Owner,
    mode: u32,
}

impl Tree {
    /// Goes on where the same upload stopped. `progress` is what [`Writer::keep`] gave, if somebody still has it.
    pub fn write(&self, write: &files::Write, progress: Option<Progress>) -> Result<Writer> {
        let path = &write.path;
        let (directory, name) = self.place(path)?;
        if tree::is_no_place(directory.as_fd()).map_err(about(path))? {
            return Err(Error::fault(FileFault::NotAFile, path));
        }
        let there = match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(Error::errno(path, errno)),
        };
        replaceable(path, there.as_ref(), write.replace)?;
        let hidden = hidden::name(write.upload);
        let part = open_part(path, &directory, &hidden)?;
        let progress = resume(path, &part, write.size, progress)?;
        let free = tree::free(&part).map_err(about(path))?;
        if write.size.is_some_and(|size| free < size - progress.at) {
            if progress.at == 0 {
                unlinkat(&directory, &hidden, AtFlags::empty()).map_err(about(path))?;
            }
            return Err(Error::fault(FileFault::NoSpace, path));
        }
        Ok(Writer {
            path: path.clone(),
            directory,
            part,
            hidden,
            size: write.size,
            look: look(self.owner, write.mode, there.as_ref()),
            modified: write.modified,
            replace: write.replace,
            progress,
            flushing: Flushing::default(),
        })
    }

    /// Forgets what was kept. One that is not there is as good.
    pub fn discard(&self, path: &FilePath, upload: files::UploadId) -> Result<()> {
        let (directory, _) = self.place(path)?;
        match unlinkat(&directory, hidden::name(upload), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Error::errno(path, errno)),
        }
    }
}

impl Writer {
    /// The number of the next byte that is wanted.
    pub fn position(&self) -> u64 {
        self.progress.at
    }

    pub fn write(&mut self, data: &[u8]) -> Result<()> {
        if self.size.is_some_and(|size| data.len() as u64 > size - self.progress.at) {
            return self.give_up(Error::fault(FileFault::WrongSize, &self.path));
        }
        if let Err(error) = self.part.write_all(data) {
            let error = Error::io(&self.path, error);
            let is_full = matches!(&error, Error::Fault { fault: FileFault::NoSpace, .. });
            // Nobody could write anything any more, not even to delete something.
            return if is_full { self.give_up(error) } else { Err(error) };
        }
        self.progress.hasher.update(data);
        self.progress.at += data.len() as u64;
        match self.flushing.wrote(data.len(), &self.part) {
            Ok(()) => Ok(()),
            // Which of its bytes are lost is not known.
            Err(error) => self.give_up(Error::io(&self.path, error)),
        }
    }

    /// To be gone on with.
    pub fn keep(mut self) -> Result<Progress> {
        match self.flushing.settle() {
            Ok(()) => Ok(self.progress),
            Err(error) => self.give_up(Error::io(&self.path, error)),
        }
    }

    /// Puts it in its place, if its bytes are those that were meant.
    pub fn finish(mut self, digest: Blake3) -> Result<Entry> {
        let path = self.path.clone();
        if self.size.is_some_and(|size| self.progress.at != size) {
            return self.give_up(Error::fault(FileFault::WrongSize, path));
        }
        // The comparison takes the same time for every digest; it need not, but does no harm.
        if self.progress.hasher.finalize() != blake3::Hash::from_bytes(digest.0) {
            return self.give_up(Error::fault(FileFault::WrongDigest, path));
        }
        if let Err(error) = self.flushing.settle() {
            return self.give_up(Error::io(path, error));
        }
        match self.publish() {
            Ok(entry) => Ok(entry),
            Err(error) => self.give_up(error),
        }
    }

    fn publish(&self) -> Result<Entry> {
        let path = &self.path;
        let Some(name) = path.name() else {
            return Err(Error::fault(FileFault::NotPermitted, path));
        };
        let Owner { uid, gid } = self.look.owner;
        fchown(&self.part, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
            .map_err(about(path))?;
        fchmod(&self.part, Mode::from_raw_mode(self.look.mode)).map_err(about(path))?;
        if let Some(moment) = self.modified {
            set_modified(&self.part, moment).map_err(about(path))?;
        }
        // A name that is there after a power failure has its bytes.
        self.part.sync_all().map_err(|error| Error::io(path, error))?;
        change::put(&self.directory, &self.hidden, &self.directory, name, self.replace)
            .map_err(about(path))?;
        self.directory.sync_all().map_err(|error| Error::io(path, error))?;
        entry::entry(&self.directory, &c_string(path, name)?).map_err(about(path))
    }

    /// Leaves nothing behind.
    fn give_up<T>(&self, error: Error) -> Result<T> {
        match unlinkat(&self.directory, &self.hidden, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Err(error),
            Err(errno) => Err(Error::errno(&self.path, errno)),
        }
    }
}

pub(crate) fn set_modified(
    file: impl AsFd,
    moment: berth_core::relay::Moment,
) -> rustix::io::Result<()> {
    let nanos = moment.0.rem_euclid(1_000_000_000);
    let time = Timespec { tv_sec: moment.0.div_euclid(1_000_000_000), tv_nsec: nanos };
    futimens(file, &Timestamps { last_access: time, last_modification: time })
}

fn replaceable(path: &FilePath, there: Option<&Stat>, replace: Replace) -> Result<()> {
    let Some(stat) = there else { return Ok(()) };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Err(Error::fault(FileFault::IsADirectory, path)),
        _ if replace == Replace::No => Err(Error::fault(FileFault::AlreadyExists, path)),
        FileType::RegularFile | FileType::Symlink => Ok(()),
        _ => Err(Error::fault(FileFault::NotAFile, path)),
    }
}

/// That of what is replaced, unless the caller says otherwise.
fn look(owner: Owner, mode: Option<u32>, there: Option<&Stat>) -> Look {
    let replaced =
        there.filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    let owner = replaced.map_or(owner, |stat| Owner { uid: stat.st_uid, gid: stat.st_gid });
    let kept = replaced.map_or(MODE_DEFAULT, |stat| stat.st_mode & 0o777);
    Look { owner, mode: mode.map_or(kept, |mode| mode & MODE_MASK) }
}

/// Held against a second one with the same id: whoever lost their connection comes back sooner than the first is missed.
fn open_part(path: &FilePath, directory: &File, hidden: &str) -> Result<File> {
    let flags =
        OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let part = openat(directory, hidden, flags, Mode::from_raw_mode(MODE_PART))
        .map(File::from)
        .map_err(about(path))?;
    let stat = fstat(&part).map_err(about(path))?;
    // Somebody inside has put something of theirs under the name.
    let is_ours =
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink == 1;
    if !is_ours {
        return Err(Error::fault(FileFault::NotAFile, path));
    }
    match flock(&part, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(part),
        Err(Errno::AGAIN) => Err(Error::fault(FileFault::Busy, path)),
        Err(errno) => Err(Error::errno(path, errno)),
    }
}

fn resume(
    path: &FilePath,
    part: &File,
    size: Option<u64>,
    progress: Option<Progress>,
) -> Result<Progress> {
    let there = u64::try_from(fstat(part).map_err(about(path))?.st_size).unwrap_or(u64::MAX);
    let fail = |error| Error::io(path, error);
    let mut file = part;
    if size.is_some_and(|size| there > size) {
        // Of another content: from the beginning.
        ftruncate(part, 0).map_err(about(path))?;
        return Ok(Progress { at: 0, hasher: blake3::Hasher::new() });
    }
    if let Some(progress) = progress.filter(|progress| progress.at == there) {
        file.seek(SeekFrom::Start(there)).map_err(fail)?;
        return Ok(progress);
    }
    let mut hasher = blake3::Hasher::new();
    let mut at = 0;
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = file.read(&mut buffer).map_err(fail)?;
        if read == 0 {
            return Ok(Progress { at, hasher });
        }
        hasher.update(&buffer[..read]);
        at += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Flushing {
        let thread = std::thread::spawn(|| Err(io::ErrorKind::StorageFull.into()));
        while !thread.is_finished() {
            std::thread::yield_now();
        }
        Flushing { written: FLUSH, thread: Some(thread) }
    }

    #[test]
    fn a_flush_that_failed_is_told_whoever_comes_next() {
        let part = tempfile::tempfile().unwrap();
        assert_eq!(failed().settle().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(failed().wrote(1, &part).unwrap_err().kind(), io::ErrorKind::StorageFull);
        let mut good = Flushing::default();
        good.wrote(usize::try_from(FLUSH).unwrap(), &part).unwrap();
        assert!(good.thread.is_some());
        good.settle().unwrap();
    }
}
