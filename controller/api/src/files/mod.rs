//! Files in containers. Each call is one operation on the container's blade; bytes are passed on as they come.

mod check;
mod download;
pub(crate) mod http;
mod transfer;
mod upload;

use std::sync::Arc;

use berth_app::{
    authz::Actor,
    error::{Error, Precondition},
    homes,
};
use berth_core::{
    files::{Entry, EntryKind, FilesOperation},
    relay::{OperationKind, Target},
};
use berth_proto::{
    convert::relay::{moment_from_wire, moment_to_wire},
    v1::{self, file_service_server::FileService},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use self::{check::Named, transfer::Said};
use crate::{
    Api,
    caller::{Caller, answer, open},
    exec::At,
};

type Answer<T> = Result<Response<T>, Status>;

/// Messages that wait for a slow caller, whose own HTTP/2 window comes on top.
const QUEUE: usize = 4;

#[tonic::async_trait]
impl FileService for Api {
    async fn stat(&self, request: Request<v1::StatRequest>) -> Answer<v1::File> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let path = check::path("path", &message.path)?;
            let at = self.somewhere(caller.actor()?, message.owner, message.name)?;
            self.entry(&at, FilesOperation::Stat { path }).await.map(file)
        })
        .await
    }

    type ListStream = ReceiverStream<Result<v1::ListFilesResponse, Status>>;

    async fn list(&self, request: Request<v1::ListFilesRequest>) -> Answer<Self::ListStream> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let path = check::path("path", &message.path)?;
            let limit = check::limit(message.limit)?;
            let at = self.somewhere(caller.actor()?, message.owner, message.name)?;
            self.list_files(&caller, &at, FilesOperation::List { path, limit }).await
        })
        .await
    }

    type DownloadStream = ReceiverStream<Result<v1::DownloadResponse, Status>>;

    async fn download(
        &self,
        request: Request<v1::DownloadRequest>,
    ) -> Answer<Self::DownloadStream> {
        answer(request, |caller: Arc<Caller>, message| async move {
            download::begin(self, &caller, message).await
        })
        .await
    }

    type UploadStream = ReceiverStream<Result<v1::UploadResponse, Status>>;

    async fn upload(
        &self,
        request: Request<Streaming<v1::UploadRequest>>,
    ) -> Answer<Self::UploadStream> {
        let (caller, inbound) = open(request);
        let begun = upload::begin(self, &caller, inbound).await?;
        begun.map(Response::new).map_err(|error| caller.status(&error))
    }

    async fn discard_upload(
        &self,
        request: Request<v1::DiscardUploadRequest>,
    ) -> Answer<v1::DiscardUploadResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let path = check::path("path", &message.path)?;
            let upload = check::upload_id(&message.upload_id)?;
            let at = self.somewhere(caller.actor()?, message.owner, message.name)?;
            self.files(&at, FilesOperation::Discard { path, upload }).await?;
            Ok(v1::DiscardUploadResponse {})
        })
        .await
    }

    async fn upload_archive(
        &self,
        request: Request<Streaming<v1::UploadArchiveRequest>>,
    ) -> Answer<v1::UploadArchiveResponse> {
        let (caller, inbound) = open(request);
        let laid = upload::archive(self, &caller, inbound).await?;
        laid.map(Response::new).map_err(|error| caller.status(&error))
    }

    async fn make_directory(&self, request: Request<v1::MakeDirectoryRequest>) -> Answer<v1::File> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let path = check::path("path", &message.path)?;
            let at = self.somewhere(caller.actor()?, message.owner, message.name)?;
            self.entry(&at, FilesOperation::MakeDirectory { path }).await.map(file)
        })
        .await
    }

    async fn set_attributes(&self, request: Request<v1::SetAttributesRequest>) -> Answer<v1::File> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let path = check::path("path", &message.path)?;
            let mode = check::mode(message.mode)?;
            let modified = message.modify_time.as_ref().map(moment_from_wire);
            let at = self.somewhere(caller.actor()?, message.owner, message.name)?;
            self.entry(&at, FilesOperation::SetAttributes { path, mode, modified }).await.map(file)
        })
        .await
    }

    async fn r#move(&self, request: Request<v1::MoveRequest>) -> Answer<v1::File> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let from = check::path("path", &message.path)?;
            let to = check::path("destination", &message.destination)?;
            let replace = check::replace(message.replace);
            let at = self.somewhere(caller.actor()?, message.owner, message.name)?;
            self.entry(&at, FilesOperation::Move { from, to, replace }).await.map(file)
        })
        .await
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteFileRequest>,
    ) -> Answer<v1::DeleteFileResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let path = check::path("path", &message.path)?;
            let at = self.somewhere(caller.actor()?, message.owner, message.name)?;
            tracing::info!(relay.target = %at.target, "files are deleted");
            self.files(&at, FilesOperation::Delete { path }).await?;
            Ok(v1::DeleteFileResponse {})
        })
        .await
    }
}

impl Api {
    /// Where a container's files are, or, without a name, somebody's home. What was never anywhere has none.
    fn somewhere(&self, actor: &Actor, owner: String, name: String) -> Result<At, Error> {
        if name.is_empty() {
            let (holder, node) = homes::find(&self.committed().state, actor, &owner)?;
            return Ok(At { target: Target::Home(holder), node });
        }
        let at = self.placed(actor, owner, name)?;
        at.ok_or(Error::FailedPrecondition(Precondition::NotRunning))
    }

    fn find(&self, caller: &Caller, named: Named) -> Result<At, Error> {
        self.somewhere(caller.actor()?, named.owner, named.name)
    }

    async fn list_files(
        &self,
        caller: &Arc<Caller>,
        at: &At,
        operation: FilesOperation,
    ) -> Result<ReceiverStream<Result<v1::ListFilesResponse, Status>>, Error> {
        let mut relay = self.relay(at, OperationKind::Files(operation)).await?;
        // A folder that is none is refused before the stream begins.
        let mut first = Some(transfer::next(&mut relay.from).await?);
        let (sender, receiver) = mpsc::channel(QUEUE);
        let caller = Arc::clone(caller);
        tokio::spawn(async move {
            loop {
                let said = match first.take() {
                    Some(said) => Ok(said),
                    None => transfer::next(&mut relay.from).await,
                };
                let response = match said {
                    Ok(Said::Entries(entries)) => v1::ListFilesResponse {
                        files: entries.into_iter().map(file).collect(),
                        truncated: false,
                    },
                    Ok(Said::Position(_)) => {
                        v1::ListFilesResponse { files: Vec::new(), truncated: true }
                    }
                    Ok(Said::Data(_) | Said::Digest(_)) => continue,
                    Ok(Said::Over) => return,
                    Err(error) => {
                        // A closed queue has nobody to tell.
                        drop(sender.send(Err(caller.status(&error))).await);
                        return;
                    }
                };
                if sender.send(Ok(response)).await.is_err() {
                    return;
                }
            }
        });
        Ok(ReceiverStream::new(receiver))
    }
}

fn file(entry: Entry) -> v1::File {
    let kind = match entry.kind {
        EntryKind::File => v1::FileKind::File,
        EntryKind::Directory => v1::FileKind::Directory,
        EntryKind::Link => v1::FileKind::Link,
        EntryKind::Other => v1::FileKind::Other,
    };
    v1::File {
        name: entry.name,
        kind: kind.into(),
        size_bytes: entry.size,
        modify_time: Some(moment_to_wire(entry.modified)),
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        link_target: entry.target,
        version: entry.version,
        unnameable: !entry.name_is_exact,
    }
}
