//! A directory with everything in it as one stream.

use std::{
    ffi::{CString, OsStr},
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::AsFd,
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::{Path, PathBuf},
};

use berth_core::files::{Archive, FileFault, FilePath};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{Error, Result, Tree, error::about, hidden, list::c_string, tree};

/// Each directory on the way is held open.
const DEPTH_MAXIMUM: usize = 256;

impl Tree {
    /// Everything below a path, named from the path's own name on. What is neither a file, a directory nor a link is left
    /// out, and so is what is not whole yet.
    pub fn pack(&self, path: &FilePath, archive: Archive, to: impl Write) -> Result<()> {
        let (directory, name) = match path.split() {
            Some(_) => {
                let (directory, name) = self.place(path)?;
                (directory, c_string(path, name)?)
            }
            None => (self.directory(path)?, c_string(path, ".")?),
        };
        let mut sink: Box<dyn Sink + '_> = match archive {
            Archive::Tar => {
                let mut builder = tar::Builder::new(to);
                builder.sparse(false);
                Box::new(Tar(builder))
            }
            Archive::Zip => Box::new(Zip(ZipWriter::new_stream(to))),
        };
        let top = if path.is_root() { PathBuf::new() } else { PathBuf::from(os(&name)) };
        add(&mut *sink, &directory, &name, &top, 0)?;
        sink.end().map_err(|error| Error::io(path, error))
    }
}

fn os(name: &CString) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}

fn add(
    sink: &mut dyn Sink,
    directory: &File,
    name: &CString,
    path: &Path,
    depth: usize,
) -> Result<()> {
    let subject = || Error::lossy(path);
    let stat = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        // Removed since it was listed.
        Err(rustix::io::Errno::NOENT) if depth > 0 => return Ok(()),
        Err(errno) => return Err(Error::errno(subject(), errno)),
    };
    let fail = |error| Error::io(subject(), error);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = openat(directory, name, flags, Mode::empty()).map_err(about(subject()))?;
            // Another one may have come under the name since.
            let stat = fstat(&file).map_err(about(subject()))?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                return Ok(());
            }
            let size = u64::try_from(stat.st_size).unwrap_or(0);
            let mut content = Exactly { file: File::from(file), left: size };
            sink.file(path, &stat, &mut content).map_err(fail)?;
            if content.left > 0 {
                return Err(Error::fault(FileFault::Changed, subject()));
            }
            Ok(())
        }
        FileType::Symlink => {
            let target = readlinkat(directory, name, Vec::new()).map_err(about(subject()))?;
            let target = PathBuf::from(std::ffi::OsString::from_vec(target.into_bytes()));
            sink.link(path, &stat, &target).map_err(fail)
        }
        FileType::Directory => {
            if depth == DEPTH_MAXIMUM {
                return Err(Error::fault(FileFault::NotPermitted, subject()));
            }
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let inner = File::from(
                openat(directory, name, flags, Mode::empty()).map_err(about(subject()))?,
            );
            if tree::is_no_place(inner.as_fd()).map_err(about(subject()))? {
                return Ok(());
            }
            if !path.as_os_str().is_empty() {
                sink.directory(path, &stat).map_err(fail)?;
            }
            let mut dir = Dir::read_from(&inner).map_err(about(subject()))?;
            while let Some(found) = dir.read() {
                let name = found.map_err(about(subject()))?.file_name().to_owned();
                if !matches!(name.to_bytes(), b"." | b"..") && !hidden::is_one(name.to_bytes()) {
                    add(sink, &inner, &name, &path.join(os(&name)), depth + 1)?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// As many bytes as its header says, and no more if it grows.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read(&mut buffer[..wanted])?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

trait Sink {
    fn directory(&mut self, path: &Path, stat: &Stat) -> io::Result<()>;
    fn file(&mut self, path: &Path, stat: &Stat, content: &mut Exactly) -> io::Result<()>;
    fn link(&mut self, path: &Path, stat: &Stat, target: &Path) -> io::Result<()>;
    fn end(self: Box<Self>) -> io::Result<()>;
}

struct Tar<W: Write>(tar::Builder<W>);

fn header(stat: &Stat, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(stat.st_mode & 0o777);
    header.set_uid(u64::from(stat.st_uid));
    header.set_gid(u64::from(stat.st_gid));
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header
}

impl<W: Write> Sink for Tar<W> {
    fn directory(&mut self, path: &Path, stat: &Stat) -> io::Result<()> {
        let mut header = header(stat, tar::EntryType::Directory, 0);
        // Its name ends with a slash.
        self.0.append_data(&mut header, path.join(""), io::empty())
    }

    fn file(&mut self, path: &Path, stat: &Stat, content: &mut Exactly) -> io::Result<()> {
        let mut header = header(stat, tar::EntryType::Regular, content.left);
        self.0.append_data(&mut header, path, content)
    }

    fn link(&mut self, path: &Path, stat: &Stat, target: &Path) -> io::Result<()> {
        let mut header = header(stat, tar::EntryType::Symlink, 0);
        self.0.append_link(&mut header, path, target)
    }

    fn end(self: Box<Self>) -> io::Result<()> {
        self.0.into_inner()?.flush()
    }
}

struct Zip<W: Write>(ZipWriter<zip::write::StreamWriter<W>>);

fn options(stat: &Stat, size: u64) -> SimpleFileOptions {
    SimpleFileOptions::default()
        // What is large is mostly compressed already, and a blade has better things to do.
        .compression_method(CompressionMethod::Stored)
        .large_file(size >= u64::from(u32::MAX))
        .unix_permissions(stat.st_mode & 0o777)
}

impl<W: Write> Sink for Zip<W> {
    fn directory(&mut self, path: &Path, stat: &Stat) -> io::Result<()> {
        Ok(self.0.add_directory(path.to_string_lossy(), options(stat, 0))?)
    }

    fn file(&mut self, path: &Path, stat: &Stat, content: &mut Exactly) -> io::Result<()> {
        self.0.start_file(path.to_string_lossy(), options(stat, content.left))?;
        io::copy(content, &mut self.0).map(drop)
    }

    fn link(&mut self, path: &Path, stat: &Stat, target: &Path) -> io::Result<()> {
        let options = options(stat, 0);
        Ok(self.0.add_symlink(path.to_string_lossy(), target.to_string_lossy(), options)?)
    }

    fn end(self: Box<Self>) -> io::Result<()> {
        self.0.finish()?.into_inner().flush()
    }
}
