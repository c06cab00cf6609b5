//! What went wrong, and with which file.

use std::{io, path::Path};

use berth_core::files::{FileFault, FilePath};
use rustix::io::Errno;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody can do something about it.
    #[error("{fault:?}: {subject}")]
    Fault { fault: FileFault, subject: String },
    #[error("{subject}")]
    Io { subject: String, source: io::Error },
}

impl Error {
    pub(crate) fn fault(fault: FileFault, subject: impl ToString) -> Self {
        Self::Fault { fault, subject: subject.to_string() }
    }

    pub(crate) fn io(subject: impl ToString, source: io::Error) -> Self {
        let subject = subject.to_string();
        match known(&source) {
            Some(fault) => Self::Fault { fault, subject },
            None => Self::Io { subject, source },
        }
    }

    pub(crate) fn errno(subject: impl ToString, errno: Errno) -> Self {
        Self::io(subject, errno.into())
    }

    pub(crate) fn path(path: &FilePath, error: &pathrs::error::Error) -> Self {
        match error.kind() {
            pathrs::error::ErrorKind::OsError(Some(code)) => {
                Self::io(path, io::Error::from_raw_os_error(code))
            }
            // It was changed under our hands more often than can be an accident.
            _ => Self::io(path, io::Error::other(error.to_string())),
        }
    }

    pub(crate) fn lossy(name: &Path) -> String {
        name.to_string_lossy().into_owned()
    }
}

/// For `map_err`, with what it was about.
pub(crate) fn about<S: ToString>(subject: S) -> impl FnOnce(Errno) -> Error {
    move |errno| Error::errno(subject, errno)
}

fn known(error: &io::Error) -> Option<FileFault> {
    let errno = Errno::from_io_error(error)?;
    Some(match errno {
        Errno::NOENT => FileFault::NotFound,
        Errno::EXIST | Errno::NOTEMPTY => FileFault::AlreadyExists,
        Errno::NOTDIR => FileFault::NotADirectory,
        Errno::ISDIR => FileFault::IsADirectory,
        // A mount's own directory is busy: it cannot be taken away from inside.
        Errno::ACCESS | Errno::PERM | Errno::BUSY => FileFault::NotPermitted,
        Errno::ROFS => FileFault::ReadOnly,
        Errno::LOOP => FileFault::LinkLoop,
        Errno::NOSPC | Errno::DQUOT => FileFault::NoSpace,
        Errno::XDEV => FileFault::OtherFileSystem,
        Errno::NXIO => FileFault::NotAFile,
        _ => return None,
    })
}
