//! From a container: one file, gone on with where it broke off; or a folder, as a tar that is laid out here.

use std::{
    fs::{self, File},
    io::{Read, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use berth_proto::v1::{self, download_response};
use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;
use tonic::{Code, Status};

use super::{Patience, QUEUE, Remote, Transfer, shown};
use crate::text;

impl Transfer {
    /// A file or a folder, to a place here: into it, where it is a folder.
    pub(crate) async fn receive(&self, remote: &Remote, here: &Path) -> Result<()> {
        let Some(there) = self.stat(remote).await? else {
            bail!(Status::not_found(text::not_there(&shown(remote))));
        };
        let is_folder = match there.kind() {
            v1::FileKind::Directory => true,
            v1::FileKind::Link => self.is_folder(remote).await?,
            v1::FileKind::File | v1::FileKind::Other | v1::FileKind::Unspecified => false,
        };
        let name = remote.file_name().unwrap_or(&remote.name);
        // What a container calls its files is not for this machine to take as a path.
        if name == ".." || name.contains(['/', '\\']) {
            bail!(text::not_there(&shown(remote)));
        }
        let target = if here.is_dir() { here.join(name) } else { here.to_owned() };
        if is_folder {
            return self.receive_folder(remote, &target).await;
        }
        if target.is_dir() {
            bail!(text::is_a_folder(&target.display().to_string()));
        }
        self.receive_file(remote, &target).await
    }

    async fn receive_file(&self, remote: &Remote, target: &Path) -> Result<()> {
        let part = Part::begin(target)?;
        let mut have = Have::new(&part)?;
        let mut patience = Patience::new();
        self.progress.begin(&shown(remote), None);
        loop {
            match self.attempt_to_receive(remote, &mut have).await? {
                Ok(()) => break,
                // It is another one now: from the beginning.
                Err(status) if status.code() == Code::Aborted && have.bytes > 0 => {
                    have = Have::new(&part)?;
                }
                Err(status) => patience.after(status, have.bytes).await?,
            }
        }
        if let Some(described) = &have.described {
            apply(&have.file, described)?;
        }
        drop(have);
        part.finish(target)
    }

    /// The outer error is of this machine, the inner one of the line.
    async fn attempt_to_receive(
        &self,
        remote: &Remote,
        have: &mut Have,
    ) -> Result<Result<(), Status>> {
        let Remote { owner, name, path } = remote.clone();
        let described = have.described.as_ref();
        let request = v1::DownloadRequest {
            owner,
            name,
            path,
            offset: have.bytes,
            version: described.map(|file| file.version.clone()).unwrap_or_default(),
            archive: v1::ArchiveFormat::Unspecified.into(),
        };
        let mut heard = match self.client.clone().download(request).await {
            Ok(heard) => heard.into_inner(),
            Err(status) => return Ok(Err(status)),
        };
        // Decrypting is enough for one thread: another one hashes and writes.
        let (data, written) = mpsc::channel(QUEUE);
        let file = have.file.try_clone()?;
        let writing = tokio::task::spawn_blocking(move || write(file, written));
        let ended = loop {
            let response = match heard.message().await {
                Ok(Some(response)) => response,
                Ok(None) => break Err(Status::unavailable("")),
                Err(status) => break Err(status),
            };
            match response.message {
                Some(download_response::Message::File(described)) => {
                    self.progress.begin(&shown(remote), Some(described.size_bytes));
                    self.progress.at(have.bytes);
                    have.described = Some(described);
                }
                Some(download_response::Message::Data(bytes)) => {
                    self.progress.more(bytes.len());
                    if data.send(bytes).await.is_err() {
                        // Why is said by whoever writes.
                        break Err(Status::cancelled(""));
                    }
                }
                Some(download_response::Message::Blake3(digest)) => break Ok(digest),
                // A newer service may say more.
                None => {}
            }
        };
        drop(data);
        let (bytes, hash) = writing.await??;
        have.bytes += bytes;
        match ended {
            Ok(digest) if hash.as_bytes()[..] == digest[..] => Ok(Ok(())),
            Ok(_) => bail!(text::wrong_digest(&shown(remote))),
            Err(status) => Ok(Err(status)),
        }
    }

    async fn receive_folder(&self, remote: &Remote, target: &Path) -> Result<()> {
        let part = Part::begin(target)?;
        fs::create_dir(&part.path).with_context(|| part.path.display().to_string())?;
        let Remote { owner, name, path } = remote.clone();
        let archive = v1::ArchiveFormat::Tar.into();
        let request = v1::DownloadRequest { owner, name, path, archive, ..Default::default() };
        let mut heard = self.client.clone().download(request).await?.into_inner();
        self.progress.begin(&shown(remote), None);
        let (data, incoming) = mpsc::channel(QUEUE);
        let into = part.path.clone();
        let laying = tokio::task::spawn_blocking(move || lay_out(Incoming::new(incoming), &into));
        let received = async {
            while let Some(response) = heard.message().await? {
                if let Some(download_response::Message::Data(bytes)) = response.message {
                    self.progress.more(bytes.len());
                    if data.send(Some(bytes)).await.is_err() {
                        // Why is said by whoever lays it out.
                        return Ok(());
                    }
                }
            }
            // A closed queue has said why.
            drop(data.send(None).await);
            Ok::<_, Status>(())
        }
        .await;
        drop(data);
        let laid = laying.await?;
        received?;
        laid?;
        // It is named after the folder; what is at the root has no name.
        let top = remote.file_name().map_or_else(|| part.path.clone(), |name| part.path.join(name));
        merge(&top, target)
    }
}

/// What has come so far.
struct Have {
    file: File,
    bytes: u64,
    described: Option<v1::File>,
}

impl Have {
    fn new(part: &Part) -> Result<Self> {
        let file = File::create(&part.path).with_context(|| part.path.display().to_string())?;
        Ok(Self { file, bytes: 0, described: None })
    }
}

/// How many bytes came, and what they amount to.
fn write(mut file: File, mut data: mpsc::Receiver<Bytes>) -> Result<(u64, blake3::Hash)> {
    let mut hasher = blake3::Hasher::new();
    let mut count = 0;
    while let Some(bytes) = data.blocking_recv() {
        hasher.update(&bytes);
        file.write_all(&bytes)?;
        count += bytes.len() as u64;
    }
    Ok((count, hasher.finalize()))
}

/// What is not whole yet, beside its place. Taken away when it does not become whole.
struct Part {
    path: PathBuf,
}

impl Part {
    fn begin(target: &Path) -> Result<Self> {
        let name = target.file_name().with_context(|| target.display().to_string())?;
        let folder = target.parent().unwrap_or_else(|| Path::new(""));
        let path =
            folder.join(format!(".{}.{:016x}.part", name.to_string_lossy(), rand::random::<u64>()));
        Ok(Self { path })
    }

    fn finish(self, target: &Path) -> Result<()> {
        fs::rename(&self.path, target).with_context(|| target.display().to_string())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // In its place by now, or one of the two: there is nothing to tell.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Time and permissions, without those to become somebody else.
fn apply(file: &File, described: &v1::File) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(fs::Permissions::from_mode(described.mode & 0o777 | 0o200))?;
    }
    if let Some(modified) = described.modify_time.and_then(|time| time.try_into().ok()) {
        file.set_modified(modified)?;
    }
    Ok(())
}

fn lay_out(from: Incoming, into: &Path) -> Result<()> {
    let mut archive = tar::Archive::new(from);
    archive.set_preserve_permissions(false);
    archive.set_unpack_xattrs(false);
    archive.unpack(into)?;
    Ok(())
}

/// Moves what is whole into its place, over what is there.
fn merge(from: &Path, to: &Path) -> Result<()> {
    let shown = || to.display().to_string();
    if !to.exists() {
        return fs::rename(from, to).with_context(shown);
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let is_folder = entry.file_type()?.is_dir();
        let there = target.symlink_metadata().map(|facts| facts.is_dir());
        match (is_folder, there) {
            (true, Ok(true)) => merge(&entry.path(), &target)?,
            (true, Ok(false)) => bail!(text::is_no_folder(&target.display().to_string())),
            (false, Ok(true)) => bail!(text::is_a_folder(&target.display().to_string())),
            (_, Ok(false) | Err(_)) => {
                fs::rename(entry.path(), &target).with_context(|| target.display().to_string())?;
            }
        }
    }
    Ok(())
}

/// Messages as something that can be read. One that breaks off is an error and no end.
struct Incoming {
    from: mpsc::Receiver<Option<Bytes>>,
    data: Bytes,
    has_ended: bool,
}

impl Incoming {
    fn new(from: mpsc::Receiver<Option<Bytes>>) -> Self {
        Self { from, data: Bytes::new(), has_ended: false }
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.data.is_empty() && !self.has_ended {
            match self.from.blocking_recv() {
                Some(Some(data)) => self.data = data,
                Some(None) => self.has_ended = true,
                None => return Err(std::io::ErrorKind::ConnectionReset.into()),
            }
        }
        let count = self.data.len().min(buffer.len());
        self.data.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_over_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for (path, content) in [("new/a", "1"), ("new/deep/b", "2"), ("old/a", "0"), ("old/c", "3")]
        {
            fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            fs::write(at(path), content).unwrap();
        }
        merge(&at("new"), &at("old")).unwrap();
        let read = |path: &str| fs::read_to_string(at(path)).unwrap();
        assert_eq!(
            (read("old/a"), read("old/deep/b"), read("old/c")),
            ("1".into(), "2".into(), "3".into())
        );
        fs::create_dir_all(at("other/c")).unwrap();
        assert!(merge(&at("other"), &at("old")).is_err());
    }

    #[test]
    fn what_is_not_whole_goes() {
        let folder = tempfile::tempdir().unwrap();
        let part = Part::begin(&folder.path().join("a")).unwrap();
        fs::write(&part.path, "half").unwrap();
        drop(part);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
