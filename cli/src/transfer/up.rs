//! One file to a container. An attempt that breaks off is gone on with, by the same command in its next attempt, and by the
//! same command typed again.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use berth_proto::v1::{self, upload_request, upload_response};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use uuid::Uuid;

use super::{CHUNK, Patience, QUEUE, Remote, Transfer, shown};

impl Transfer {
    pub(super) async fn send_file(&self, local: &Path, remote: &Remote) -> Result<()> {
        let source = Source::look(local, remote)?;
        self.progress.begin(&shown(remote), Some(source.size));
        let mut patience = Patience::new();
        loop {
            let mut reached = 0;
            match self.attempt(&source, remote, &mut reached).await {
                Ok(()) => return Ok(()),
                Err(status) => patience.after(status, reached).await?,
            }
        }
    }

    async fn attempt(
        &self,
        source: &Source,
        remote: &Remote,
        reached: &mut u64,
    ) -> Result<(), Status> {
        let (say, messages) = mpsc::channel(QUEUE);
        let begin = upload_request::Message::Begin(source.begin(remote));
        // The queue is empty: there is room.
        drop(say.send(v1::UploadRequest { message: Some(begin) }).await);
        let call = self.client.clone().upload(ReceiverStream::new(messages)).await;
        let mut heard = call?.into_inner();
        let mut say = Some(say);
        let mut reading = None;
        while let Some(response) = heard.message().await? {
            match response.message {
                Some(upload_response::Message::Position(from)) => {
                    *reached = from;
                    self.progress.at(from);
                    let Some(say) = say.take() else { continue };
                    let (source, progress) = (source.clone(), self.progress.clone());
                    reading = Some(tokio::task::spawn_blocking(move || {
                        source.read(from, |message, bytes| {
                            progress.more(bytes);
                            say.blocking_send(v1::UploadRequest { message: Some(message) }).is_ok()
                        })
                    }));
                }
                Some(upload_response::Message::File(_)) => return Ok(()),
                // A newer service may say more.
                None => {}
            }
        }
        // It has ended without its end. Perhaps because we could not read.
        match reading {
            Some(reading) => match reading.await {
                Ok(Err(error)) => Err(Status::failed_precondition(format!("{error:#}"))),
                Ok(Ok(())) | Err(_) => Err(Status::unavailable("")),
            },
            None => Err(Status::unavailable("")),
        }
    }
}

/// What is sent.
#[derive(Debug, Clone)]
struct Source {
    path: PathBuf,
    size: u64,
    modified: SystemTime,
    mode: Option<u32>,
    upload: Uuid,
}

impl Source {
    fn look(path: &Path, remote: &Remote) -> Result<Self> {
        let shown = || path.display().to_string();
        let path = path.canonicalize().with_context(shown)?;
        let facts = path.metadata().with_context(shown)?;
        let modified = facts.modified().unwrap_or(UNIX_EPOCH);
        let upload = upload_id(&path, facts.len(), modified, remote);
        Ok(Self { size: facts.len(), mode: mode(&facts), path, modified, upload })
    }

    fn begin(&self, remote: &Remote) -> v1::BeginUpload {
        let Remote { owner, name, path } = remote.clone();
        v1::BeginUpload {
            owner,
            name,
            path,
            upload_id: self.upload.to_string(),
            size_bytes: Some(self.size),
            mode: self.mode,
            modify_time: Some(self.modified.into()),
            replace: true,
        }
    }

    /// What is before `from` is read for the digest alone. Ends early when `send` says that nobody listens.
    fn read(
        &self,
        from: u64,
        mut send: impl FnMut(upload_request::Message, usize) -> bool,
    ) -> Result<()> {
        let failed = || format!("{} cannot be read", self.path.display());
        let mut file = File::open(&self.path).with_context(failed)?;
        let mut hasher = blake3::Hasher::new();
        std::io::copy(&mut (&mut file).take(from), &mut hasher).with_context(failed)?;
        file.seek(SeekFrom::Start(from)).with_context(failed)?;
        let mut left = self.size.saturating_sub(from);
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let mut chunk = vec![0; length];
            file.read_exact(&mut chunk).with_context(failed)?;
            hasher.update(&chunk);
            left -= length as u64;
            if !send(upload_request::Message::Data(chunk.into()), length) {
                return Ok(());
            }
        }
        let digest = Bytes::copy_from_slice(hasher.finalize().as_bytes());
        send(upload_request::Message::Blake3(digest), 0);
        Ok(())
    }
}

/// The same for the same file on the same way, so that a command that is typed again goes on.
fn upload_id(path: &Path, size: u64, modified: SystemTime, remote: &Remote) -> Uuid {
    let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let facts = format!(
        "{}\0{size}\0{modified}\0{}\0{}\0{}",
        path.display(),
        remote.owner,
        remote.name,
        remote.path
    );
    let mut id = [0; 16];
    id.copy_from_slice(&blake3::hash(facts.as_bytes()).as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(id).into_uuid()
}

#[cfg(unix)]
pub(super) fn mode(facts: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(facts.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
pub(super) fn mode(_: &std::fs::Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(path: &str) -> Remote {
        Remote { owner: String::new(), name: "box".into(), path: path.into() }
    }

    #[test]
    fn ids_tell_apart_what_is_not_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, "one").unwrap();
        let first = Source::look(&file, &remote("/a")).unwrap();
        assert_eq!(first.upload, Source::look(&file, &remote("/a")).unwrap().upload);
        assert_ne!(first.upload, Source::look(&file, &remote("/b")).unwrap().upload);
        std::fs::write(&file, "longer").unwrap();
        assert_ne!(first.upload, Source::look(&file, &remote("/a")).unwrap().upload);
    }

    #[test]
    fn the_digest_is_of_the_whole_wherever_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let content: Vec<u8> = (0..=255).cycle().take(600_000).collect();
        std::fs::write(&path, &content).unwrap();
        let source = Source::look(&path, &remote("/a")).unwrap();
        for from in [0, 1, 300_000, 600_000] {
            let mut sent = Vec::new();
            let mut digest = None;
            let read = source.read(from, |message, _| {
                match message {
                    upload_request::Message::Data(data) => sent.extend_from_slice(&data),
                    upload_request::Message::Blake3(whole) => digest = Some(whole),
                    upload_request::Message::Begin(_) => panic!("it has begun"),
                }
                true
            });
            read.unwrap();
            assert!(sent == content[usize::try_from(from).unwrap()..]);
            assert_eq!(digest.unwrap(), blake3::hash(&content).as_bytes()[..]);
        }
    }
}
