//! A file as its blade describes it.

use std::{ffi::CStr, os::fd::AsFd};

use berth_core::{
    files::{Entry, EntryKind},
    relay::Moment,
};
use rustix::{
    fs::{AtFlags, FileType, Stat, readlinkat, statat},
    io,
};

/// Of a name in a directory; of the link itself where it is one.
pub(crate) fn entry(directory: impl AsFd, name: &CStr) -> io::Result<Entry> {
    let stat = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let mut entry = from_stat(&stat, name.to_bytes());
    if entry.kind == EntryKind::Link {
        let target = readlinkat(&directory, name, Vec::new())?;
        entry.target = target.to_string_lossy().into_owned();
    }
    Ok(entry)
}

pub(crate) fn from_stat(stat: &Stat, name: &[u8]) -> Entry {
    let exact = std::str::from_utf8(name).is_ok();
    Entry {
        name: String::from_utf8_lossy(name).into_owned(),
        name_is_exact: exact,
        kind: kind(stat),
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified: moment(stat),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        target: String::new(),
        version: version(stat),
    }
}

fn kind(stat: &Stat) -> EntryKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Link,
        _ => EntryKind::Other,
    }
}

fn moment(stat: &Stat) -> Moment {
    let nanos = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    Moment(stat.st_mtime.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// The time of change cannot be set by whoever owns the file, and differs after every write.
fn version(stat: &Stat) -> String {
    format!("{:x}-{:x}-{:x}.{:x}", stat.st_ino, stat.st_size, stat.st_ctime, stat.st_ctime_nsec)
}
