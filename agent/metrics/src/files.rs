//! All that is seen of the machine.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use berth_core::figures::Storage;

pub trait Files: Send {
    /// The whole of a small file, in place of what `text` held.
    fn read(&self, path: &Path, text: &mut String) -> io::Result<()>;

    fn exists(&self, path: &Path) -> bool;

    /// The names in a folder; none where there is no such folder.
    fn list(&self, folder: &Path) -> Vec<String>;

    /// Of the file system that the path lies on.
    fn storage(&self, path: &Path) -> Storage;
}

/// The one that we run on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine;

impl Files for Machine {
    fn read(&self, path: &Path, text: &mut String) -> io::Result<()> {
        text.clear();
        File::open(path)?.read_to_string(text).map(|_| ())
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn list(&self, folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn storage(&self, path: &Path) -> Storage {
        let Ok(all) = rustix::fs::statvfs(path) else { return Storage::default() };
        let bytes = |blocks: u64| blocks.saturating_mul(all.f_frsize);
        Storage {
            used_bytes: bytes(all.f_blocks.saturating_sub(all.f_bfree)),
            total_bytes: bytes(all.f_blocks),
        }
    }
}
