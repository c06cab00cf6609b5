//! Bytes on disk, kept in two files by turns.
//!
//! A write goes over the older of the two in place, and is durable after a single flush: nothing is made, renamed or grown,
//! so the file system has next to nothing of its own to write. (A new file that is renamed over the old one takes two
//! flushes of the file system's journal; on a disk that others write to, that was half of all that a launch waits for.)
//!
//! # Guarantees
//! After any crash there is what was written last, or what was written before it; the latter only if the last write never
//! returned. A checksum tells a write that was cut off.

use std::{
    fs, io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use sha2::{Digest as _, Sha256};

use crate::ledger::replace;

const MAGIC: [u8; 8] = *b"berth-l1";
/// Magic, sequence, length, SHA-256 of sequence and bytes.
const HEADER: usize = 8 + 8 + 8 + 32;
/// Files grow in steps of this, so that most writes do not grow them: some forty containers.
const STEP: usize = 64 << 10;

pub(crate) struct Slots {
    paths: [PathBuf; 2],
    /// The sequence that was written last, once it is known.
    newest: Mutex<Option<u64>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Never written.
    Nothing,
    Newest(Vec<u8>),
    /// There is something, and none of it is whole.
    Damaged,
}

enum Slot {
    Missing,
    Torn,
    Whole { sequence: u64, bytes: Vec<u8> },
}

impl Slots {
    /// The two files are `path` with the extensions `a` and `b`.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            paths: [path.with_extension("a"), path.with_extension("b")],
            newest: Mutex::new(None),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.paths[0]
    }

    pub(crate) fn read(&self) -> io::Result<Found> {
        self.newest().map(|(_, found)| found)
    }

    fn newest(&self) -> io::Result<(u64, Found)> {
        let mut found = (0, Found::Nothing);
        for (parity, path) in (0..).zip(&self.paths) {
            match read(path)? {
                Slot::Missing => {}
                // Written by turns: whole in the other's place would mean that somebody copied it there.
                Slot::Whole { sequence, bytes } if sequence % 2 == parity => {
                    if sequence > found.0 {
                        found = (sequence, Found::Newest(bytes));
                    }
                }
                Slot::Whole { .. } | Slot::Torn => {
                    tracing::warn!(path = %path.display(), "a write was cut off; the one before it counts");
                    if found.1 == Found::Nothing {
                        found.1 = Found::Damaged;
                    }
                }
            }
        }
        Ok(found)
    }

    /// Returns when it is durable. Nothing has changed when it fails.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = 1 + match *newest {
            Some(sequence) => sequence,
            None => match self.newest()? {
                (sequence, Found::Nothing | Found::Newest(_)) => sequence,
                (_, Found::Damaged) => return Err(io::ErrorKind::InvalidData.into()),
            },
        };
        let path = &self.paths[usize::from(sequence % 2 == 1)];
        let mut frame = frame(sequence, bytes);
        match fs::OpenOptions::new().write(true).open(path) {
            Ok(file) => {
                if file.metadata()?.len() < frame.len() as u64 {
                    frame.resize(frame.len().next_multiple_of(STEP), 0);
                }
                file.write_all_at(&frame, 0)?;
                file.sync_data()?;
            }
            // The first one of all: whole or not there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                frame.resize(frame.len().next_multiple_of(STEP), 0);
                replace(path, &frame, 0o600)?;
            }
            Err(error) => return Err(error),
        }
        *newest = Some(sequence);
        Ok(())
    }
}

fn frame(sequence: u64, bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER + bytes.len() + STEP);
    frame.extend(MAGIC);
    frame.extend(sequence.to_le_bytes());
    frame.extend((bytes.len() as u64).to_le_bytes());
    frame.extend(checksum(sequence, bytes));
    frame.extend(bytes);
    frame
}

fn checksum(sequence: u64, bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(sequence.to_le_bytes()).chain_update(bytes).finalize().into()
}

fn read(path: &Path) -> io::Result<Slot> {
    match fs::read(path) {
        Ok(file) => Ok(parse(&file).unwrap_or(Slot::Torn)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Slot::Missing),
        Err(error) => Err(error),
    }
}

/// What lies behind the frame is of longer ones before it.
fn parse(file: &[u8]) -> Option<Slot> {
    let rest = file.strip_prefix(&MAGIC)?;
    let (sequence, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk::<32>()?;
    let sequence = u64::from_le_bytes(*sequence);
    let bytes = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    (checksum(sequence, bytes) == *sum).then(|| Slot::Whole { sequence, bytes: bytes.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damage(path: &Path) {
        let mut file = fs::read(path).unwrap();
        file[HEADER] ^= 1;
        fs::write(path, file).unwrap();
    }

    fn newest(bytes: &[u8]) -> Found {
        Found::Newest(bytes.to_owned())
    }

    #[test]
    fn the_last_one_written_also_by_another_life() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.pb");
        assert_eq!(Slots::new(&path).read().unwrap(), Found::Nothing);
        for length in [10, 100_000, 3, 70_000, 70_001, 0, 5] {
            for _life in 0..2 {
                let slots = Slots::new(&path);
                for byte in 0..3 {
                    slots.write(&vec![byte; length]).unwrap();
                    assert_eq!(slots.read().unwrap(), newest(&vec![byte; length]));
                }
            }
        }
        let files = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(files, 2);
    }

    #[test]
    fn a_write_that_was_cut_off_never_happened() {
        let directory = tempfile::tempdir().unwrap();
        let slots = Slots::new(&directory.path().join("ledger.pb"));
        slots.write(b"first").unwrap();
        slots.write(b"second").unwrap();
        slots.write(b"third").unwrap();
        // The third lies where the first was.
        damage(&slots.paths[1]);
        let again = Slots::new(&directory.path().join("ledger.pb"));
        assert_eq!(again.read().unwrap(), newest(b"second"));
        again.write(b"fourth").unwrap();
        assert_eq!(again.read().unwrap(), newest(b"fourth"));
        again.write(b"fifth").unwrap();
        assert_eq!(again.read().unwrap(), newest(b"fifth"));
    }

    #[test]
    fn cut_at_any_length() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.pb");
        let slots = Slots::new(&path);
        slots.write(b"before").unwrap();
        slots.write(b"old, and longer than the new one").unwrap();
        slots.write(b"kept").unwrap();
        let old = fs::read(&slots.paths[0]).unwrap();
        let new = frame(4, b"new");
        for cut in 0..new.len() {
            let mut torn = old.clone();
            torn[..cut].copy_from_slice(&new[..cut]);
            fs::write(&slots.paths[0], torn).unwrap();
            assert_eq!(Slots::new(&path).read().unwrap(), newest(b"kept"), "cut at {cut}");
        }
    }

    #[test]
    fn nothing_whole_is_damage_and_stays_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.pb");
        let slots = Slots::new(&path);
        slots.write(b"only").unwrap();
        damage(&slots.paths[1]);
        let again = Slots::new(&path);
        assert_eq!(again.read().unwrap(), Found::Damaged);
        assert_eq!(again.write(b"more").unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
