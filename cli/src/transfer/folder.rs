//! A folder to a container: what is small in one tar, what is large one by one, so that a line that breaks costs little.

use std::{
    fs,
    io::{self, Write},
    path::{Component, Path, PathBuf},
    time::UNIX_EPOCH,
};

use anyhow::{Context as _, Result, bail};
use berth_proto::v1::{self, upload_archive_request};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{CHUNK, Patience, QUEUE, Remote, Transfer, note_skipped, shown, up};
use crate::text;

/// From here on a file goes by itself.
const LARGE: u64 = 8 << 20;

impl Transfer {
    /// A file or a folder, to a place in a container: into it, where it is a folder.
    pub(crate) async fn send(&self, here: &Path, remote: &Remote) -> Result<()> {
        let facts = here.metadata().with_context(|| here.display().to_string())?;
        let into = remote.path.ends_with('/') || self.is_folder(remote).await?;
        let target = if into {
            // "." and ".." have no name of their own.
            let absolute = here.canonicalize()?;
            let name = absolute.file_name().and_then(|name| name.to_str());
            match name {
                Some(name) => remote.below(name),
                None => bail!(text::no_name(&here.display().to_string())),
            }
        } else {
            remote.clone()
        };
        if facts.is_dir() {
            self.send_folder(here, &target).await
        } else {
            self.send_file(here, &target).await
        }
    }

    async fn send_folder(&self, here: &Path, remote: &Remote) -> Result<()> {
        let found = Found::look(here)?;
        for skipped in &found.skipped {
            note_skipped(skipped)?;
        }
        self.make_directory(remote).await?;
        let mut patience = Patience::new();
        loop {
            match self.send_small(here, &found, remote).await? {
                Ok(()) => break,
                Err(status) => patience.after(status, 0).await?,
            }
        }
        for name in &found.large {
            let Some(below) = name.to_str() else { continue };
            self.send_file(&here.join(name), &remote.below(&below.replace('\\', "/"))).await?;
        }
        Ok(())
    }

    /// The outer error is of this machine, the inner one of the line.
    async fn send_small(
        &self,
        here: &Path,
        found: &Found,
        remote: &Remote,
    ) -> Result<Result<(), Status>> {
        let (say, messages) = mpsc::channel(QUEUE);
        let Remote { owner, name, path } = remote.clone();
        let begin = v1::BeginArchive { owner, name, path, replace: true };
        let begin = upload_archive_request::Message::Begin(begin);
        // The queue is empty: there is room.
        drop(say.send(v1::UploadArchiveRequest { message: Some(begin) }).await);
        self.progress.begin(&shown(remote), Some(found.bytes));
        let (here, small, progress) = (here.to_owned(), found.small.clone(), self.progress.clone());
        let packing = tokio::task::spawn_blocking(move || {
            let outgoing = Outgoing { say, buffer: BytesMut::new(), progress };
            pack(&here, &small, outgoing)
        });
        let answer = self.client.clone().upload_archive(ReceiverStream::new(messages)).await;
        let packed = packing.await?;
        Ok(match (answer, packed) {
            (Ok(_), Ok(())) => Ok(()),
            // A line that broke is no fault of what was read.
            (Err(status), _) => Err(status),
            (Ok(_), Err(error)) => return Err(error),
        })
    }
}

/// What is in a folder, by relative paths.
#[derive(Debug, Default)]
struct Found {
    small: Vec<PathBuf>,
    large: Vec<PathBuf>,
    /// Neither files nor folders, or links that lead out.
    skipped: Vec<PathBuf>,
    /// Of what is small.
    bytes: u64,
}

impl Found {
    fn look(folder: &Path) -> Result<Self> {
        let mut found = Self::default();
        found.walk(folder, Path::new(""))?;
        Ok(found)
    }

    fn walk(&mut self, folder: &Path, at: &Path) -> Result<()> {
        let shown = || folder.join(at).display().to_string();
        let mut entries: Vec<_> =
            fs::read_dir(folder.join(at)).with_context(shown)?.collect::<io::Result<_>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = at.join(entry.file_name());
            let facts = entry.metadata().with_context(|| entry.path().display().to_string())?;
            if facts.is_dir() {
                self.small.push(name.clone());
                self.walk(folder, &name)?;
            } else if facts.is_symlink() {
                let target = fs::read_link(entry.path())?;
                let list =
                    if stays_inside(&name, &target) { &mut self.small } else { &mut self.skipped };
                list.push(name);
            } else if facts.is_file() && facts.len() >= LARGE && name.to_str().is_some() {
                self.large.push(name);
            } else if facts.is_file() {
                self.bytes += facts.len();
                self.small.push(name);
            } else {
                self.skipped.push(name);
            }
        }
        Ok(())
    }
}

/// As the blade sees it: what it would refuse is told here.
fn stays_inside(name: &Path, target: &Path) -> bool {
    let mut depth = name.components().count().saturating_sub(1);
    target.components().all(|component| match component {
        Component::Normal(_) => {
            depth += 1;
            true
        }
        Component::CurDir => true,
        Component::ParentDir => {
            let inside = depth > 0;
            depth = depth.saturating_sub(1);
            inside
        }
        Component::RootDir | Component::Prefix(_) => false,
    })
}

fn pack(folder: &Path, names: &[PathBuf], outgoing: Outgoing) -> Result<()> {
    let mut tar = tar::Builder::new(outgoing);
    tar.sparse(false);
    for name in names {
        let path = folder.join(name);
        let shown = || path.display().to_string();
        let facts = path.symlink_metadata().with_context(shown)?;
        let mut header = tar::Header::new_gnu();
        header.set_mode(up::mode(&facts).unwrap_or(0o755));
        let modified = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        header.set_mtime(modified.unwrap_or_default().as_secs());
        header.set_size(0);
        if facts.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            tar.append_data(&mut header, name.join(""), io::empty()).with_context(shown)?;
        } else if facts.is_symlink() {
            header.set_entry_type(tar::EntryType::Symlink);
            tar.append_link(&mut header, name, fs::read_link(&path)?).with_context(shown)?;
        } else {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(facts.len());
            let file = fs::File::open(&path).with_context(shown)?;
            let mut content = Exactly { file, left: facts.len() };
            tar.append_data(&mut header, name, &mut content).with_context(shown)?;
        }
    }
    tar.into_inner()?.end()?;
    Ok(())
}

/// As many bytes as its header says: fewer would make something else of what follows.
struct Exactly {
    file: fs::File,
    left: u64,
}

impl io::Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read(&mut buffer[..wanted])?;
        if read == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

struct Outgoing {
    say: mpsc::Sender<v1::UploadArchiveRequest>,
    buffer: BytesMut,
    progress: super::Progress,
}

impl Outgoing {
    fn send(&self, message: upload_archive_request::Message) -> io::Result<()> {
        let sent = self.say.blocking_send(v1::UploadArchiveRequest { message: Some(message) });
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.send(upload_archive_request::Message::End(true))
    }
}

impl Write for Outgoing {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let count = data.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&data[..count]);
        if self.buffer.len() == CHUNK {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let full: Bytes = std::mem::take(&mut self.buffer).freeze();
        self.progress.more(full.len());
        self.send(upload_archive_request::Message::Data(full))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        for (name, target, inside) in [
            ("a", "b", true),
            ("a/b", "../c", true),
            ("a", "../b", false),
            ("a/b", "../../c", false),
            ("a", "/etc", false),
            ("a/b", "./c/../../d", true),
        ] {
            assert_eq!(stays_inside(Path::new(name), Path::new(target)), inside, "{name} {target}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/small"), "x").unwrap();
        fs::File::create(at("large")).unwrap().set_len(LARGE).unwrap();
        std::os::unix::fs::symlink("sub/small", at("inside")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at("outside")).unwrap();
        let found = Found::look(folder.path()).unwrap();
        let names = |list: &[PathBuf]| -> Vec<String> {
            list.iter().map(|name| name.display().to_string()).collect()
        };
        assert_eq!(names(&found.small), ["inside", "sub", "sub/small"]);
        assert_eq!(names(&found.large), ["large"]);
        assert_eq!(names(&found.skipped), ["outside"]);
        assert_eq!(found.bytes, 1);
    }
}
