//! Files that go, over gRPC.

use std::sync::Arc;

use berth_app::{authz::Access, error::Error};
use berth_core::{
    files::{FilesOperation, UploadId},
    relay::{Frame, OperationKind},
};
use berth_proto::v1::{self, upload_archive_request, upload_request, upload_response};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{
    QUEUE,
    check::{self, Named},
    file,
    transfer::{self, Said, Upload},
};
use crate::{Api, caller::Caller, exec::check::missing, permit::Permit};

type Sent = Result<v1::UploadResponse, Status>;

pub(super) async fn begin(
    api: &Api,
    caller: &Arc<Caller>,
    mut inbound: Streaming<v1::UploadRequest>,
) -> Result<Result<ReceiverStream<Sent>, Error>, Status> {
    let first = inbound.message().await?.and_then(|first| first.message);
    let begun = match first {
        Some(upload_request::Message::Begin(begin)) => start(api, caller, begin).await,
        Some(_) | None => Err(missing("begin")),
    };
    Ok(begun.map(|upload| {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let permit = Permit::new(api, caller, Access::OwnContainer);
        let caller = Arc::clone(caller);
        tokio::spawn(async move {
            let position = upload_response::Message::Position(upload.position());
            if sender.send(Ok(v1::UploadResponse { message: Some(position) })).await.is_err() {
                return;
            }
            let answer = match follow(upload, inbound, permit, &sender).await {
                Ok(Some(entry)) => {
                    let message = upload_response::Message::File(file(entry));
                    Ok(v1::UploadResponse { message: Some(message) })
                }
                // Nobody is there any more.
                Ok(None) => return,
                Err(error) => Err(caller.status(&error)),
            };
            // A closed queue has nobody to tell.
            drop(sender.send(answer).await);
        });
        ReceiverStream::new(receiver)
    }))
}

async fn start(api: &Api, caller: &Caller, begin: v1::BeginUpload) -> Result<Upload, Error> {
    let (named, write) = check::begin(begin)?;
    let at = api.find(caller, named)?;
    Upload::begin(api, &at, write).await
}

/// Until its digest has come, or its caller has gone: then the blade keeps what it has.
async fn follow(
    mut upload: Upload,
    mut inbound: Streaming<v1::UploadRequest>,
    mut permit: Permit,
    sender: &mpsc::Sender<Sent>,
) -> Result<Option<berth_core::files::Entry>, Error> {
    let digest = loop {
        // All are cancel-safe.
        let request = tokio::select! {
            biased;
            end = permit.ends() => return end.map_or(Ok(None), Err),
            () = sender.closed() => return Ok(None),
            request = inbound.message() => request,
        };
        let Ok(Some(request)) = request else { return Ok(None) };
        match request.message {
            Some(upload_request::Message::Data(data)) => upload.data(data).await?,
            Some(upload_request::Message::Blake3(digest)) => {
                break check::digest("blake3", &digest)?;
            }
            Some(upload_request::Message::Begin(_)) | None => return Err(missing("data")),
        }
    };
    upload.finish(digest).await.map(Some)
}

pub(super) async fn archive(
    api: &Api,
    caller: &Arc<Caller>,
    mut inbound: Streaming<v1::UploadArchiveRequest>,
) -> Result<Result<v1::UploadArchiveResponse, Error>, Status> {
    let first = inbound.message().await?.and_then(|first| first.message);
    Ok(match first {
        Some(upload_archive_request::Message::Begin(begin)) => {
            lay_out(api, caller, begin, inbound).await
        }
        Some(_) | None => Err(missing("begin")),
    })
}

async fn lay_out(
    api: &Api,
    caller: &Arc<Caller>,
    begin: v1::BeginArchive,
    mut inbound: Streaming<v1::UploadArchiveRequest>,
) -> Result<v1::UploadArchiveResponse, Error> {
    let operation = FilesOperation::Unpack {
        path: check::path("path", &begin.path)?,
        replace: check::replace(begin.replace),
        upload: UploadId(api.0.ids.next()),
    };
    let at = api.find(caller, Named { owner: begin.owner, name: begin.name })?;
    let mut relay = api.relay(&at, OperationKind::Files(operation)).await?;
    let mut permit = Permit::new(api, caller, Access::OwnContainer);
    loop {
        let request = tokio::select! {
            biased;
            end = permit.ends() => return Err(end.unwrap_or_else(crate::exec::broke)),
            request = inbound.message() => request,
        };
        // Without its end the blade throws away what it has.
        let Ok(Some(request)) = request else { return Err(missing("end")) };
        match request.message {
            Some(upload_archive_request::Message::Data(data)) => {
                transfer::send(&mut relay, data).await?;
            }
            Some(upload_archive_request::Message::End(_)) => break,
            Some(upload_archive_request::Message::Begin(_)) | None => return Err(missing("data")),
        }
    }
    transfer::say(&mut relay, Frame::EndOfInput).await?;
    let mut size_bytes = 0;
    loop {
        match transfer::next(&mut relay.from).await? {
            Said::Position(position) => size_bytes = position,
            Said::Over => return Ok(v1::UploadArchiveResponse { size_bytes }),
            Said::Entries(_) | Said::Data(_) | Said::Digest(_) => {}
        }
    }
}
