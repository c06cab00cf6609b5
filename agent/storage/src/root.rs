//! A directory of homes, and how one knows that it is the right one.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use berth_core::{id::StoreId, storage::Scope};
use rustix::{
    fs::{
        AtFlags, CWD, FlockOperation, Mode, OFlags, StatVfsMountFlags, fchmod, flock, fstat,
        fstatvfs, linkat, mkdirat, openat, unlinkat,
    },
    io::Errno,
    mount::{MountFlags, UnmountFlags, mount_bind, mount_remount},
};
use uuid::Uuid;

use crate::Error;

/// Has the store's id, and nothing else.
const MARKER: &str = ".berth-store";
const MARKER_MAXIMUM: u64 = 64;

#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    pub(crate) scope: Scope,
    seen: PathBuf,
}

/// It was there a moment ago, and was the right one.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) path: PathBuf,
    pub(crate) directory: OwnedFd,
    pub(crate) id: StoreId,
}

impl Root {
    /// `seen`: where the agent keeps which store it has seen there.
    pub(crate) fn new(path: PathBuf, scope: Scope, seen: PathBuf) -> Self {
        Self { path, scope, seen }
    }

    /// Every time anew: a share may have come or gone.
    pub(crate) fn open(&self) -> Result<Open, Error> {
        let seen = self.seen()?;
        if seen.is_none() && self.scope == Scope::Local {
            initialize(&self.path)?;
        }
        let (directory, id) = self.look()?;
        match seen {
            Some(seen) if seen == id => {}
            Some(seen) => {
                return Err(self.missing(format!(
                    "this is the store {id}, and it was {seen}: another file system is mounted here, or none"
                )));
            }
            None => self.remember(id)?,
        }
        let directory = match guarded(&directory).map_err(|error| self.io(error))? {
            true => directory,
            false => {
                guard(&self.path, &directory).map_err(|error| self.io(error))?;
                self.look()?.0
            }
        };
        Ok(Open { path: self.path.clone(), directory, id })
    }

    fn look(&self) -> Result<(OwnedFd, StoreId), Error> {
        let directory = open(&self.path)
            .map_err(|error| self.missing(format!("it cannot be opened: {error}")))?;
        let stat = fstat(&directory).map_err(|error| self.io(error.into()))?;
        if stat.st_uid != 0 || stat.st_mode & 0o022 != 0 {
            return Err(self.missing(
                "it must belong to root, and nobody else may be able to write in it (chmod 755)"
                    .to_owned(),
            ));
        }
        match marker(&directory).map_err(|error| self.io(error))? {
            Some(id) => Ok((directory, id)),
            None => Err(self.missing(match self.scope {
                Scope::Shared => format!(
                    "there is no {MARKER} in it: the share is not mounted, or was never set up (berth-agent init-homes)"
                ),
                Scope::Local => format!("there is no {MARKER} in it: the file system is not mounted"),
            })),
        }
    }

    fn seen(&self) -> Result<Option<StoreId>, Error> {
        let text = match fs::read_to_string(&self.seen) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.io(error)),
        };
        // Of another directory it says nothing of this one.
        let (id, path) = text.trim_end().split_once(' ').unwrap_or_default();
        Ok((Path::new(path) == self.path).then(|| id.parse().ok()).flatten())
    }

    fn remember(&self, id: StoreId) -> Result<(), Error> {
        // Several may be the first to look.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let text = format!("{id} {}\n", self.path.display());
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = self.seen.with_extension(format!("new-{number}"));
        let write = || {
            let mut file = fs::File::create(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &self.seen)
        };
        write().map_err(Error::io(format!("{} cannot be written", self.seen.display())))
    }

    fn missing(&self, why: String) -> Error {
        Error::Missing { path: self.path.clone(), why }
    }

    fn io(&self, error: io::Error) -> Error {
        Error::io(self.path.display().to_string())(error)
    }
}

impl Open {
    /// A directory in it that belongs to root alone; names in it do not meet those of accounts.
    pub(crate) fn inner(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match mkdirat(&self.directory, name, Mode::from_raw_mode(0o711)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let directory = openat(&self.directory, name, flags, Mode::empty())?;
        fchmod(&directory, Mode::from_raw_mode(0o711))?;
        Ok(Self { path: self.path.join(name), directory, id: self.id })
    }
}

/// Makes the directory with an id. One that has an id keeps it.
#[allow(
    clippy::disallowed_methods,
    reason = "once in a directory's life, and nothing here is simulated"
)]
pub fn initialize(path: &Path) -> Result<StoreId, Error> {
    let io = |error: io::Error| Error::io(format!("{} cannot be set up", path.display()))(error);
    fs::create_dir_all(path).map_err(io)?;
    let directory = open(path).map_err(io)?;
    // Blades may be set up at the same moment, and see the same share.
    if let Some(id) = marker(&directory).map_err(io)? {
        return Ok(id);
    }
    if fstat(&directory).map_err(|error| io(error.into()))?.st_uid == 0 {
        fchmod(&directory, Mode::from_raw_mode(0o755)).map_err(|error| io(error.into()))?;
    }
    let id = StoreId::new(Uuid::new_v4());
    write_marker(&directory, id).map_err(io)?;
    marker(&directory).map_err(io)?.ok_or_else(|| io(io::ErrorKind::NotFound.into()))
}

fn write_marker(directory: &OwnedFd, id: StoreId) -> io::Result<()> {
    let name = format!("{MARKER}.{id}");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(directory, &name, flags, Mode::from_raw_mode(0o444))?;
    let mut file = fs::File::from(file);
    writeln!(file, "{id}")?;
    file.sync_all()?;
    // Somebody may be faster, and their id is known elsewhere by then: a link is made once, on every file system.
    let linked = linkat(directory, &name, directory, MARKER, AtFlags::empty());
    unlinkat(directory, &name, AtFlags::empty())?;
    match linked {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(CWD, path, flags, Mode::empty())?)
}

fn marker(directory: &OwnedFd) -> io::Result<Option<StoreId>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(directory, MARKER, flags, Mode::empty()) {
        Ok(file) => fs::File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut text = String::new();
    file.take(MARKER_MAXIMUM).read_to_string(&mut text)?;
    text.trim().parse().map(Some).map_err(|_| io::Error::other(format!("{MARKER} has no id")))
}

fn guarded(directory: &OwnedFd) -> io::Result<bool> {
    let wanted = StatVfsMountFlags::NOSUID | StatVfsMountFlags::NODEV;
    Ok(fstatvfs(directory)?.f_flag.contains(wanted))
}

/// A program that a container made setuid must gain nobody on the blade anything: the directory is mounted onto itself
/// without that.
fn guard(path: &Path, directory: &OwnedFd) -> io::Result<()> {
    // Two agents of one machine do it once.
    flock(directory, FlockOperation::LockExclusive)?;
    let now = open(path)?;
    if guarded(&now)? {
        return Ok(());
    }
    mount_bind(path, path)?;
    let before = fstatvfs(&now)?.f_flag;
    let kept = [
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let mut flags = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV;
    for (has, keeps) in kept {
        if before.contains(has) {
            flags |= keeps;
        }
    }
    mount_remount(path, flags, "")?;
    tracing::info!(path = %path.display(), "mounted nosuid,nodev");
    Ok(())
}

/// Takes away what [`Storage`](crate::Storage) has mounted at the directory of homes; what others mounted stays.
pub fn unmount(path: &Path) -> Result<(), Error> {
    let failed =
        |error: io::Error| Error::io(format!("{} cannot be unmounted", path.display()))(error);
    let Ok(path) = path.canonicalize() else { return Ok(()) };
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(failed)?;
    let at = |line: &&str| {
        let mut fields = line.split(' ').skip(3);
        // The directory itself is what is mounted there: nobody but us does that.
        let (source, target) =
            (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        Path::new(target) == path
            && path.ends_with(Path::new(source).file_name().unwrap_or_default())
    };
    for _ in mounts.lines().filter(at) {
        rustix::mount::unmount(&path, UnmountFlags::empty())
            .map_err(|error| failed(error.into()))?;
    }
    Ok(())
}
