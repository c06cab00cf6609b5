//! How much room a directory takes, as `du` counts: blocks on disk, hard links once, and not beyond its file system.

use std::{collections::HashSet, io, os::unix::fs::MetadataExt as _, path::Path};

use walkdir::WalkDir;

/// The unit of `st_blocks`, whatever the file system's own is.
const BLOCK: u64 = 512;

/// What vanishes while it is counted is not counted. What cannot be read at all is an error: a figure that is too low would
/// let somebody go on.
pub fn used_bytes(directory: &Path) -> io::Result<u64> {
    let mut blocks: u64 = 0;
    let mut linked = HashSet::new();
    for entry in WalkDir::new(directory).same_file_system(true) {
        let metadata = match entry.and_then(|entry| entry.metadata()) {
            Ok(metadata) => metadata,
            Err(error) if is_gone(&error) && error.depth() > 0 => continue,
            Err(error) => return Err(error.into()),
        };
        let is_new = metadata.nlink() < 2 || metadata.is_dir() || linked.insert(metadata.ino());
        if is_new {
            blocks = blocks.saturating_add(metadata.blocks());
        }
    }
    Ok(blocks.saturating_mul(BLOCK))
}

fn is_gone(error: &walkdir::Error) -> bool {
    error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn as_du_counts() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/large"), vec![1; 3 << 20]).unwrap();
        fs::write(at("small"), "x").unwrap();
        fs::hard_link(at("a/b/large"), at("again")).unwrap();
        symlink("/usr", at("elsewhere")).unwrap();
        // A hole takes no room.
        fs::File::create(at("sparse")).unwrap().set_len(1 << 40).unwrap();
        let du =
            std::process::Command::new("du").args(["-sk"]).arg(folder.path()).output().unwrap();
        let text = String::from_utf8(du.stdout).unwrap();
        let kib: u64 = text.split_whitespace().next().unwrap().parse().unwrap();
        let counted = used_bytes(folder.path()).unwrap();
        assert_eq!(counted / 1024, kib);
        assert!((3 << 20..5 << 20).contains(&counted), "{counted}");
        assert!(used_bytes(&at("nothing")).is_err(), "nothing is not an empty directory");
    }
}
