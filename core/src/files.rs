//! Files inside containers: paths as people give them, what a blade says of them, and what is asked of it.

use std::fmt;

use uuid::Uuid;

use crate::{relay::Moment, violation::Problem};

/// Entries of a directory that are told when nobody says how many.
pub const LIST_DEFAULT: u32 = 10_000;
pub const LIST_MAXIMUM: u32 = 100_000;

/// An absolute path without `.` and `..`, as the container sees it. Links in it are followed where it is looked up, inside
/// the container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(String);

impl FilePath {
    /// What a Linux kernel takes.
    pub const MAXIMUM: usize = 4095;
    pub const NAME_MAXIMUM: usize = 255;

    /// Slashes too many are forgiven; a way up is not, because what it leads to depends on links.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text.is_empty() {
            return Err(Problem::Missing);
        }
        if !text.starts_with('/') {
            return Err(Problem::NotAbsolute);
        }
        if text.contains('\0') {
            return Err(Problem::ControlCharacter);
        }
        let mut path = String::with_capacity(text.len());
        for name in text.split('/').filter(|name| !name.is_empty() && *name != ".") {
            if name == ".." {
                return Err(Problem::PathUpwards);
            }
            if name.len() > Self::NAME_MAXIMUM {
                return Err(Problem::TooLong { maximum: Self::NAME_MAXIMUM });
            }
            path.push('/');
            path.push_str(name);
        }
        if path.len() > Self::MAXIMUM {
            return Err(Problem::TooLong { maximum: Self::MAXIMUM });
        }
        if path.is_empty() {
            path.push('/');
        }
        Ok(Self(path))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// `None` for the root.
    pub fn name(&self) -> Option<&str> {
        self.split().map(|(_, name)| name)
    }

    /// The directory it is in, and its name there. `None` for the root.
    pub fn split(&self) -> Option<(Self, &str)> {
        let (parent, name) = self.0.rsplit_once('/')?;
        let parent = if parent.is_empty() { "/" } else { parent };
        (!name.is_empty()).then(|| (Self(parent.to_owned()), name))
    }

    pub fn join(&self, name: &str) -> Result<Self, Problem> {
        Self::parse(&format!("{}/{name}", self.0))
    }

    /// As somebody calls it for whom `base` is all there is. `None`: it is not in there.
    pub fn below(&self, base: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(&base.0).filter(|_| self.is_within(base))?;
        Some(Self(format!("/{}", rest.trim_start_matches('/'))))
    }

    /// Whether it is `other`, or something in it.
    pub fn is_within(&self, other: &Self) -> bool {
        let rest = self.0.strip_prefix(&other.0);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || other.is_root())
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a blade says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// With U+FFFD for bytes that are no text.
    pub name: String,
    /// False: the name has such bytes, and nothing can be asked of the file by it.
    pub name_is_exact: bool,
    pub kind: EntryKind,
    /// In bytes; of a directory it says nothing.
    pub size: u64,
    pub modified: Moment,
    /// The lower twelve bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Where a link leads, as it is written.
    pub target: String,
    /// Differs when the content may differ.
    pub version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    File,
    Directory,
    Link,
    /// A device, a socket, a pipe.
    Other,
}

/// Of all bytes of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Blake3(pub [u8; 32]);

impl fmt::Debug for Blake3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blake3({self})")
    }
}

impl fmt::Display for Blake3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesOperation {
    /// Answered with one entry: the thing itself, not what a link leads to.
    Stat {
        path: FilePath,
    },
    /// Answered with entries, at most so many; and with their number as a position, when there are more.
    List {
        path: FilePath,
        limit: u32,
    },
    /// Answered with an entry, data, and the digest of what was sent.
    Read(Read),
    /// A directory with everything in it, or one file. Answered with data.
    Pack {
        path: FilePath,
        archive: Archive,
    },
    /// Answered with the position from which data is wanted. Data follows, then a digest, which ends it, or an end of input,
    /// which keeps what came. The end says what became of it: an entry, or a position.
    Write(Write),
    /// Forgets what was kept of an upload.
    Discard {
        path: FilePath,
        upload: UploadId,
    },
    /// A tar follows; it is laid out in the directory. Nothing of it is there before all of it has been read and found good.
    Unpack {
        path: FilePath,
        replace: Replace,
        upload: UploadId,
    },
    /// With the directories on the way. One that is there already is fine.
    MakeDirectory {
        path: FilePath,
    },
    /// Of a file or a folder that is there. The mode is rwxr-xr-x at most.
    SetAttributes {
        path: FilePath,
        mode: Option<u32>,
        modified: Option<Moment>,
    },
    Move {
        from: FilePath,
        to: FilePath,
        replace: Replace,
    },
    /// A directory with everything in it.
    Delete {
        path: FilePath,
    },
}

/// Where an operation's paths are, seen from a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Below {
    /// The same operation for whom the directory is all there is.
    Inside(FilesOperation),
    Outside(FilesOperation),
    /// From one side to the other.
    Across {
        from: FilePath,
    },
}

impl FilesOperation {
    /// What it is about; of a move, where from.
    pub fn path(&self) -> &FilePath {
        match self {
            FilesOperation::Stat { path }
            | FilesOperation::List { path, .. }
            | FilesOperation::Pack { path, .. }
            | FilesOperation::Discard { path, .. }
            | FilesOperation::Unpack { path, .. }
            | FilesOperation::MakeDirectory { path }
            | FilesOperation::SetAttributes { path, .. }
            | FilesOperation::Delete { path }
            | FilesOperation::Move { from: path, .. } => path,
            FilesOperation::Read(read) => &read.path,
            FilesOperation::Write(write) => &write.path,
        }
    }

    fn path_mut(&mut self) -> &mut FilePath {
        match self {
            FilesOperation::Stat { path }
            | FilesOperation::List { path, .. }
            | FilesOperation::Pack { path, .. }
            | FilesOperation::Discard { path, .. }
            | FilesOperation::Unpack { path, .. }
            | FilesOperation::MakeDirectory { path }
            | FilesOperation::SetAttributes { path, .. }
            | FilesOperation::Delete { path }
            | FilesOperation::Move { from: path, .. } => path,
            FilesOperation::Read(read) => &mut read.path,
            FilesOperation::Write(write) => &mut write.path,
        }
    }

    pub fn below(mut self, base: &FilePath) -> Below {
        if let FilesOperation::Move { to, from, .. } = &mut self {
            match (from.below(base), to.below(base)) {
                (Some(_), Some(inner)) => *to = inner,
                (None, None) => return Below::Outside(self),
                (Some(_), None) | (None, Some(_)) => {
                    return Below::Across { from: from.clone() };
                }
            }
        }
        match self.path().below(base) {
            Some(inner) => {
                *self.path_mut() = inner;
                Below::Inside(self)
            }
            None => Below::Outside(self),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub path: FilePath,
    pub from: u64,
    /// Where it ends; without it at the end of the file.
    pub to: Option<u64>,
    /// Only of this version: what goes on with an earlier one must not mix two.
    pub version: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archive {
    Tar,
    Zip,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub path: FilePath,
    pub upload: UploadId,
    /// Of the whole file, where it is known from the start.
    pub size: Option<u64>,
    /// Of the permissions, rwxr-xr-x at most. Without it that of the file that is replaced, or 0644.
    pub mode: Option<u32>,
    pub modified: Option<Moment>,
    pub replace: Replace,
}

/// Chosen by who uploads, so that the same upload can go on after everything between has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UploadId(pub Uuid);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// Refused when something is there.
    No,
    Yes,
}

/// Why something could not be done with a file. Which one is said beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFault {
    NotFound,
    AlreadyExists,
    NotADirectory,
    IsADirectory,
    NotPermitted,
    ReadOnly,
    /// A link that leads round in circles.
    LinkLoop,
    /// A device, a pipe, a socket; or where the kernel shows itself: /proc, /sys.
    NotAFile,
    /// There is less room than what was announced, or the rest of it did not fit.
    NoSpace,
    /// It has become another while it was read.
    Changed,
    /// The same upload is still being written by an earlier connection.
    Busy,
    /// More bytes than were announced, or fewer.
    WrongSize,
    /// The bytes are not those that were sent.
    WrongDigest,
    /// Between two file systems.
    OtherFileSystem,
    /// Into itself.
    IntoItself,
    /// The engine keeps it in a way that this agent cannot look into while it does not run.
    Stopped,
    /// An archive's entry.
    Refused(Refused),
}

/// Why an archive is not laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// `..`, an absolute path, a name that no file can have.
    Name,
    /// A hard link, or a link that leads out of the archive.
    Link,
    /// A file below something that is no directory.
    ThroughLink,
    /// A device or a pipe.
    Device,
    /// With the rights of its owner for everybody.
    Setuid,
    /// The same name twice.
    Duplicate,
    /// A file with holes: its size is not what is sent.
    Sparse,
    TooManyEntries,
    /// It ends too early, or is none.
    Broken,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> FilePath {
        FilePath::parse(text).unwrap()
    }

    #[test]
    fn below_a_directory() {
        let path = |text: &str| FilePath::parse(text).unwrap();
        let home = path("/home/alice");
        for (text, inner) in [
            ("/home/alice", Some("/")),
            ("/home/alice/a/b", Some("/a/b")),
            ("/home/alice2", None),
            ("/home", None),
            ("/", None),
        ] {
            assert_eq!(path(text).below(&home), inner.map(path), "{text}");
        }
        assert_eq!(path("/a").below(&path("/")), Some(path("/a")));
        let moved = |from: &str, to: &str| {
            let replace = Replace::No;
            FilesOperation::Move { from: path(from), to: path(to), replace }
        };
        assert_eq!(
            moved("/home/alice/a", "/home/alice/b").below(&home),
            Below::Inside(moved("/a", "/b"))
        );
        assert_eq!(moved("/a", "/b").below(&home), Below::Outside(moved("/a", "/b")));
        for (from, to) in [("/home/alice/a", "/b"), ("/a", "/home/alice/b")] {
            assert_eq!(moved(from, to).below(&home), Below::Across { from: path(from) });
        }
    }

    #[test]
    fn paths() {
        for (text, parsed) in [
            ("/", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/a/b", "/a/b"),
            ("//a/./b//", "/a/b"),
            ("/...", "/..."),
            ("/日本語/ファイル", "/日本語/ファイル"),
            ("/a\nb", "/a\nb"),
        ] {
            assert_eq!(path(text).as_str(), parsed);
        }
        let long = format!("/{}", "x".repeat(256));
        let deep = "/x".repeat(2048);
        for (text, problem) in [
            ("", Problem::Missing),
            ("a", Problem::NotAbsolute),
            ("../etc/passwd", Problem::NotAbsolute),
            ("/..", Problem::PathUpwards),
            ("/a/../../b", Problem::PathUpwards),
            ("/a\0b", Problem::ControlCharacter),
            (&long, Problem::TooLong { maximum: 255 }),
            (&deep, Problem::TooLong { maximum: 4095 }),
        ] {
            assert_eq!(FilePath::parse(text), Err(problem), "{text:?}");
        }
    }

    #[test]
    fn parts() {
        assert_eq!(path("/").split(), None);
        assert_eq!(path("/a").split(), Some((path("/"), "a")));
        assert_eq!(path("/a/b").split(), Some((path("/a"), "b")));
        assert_eq!(path("/").join("a").unwrap(), path("/a"));
        assert!(path("/a/b").is_within(&path("/a")));
        assert!(path("/a").is_within(&path("/a")));
        assert!(path("/a").is_within(&path("/")));
        assert!(!path("/ab").is_within(&path("/a")));
    }

    proptest! {
        #[test]
        fn what_is_parsed_stays(text in "/[a./]{0,12}") {
            if let Ok(parsed) = FilePath::parse(&text) {
                prop_assert_eq!(FilePath::parse(parsed.as_str()), Ok(parsed.clone()));
                prop_assert!(!parsed.as_str().split('/').any(|name| name == ".."));
            }
        }
    }
}
