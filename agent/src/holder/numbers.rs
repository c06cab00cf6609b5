//! The numbers of terminals: counted per container in a file beside the holders' sockets, with a lock on it.
//!
//! A file, because an older holder that still runs and a newer one count for the same containers, and because somebody who
//! comes back with a number from before a crash must not get another one's terminal. A lock and not a service, because
//! holders know nothing of each other.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use berth_core::id::ContainerId;
use rustix::fs::{FlockOperation, flock};

/// As long as the longest, so that a new one covers the old one.
const WIDTH: usize = 10;

fn folder(directory: &Path) -> PathBuf {
    directory.join("numbers")
}

/// A number that no terminal of this container has ever had. May wait for another process for a moment.
pub(crate) fn next(directory: &Path, container: ContainerId) -> io::Result<u32> {
    let folder = folder(directory);
    fs::create_dir_all(&folder)?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join(container.to_string()))?;
    // Until the file is closed.
    flock(&file, FlockOperation::LockExclusive)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let last: u32 = match text.trim() {
        "" => 0,
        text => text.parse().map_err(|_| io::ErrorKind::InvalidData)?,
    };
    let number = last.checked_add(1).ok_or(io::ErrorKind::InvalidData)?;
    file.write_all_at(format!("{number:>WIDTH$}").as_bytes(), 0)?;
    Ok(number)
}

/// Forgets all containers but these.
pub(crate) fn keep(directory: &Path, containers: &BTreeSet<ContainerId>) -> io::Result<()> {
    let entries = match fs::read_dir(folder(directory)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let container = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if container.is_some_and(|container| !containers.contains(&container)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn never_the_same_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let (a, b) = (ContainerId::new(Uuid::from_u128(1)), ContainerId::new(Uuid::from_u128(2)));
        assert_eq!(next(path, b).unwrap(), 1);
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = path.to_owned();
                std::thread::spawn(move || (0..50).map(|_| next(&path, a).unwrap()).collect())
            })
            .collect();
        let all: Vec<Vec<u32>> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let distinct: BTreeSet<u32> = all.iter().flatten().copied().collect();
        assert_eq!(distinct, (1..=400).collect());
        assert!(all.iter().all(|numbers| numbers.is_sorted()));

        keep(path, &[a].into()).unwrap();
        assert_eq!(next(path, a).unwrap(), 401);
        assert_eq!(next(path, b).unwrap(), 1);
    }

    #[test]
    fn what_is_no_number_is_not_guessed_at() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let container = ContainerId::new(Uuid::from_u128(1));
        keep(path, &BTreeSet::new()).unwrap();
        assert_eq!(next(path, container).unwrap(), 1);
        let file = folder(path).join(container.to_string());
        fs::write(&file, "4294967295").unwrap();
        assert!(next(path, container).is_err());
        fs::write(&file, "x").unwrap();
        assert!(next(path, container).is_err());
    }
}
