//! Operations on files, to the domain and back.

use berth_core::files::{
    Archive, Blake3, Entry, EntryKind, FileFault, FilePath, FilesOperation, Read, Refused, Replace,
    UploadId, Write,
};

use super::{
    agent::Malformed,
    relay::{malformed, moment_from_wire, moment_to_wire},
};
use crate::agent::v1 as wire;

pub(super) fn operation_to_wire(operation: FilesOperation) -> wire::FilesOperation {
    use wire::files_operation::Kind;
    let kind = match operation {
        FilesOperation::Stat { path } => Kind::Stat(path.to_string()),
        FilesOperation::List { path, limit } => {
            Kind::List(wire::ListFiles { path: path.to_string(), limit })
        }
        FilesOperation::Read(read) => Kind::Read(wire::ReadFile {
            path: read.path.to_string(),
            from: read.from,
            to: read.to,
            version: read.version.unwrap_or_default(),
        }),
        FilesOperation::Pack { path, archive } => {
            let archive = match archive {
                Archive::Tar => wire::Archive::Tar,
                Archive::Zip => wire::Archive::Zip,
            };
            Kind::Pack(wire::PackFiles { path: path.to_string(), archive: archive.into() })
        }
        FilesOperation::Write(write) => Kind::Write(wire::WriteFile {
            path: write.path.to_string(),
            upload_id: write.upload.0.to_string(),
            size: write.size,
            mode: write.mode,
            modify_time: write.modified.map(moment_to_wire),
            replace: write.replace == Replace::Yes,
        }),
        FilesOperation::Discard { path, upload } => Kind::Discard(wire::DiscardUpload {
            path: path.to_string(),
            upload_id: upload.0.to_string(),
        }),
        FilesOperation::Unpack { path, replace, upload } => Kind::Unpack(wire::UnpackFiles {
            path: path.to_string(),
            replace: replace == Replace::Yes,
            upload_id: upload.0.to_string(),
        }),
        FilesOperation::MakeDirectory { path } => Kind::MakeDirectory(path.to_string()),
        FilesOperation::SetAttributes { path, mode, modified } => {
            Kind::SetAttributes(wire::SetFileAttributes {
                path: path.to_string(),
                mode,
                modify_time: modified.map(moment_to_wire),
            })
        }
        FilesOperation::Move { from, to, replace } => Kind::Move(wire::MoveFile {
            from: from.to_string(),
            to: to.to_string(),
            replace: replace == Replace::Yes,
        }),
        FilesOperation::Delete { path } => Kind::Delete(path.to_string()),
    };
    wire::FilesOperation { kind: Some(kind) }
}

/// `None` for what is newer than this program.
pub(super) fn operation_from_wire(
    operation: wire::FilesOperation,
) -> Result<Option<FilesOperation>, Malformed> {
    use wire::files_operation::Kind;
    let Some(kind) = operation.kind else { return Ok(None) };
    Ok(Some(match kind {
        Kind::Stat(path) => FilesOperation::Stat { path: path_from_wire(&path)? },
        Kind::List(list) => {
            FilesOperation::List { path: path_from_wire(&list.path)?, limit: list.limit }
        }
        Kind::Read(read) => FilesOperation::Read(Read {
            path: path_from_wire(&read.path)?,
            from: read.from,
            to: read.to,
            version: Some(read.version).filter(|version| !version.is_empty()),
        }),
        Kind::Pack(pack) => {
            let archive = match pack.archive() {
                wire::Archive::Tar => Archive::Tar,
                wire::Archive::Zip => Archive::Zip,
                wire::Archive::Unspecified => return Ok(None),
            };
            FilesOperation::Pack { path: path_from_wire(&pack.path)?, archive }
        }
        Kind::Write(write) => FilesOperation::Write(Write {
            path: path_from_wire(&write.path)?,
            upload: upload_from_wire(&write.upload_id)?,
            size: write.size,
            mode: write.mode,
            modified: write.modify_time.as_ref().map(moment_from_wire),
            replace: replace_from_wire(write.replace),
        }),
        Kind::Discard(discard) => FilesOperation::Discard {
            path: path_from_wire(&discard.path)?,
            upload: upload_from_wire(&discard.upload_id)?,
        },
        Kind::Unpack(unpack) => FilesOperation::Unpack {
            path: path_from_wire(&unpack.path)?,
            replace: replace_from_wire(unpack.replace),
            upload: upload_from_wire(&unpack.upload_id)?,
        },
        Kind::MakeDirectory(path) => FilesOperation::MakeDirectory { path: path_from_wire(&path)? },
        Kind::SetAttributes(set) => FilesOperation::SetAttributes {
            path: path_from_wire(&set.path)?,
            mode: set.mode,
            modified: set.modify_time.as_ref().map(moment_from_wire),
        },
        Kind::Move(moved) => FilesOperation::Move {
            from: path_from_wire(&moved.from)?,
            to: path_from_wire(&moved.to)?,
            replace: replace_from_wire(moved.replace),
        },
        Kind::Delete(path) => FilesOperation::Delete { path: path_from_wire(&path)? },
    }))
}

fn path_from_wire(path: &str) -> Result<FilePath, Malformed> {
    FilePath::parse(path).map_err(|problem| malformed("path", format!("{problem:?}")))
}

fn upload_from_wire(id: &str) -> Result<UploadId, Malformed> {
    id.parse().map(UploadId).map_err(|error| malformed("upload_id", error))
}

fn replace_from_wire(replace: bool) -> Replace {
    if replace { Replace::Yes } else { Replace::No }
}

pub(super) fn digest_from_wire(digest: &[u8]) -> Result<Blake3, Malformed> {
    digest.try_into().map(Blake3).map_err(|_| malformed("digest", "32 bytes"))
}

pub(super) fn entries_to_wire(entries: Vec<Entry>) -> wire::FileEntries {
    wire::FileEntries { entries: entries.into_iter().map(entry_to_wire).collect() }
}

pub(super) fn entries_from_wire(entries: wire::FileEntries) -> Vec<Entry> {
    entries.entries.into_iter().map(entry_from_wire).collect()
}

fn entry_to_wire(entry: Entry) -> wire::FileEntry {
    let kind = match entry.kind {
        EntryKind::File => wire::FileKind::File,
        EntryKind::Directory => wire::FileKind::Directory,
        EntryKind::Link => wire::FileKind::Link,
        EntryKind::Other => wire::FileKind::Other,
    };
    wire::FileEntry {
        name: entry.name,
        name_is_exact: entry.name_is_exact,
        kind: kind.into(),
        size: entry.size,
        modify_time: Some(moment_to_wire(entry.modified)),
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        target: entry.target,
        version: entry.version,
    }
}

fn entry_from_wire(entry: wire::FileEntry) -> Entry {
    let kind = match entry.kind() {
        wire::FileKind::File => EntryKind::File,
        wire::FileKind::Directory => EntryKind::Directory,
        wire::FileKind::Link => EntryKind::Link,
        wire::FileKind::Other | wire::FileKind::Unspecified => EntryKind::Other,
    };
    Entry {
        kind,
        modified: entry.modify_time.as_ref().map_or(berth_core::relay::Moment(0), moment_from_wire),
        name: entry.name,
        name_is_exact: entry.name_is_exact,
        size: entry.size,
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        target: entry.target,
        version: entry.version,
    }
}

const FAULTS: &[(FileFault, wire::FileFault)] = &[
    (FileFault::NotFound, wire::FileFault::NotFound),
    (FileFault::AlreadyExists, wire::FileFault::AlreadyExists),
    (FileFault::NotADirectory, wire::FileFault::NotADirectory),
    (FileFault::IsADirectory, wire::FileFault::IsADirectory),
    (FileFault::NotPermitted, wire::FileFault::NotPermitted),
    (FileFault::ReadOnly, wire::FileFault::ReadOnly),
    (FileFault::LinkLoop, wire::FileFault::LinkLoop),
    (FileFault::NotAFile, wire::FileFault::NotAFile),
    (FileFault::NoSpace, wire::FileFault::NoSpace),
    (FileFault::Changed, wire::FileFault::Changed),
    (FileFault::Busy, wire::FileFault::Busy),
    (FileFault::WrongSize, wire::FileFault::WrongSize),
    (FileFault::WrongDigest, wire::FileFault::WrongDigest),
    (FileFault::OtherFileSystem, wire::FileFault::OtherFileSystem),
    (FileFault::IntoItself, wire::FileFault::IntoItself),
    (FileFault::Stopped, wire::FileFault::Stopped),
    (FileFault::Refused(Refused::Name), wire::FileFault::RefusedName),
    (FileFault::Refused(Refused::Link), wire::FileFault::RefusedLink),
    (FileFault::Refused(Refused::ThroughLink), wire::FileFault::RefusedThroughLink),
    (FileFault::Refused(Refused::Device), wire::FileFault::RefusedDevice),
    (FileFault::Refused(Refused::Setuid), wire::FileFault::RefusedSetuid),
    (FileFault::Refused(Refused::Duplicate), wire::FileFault::RefusedDuplicate),
    (FileFault::Refused(Refused::Sparse), wire::FileFault::RefusedSparse),
    (FileFault::Refused(Refused::TooManyEntries), wire::FileFault::RefusedTooManyEntries),
    (FileFault::Refused(Refused::Broken), wire::FileFault::RefusedBroken),
];

pub(super) fn fault_to_wire(fault: FileFault) -> wire::FileFault {
    let row = FAULTS.iter().find(|(domain, _)| *domain == fault);
    row.map_or(wire::FileFault::Unspecified, |(_, wire)| *wire)
}

/// `None` for one that is newer than this program.
pub(super) fn fault_from_wire(fault: wire::FileFault) -> Option<FileFault> {
    FAULTS.iter().find(|(_, wire)| *wire == fault).map(|(domain, _)| *domain)
}

#[cfg(test)]
mod tests {
    use berth_core::relay::Moment;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn operations_there_and_back() {
        let path = FilePath::parse("/home/ann/日本語").unwrap();
        let upload = UploadId(Uuid::from_u128(7));
        let write = |mode, modified, replace| {
            FilesOperation::Write(Write {
                path: path.clone(),
                upload,
                size: Some(50 << 30),
                mode,
                modified,
                replace,
            })
        };
        for operation in [
            FilesOperation::Stat { path: path.clone() },
            FilesOperation::List { path: path.clone(), limit: 7 },
            FilesOperation::Read(Read {
                path: path.clone(),
                from: 3,
                to: Some(0),
                version: Some("v".into()),
            }),
            FilesOperation::Read(Read { path: path.clone(), from: 0, to: None, version: None }),
            FilesOperation::Pack { path: path.clone(), archive: Archive::Tar },
            FilesOperation::Pack { path: path.clone(), archive: Archive::Zip },
            write(None, None, Replace::No),
            write(Some(0), Some(Moment(-1)), Replace::Yes),
            FilesOperation::Discard { path: path.clone(), upload },
            FilesOperation::Unpack { path: path.clone(), replace: Replace::Yes, upload },
            FilesOperation::MakeDirectory { path: path.clone() },
            FilesOperation::Move { from: path.clone(), to: path.clone(), replace: Replace::No },
            FilesOperation::Delete { path: path.clone() },
            FilesOperation::SetAttributes {
                path: path.clone(),
                mode: Some(0),
                modified: Some(Moment(7)),
            },
            FilesOperation::SetAttributes { path: path.clone(), mode: None, modified: None },
        ] {
            let wire = operation_to_wire(operation.clone());
            assert_eq!(operation_from_wire(wire).unwrap(), Some(operation));
        }
        let upwards = wire::files_operation::Kind::Delete("/a/..".into());
        let upwards = wire::FilesOperation { kind: Some(upwards) };
        assert_eq!(operation_from_wire(upwards).unwrap_err().field, "path");
    }

    #[test]
    fn every_fault_has_a_row() {
        for number in 1..100 {
            let Ok(wire) = wire::FileFault::try_from(number) else { continue };
            let domain = fault_from_wire(wire);
            assert_eq!(domain.map(fault_to_wire), Some(wire));
        }
    }
}
