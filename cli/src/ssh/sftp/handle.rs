//! Files that ssh has open.

use berth_proto::v1::{
    self, download_response, file_service_client::FileServiceClient, upload_request,
    upload_response,
};
use bytes::{Buf as _, Bytes};
use russh_sftp::protocol::{File, FileAttributes};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use uuid::Uuid;

use super::Target;
use crate::client::As;

pub(super) type Files = FileServiceClient<As>;

const QUEUE: usize = 8;

pub(super) enum Open {
    Reading(Box<Reading>),
    Writing(Box<Writing>),
    Listing(Vec<File>),
}

/// What is read one after another comes in one stream; whoever jumps gets a new one.
pub(super) struct Reading {
    pub(super) file: v1::File,
    path: String,
    position: u64,
    data: Bytes,
    stream: Streaming<v1::DownloadResponse>,
}

impl Reading {
    pub(super) async fn begin(
        files: &mut Files,
        target: &Target,
        path: String,
        offset: u64,
    ) -> Result<Self, Status> {
        let Target { owner, name } = target.clone();
        let request =
            v1::DownloadRequest { owner, name, path: path.clone(), offset, ..Default::default() };
        let mut stream = files.download(request).await?.into_inner();
        match stream.message().await?.and_then(|response| response.message) {
            Some(download_response::Message::File(file)) => {
                Ok(Self { file, path, position: offset, data: Bytes::new(), stream })
            }
            // A folder comes as an archive.
            Some(download_response::Message::Data(_) | download_response::Message::Blake3(_))
            | None => Err(Status::failed_precondition("not a file")),
        }
    }

    /// Empty at the end.
    pub(super) async fn read(
        &mut self,
        files: &mut Files,
        target: &Target,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, Status> {
        if offset != self.position {
            if offset >= self.file.size_bytes {
                return Ok(Vec::new());
            }
            *self = Self::begin(files, target, self.path.clone(), offset).await?;
        }
        while self.data.is_empty() {
            match self.stream.message().await?.and_then(|response| response.message) {
                Some(download_response::Message::Data(data)) => self.data = data,
                Some(download_response::Message::File(_)) => {}
                Some(download_response::Message::Blake3(_)) | None => return Ok(Vec::new()),
            }
        }
        let count = self.data.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        let mut read = vec![0; count];
        self.data.copy_to_slice(&mut read);
        self.position += count as u64;
        Ok(read)
    }
}

pub(super) struct Writing {
    pub(super) path: String,
    pub(super) position: u64,
    /// For when it is in its place.
    pub(super) attributes: FileAttributes,
    /// How long it must be at least: what was there was to stay.
    at_least: u64,
    hasher: blake3::Hasher,
    say: mpsc::Sender<v1::UploadRequest>,
    hear: Streaming<v1::UploadResponse>,
}

impl Writing {
    pub(super) async fn begin(
        files: &mut Files,
        target: &Target,
        path: String,
        mode: Option<u32>,
        replace: bool,
        at_least: u64,
    ) -> Result<Self, Status> {
        let Target { owner, name } = target.clone();
        let begin = v1::BeginUpload {
            owner,
            name,
            path: path.clone(),
            upload_id: upload_id(),
            mode,
            replace,
            ..Default::default()
        };
        let (say, messages) = mpsc::channel(QUEUE);
        let message = Some(upload_request::Message::Begin(begin));
        // The queue is empty: there is room.
        drop(say.send(v1::UploadRequest { message }).await);
        let mut hear = files.upload(ReceiverStream::new(messages)).await?.into_inner();
        match hear.message().await?.and_then(|response| response.message) {
            Some(upload_response::Message::Position(0)) => {
                let (hasher, attributes) = (blake3::Hasher::new(), FileAttributes::empty());
                Ok(Self { path, position: 0, attributes, at_least, hasher, say, hear })
            }
            Some(upload_response::Message::Position(_) | upload_response::Message::File(_))
            | None => Err(Status::unavailable("the service has hung up")),
        }
    }

    pub(super) async fn write(&mut self, data: Vec<u8>) -> Result<(), Status> {
        self.hasher.update(&data);
        self.position += data.len() as u64;
        self.send(upload_request::Message::Data(data.into())).await
    }

    pub(super) fn set(&mut self, attributes: FileAttributes) {
        if attributes.size.is_some() {
            self.at_least = 0;
        }
        let kept = &mut self.attributes;
        kept.permissions = attributes.permissions.or(kept.permissions);
        kept.mtime = attributes.mtime.or(kept.mtime);
    }

    /// Returns when it is in its place.
    pub(super) async fn finish(mut self) -> Result<(), Status> {
        if self.position < self.at_least {
            return Err(Status::failed_precondition("a file cannot be changed in part"));
        }
        let digest = Bytes::copy_from_slice(self.hasher.finalize().as_bytes());
        self.send(upload_request::Message::Blake3(digest)).await?;
        match self.hear.message().await?.and_then(|response| response.message) {
            Some(upload_response::Message::File(_)) => Ok(()),
            Some(upload_response::Message::Position(_)) | None => {
                Err(Status::unavailable("the service has hung up"))
            }
        }
    }

    /// Whoever does not listen any more says why.
    async fn send(&mut self, message: upload_request::Message) -> Result<(), Status> {
        if self.say.send(v1::UploadRequest { message: Some(message) }).await.is_ok() {
            return Ok(());
        }
        match self.hear.message().await {
            Err(status) => Err(status),
            Ok(_) => Err(Status::unavailable("the service has hung up")),
        }
    }
}

/// Nothing is gone on with: ssh begins anew by itself.
#[allow(
    clippy::disallowed_methods,
    reason = "nothing here is simulated: an id that nobody else has"
)]
fn upload_id() -> String {
    Uuid::now_v7().to_string()
}
