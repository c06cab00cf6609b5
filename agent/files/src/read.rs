//! A file's bytes, or some of them.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
};

use berth_core::files::{self, Blake3, Entry, FileFault, FilePath};
use rustix::fs::fstat;

use crate::{Error, Result, Tree, entry, error::about, tree};

#[derive(Debug)]
pub struct Reader {
    path: FilePath,
    file: File,
    entry: Entry,
    left: u64,
    hasher: blake3::Hasher,
}

impl Tree {
    /// Up to the size that it has now: what is appended meanwhile is for the next time.
    pub fn read(&self, read: &files::Read) -> Result<Reader> {
        let path = &read.path;
        let handle = self.resolve(path)?;
        let mut file = tree::open_file(path, &handle)?;
        let stat = fstat(&file).map_err(about(path))?;
        let entry = entry::from_stat(&stat, path.name().unwrap_or_default().as_bytes());
        if read.version.as_ref().is_some_and(|version| *version != entry.version) {
            return Err(Error::fault(FileFault::Changed, path));
        }
        let end = read.to.unwrap_or(entry.size).min(entry.size);
        file.seek(SeekFrom::Start(read.from)).map_err(|error| Error::io(path, error))?;
        let left = end.saturating_sub(read.from);
        Ok(Reader { path: path.clone(), file, entry, left, hasher: blake3::Hasher::new() })
    }
}

impl Reader {
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// How many bytes will come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// 0 at the end.
    pub fn next(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.file.read(&mut buffer[..wanted]);
        let read = read.map_err(|error| Error::io(&self.path, error))?;
        if read == 0 {
            return Err(Error::fault(FileFault::Changed, &self.path));
        }
        self.left = self.left.saturating_sub(read as u64);
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }

    /// Of what was given out.
    pub fn digest(&self) -> Blake3 {
        Blake3(*self.hasher.finalize().as_bytes())
    }
}
