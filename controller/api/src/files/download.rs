//! Files that come, over gRPC.

use std::sync::Arc;

use berth_app::{authz::Access, error::Error, ports::Relay};
use berth_core::{
    files::{Archive, EntryKind, FilesOperation, Read},
    relay::OperationKind,
};
use berth_proto::v1::{self, download_response::Message};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{
    QUEUE, check, file,
    transfer::{self, Download, Said},
};
use crate::{Api, caller::Caller, permit::Permit};

type Sent = Result<v1::DownloadResponse, Status>;

pub(super) async fn begin(
    api: &Api,
    caller: &Arc<Caller>,
    message: v1::DownloadRequest,
) -> Result<ReceiverStream<Sent>, Error> {
    let path = check::path("path", &message.path)?;
    let mut archive = check::archive(message.archive)?;
    let at = api.somewhere(caller.actor()?, message.owner, message.name)?;
    if archive.is_none() {
        let entry = api.entry(&at, FilesOperation::Stat { path: path.clone() }).await?;
        if entry.kind == EntryKind::Directory {
            archive = Some(Archive::Tar);
        }
    }
    let (relay, first) = match archive {
        Some(archive) => {
            let operation = OperationKind::Files(FilesOperation::Pack { path, archive });
            (api.relay(&at, operation).await?, None)
        }
        None => {
            let version = Some(message.version).filter(|version| !version.is_empty());
            let read = Read { path, from: message.offset, to: None, version };
            let Download { entry, relay } = Download::begin(api, &at, read).await?;
            (relay, Some(Message::File(file(entry))))
        }
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let permit = Permit::new(api, caller, Access::OwnContainer);
    tokio::spawn(pass(relay, first, sender, permit, Arc::clone(caller)));
    Ok(ReceiverStream::new(receiver))
}

async fn pass(
    mut relay: Relay,
    mut first: Option<Message>,
    sender: mpsc::Sender<Sent>,
    mut permit: Permit,
    caller: Arc<Caller>,
) {
    let refuse = async |error: Option<Error>| {
        if let Some(error) = error {
            // A closed queue has nobody to tell.
            drop(sender.send(Err(caller.status(&error))).await);
        }
    };
    loop {
        let message = match first.take() {
            Some(message) => message,
            None => {
                // All are cancel-safe.
                let said = tokio::select! {
                    biased;
                    end = permit.ends() => return refuse(end).await,
                    () = sender.closed() => return,
                    said = transfer::next(&mut relay.from) => said,
                };
                match said {
                    Ok(Said::Data(data)) => Message::Data(data),
                    Ok(Said::Digest(digest)) => Message::Blake3(Bytes::copy_from_slice(&digest.0)),
                    Ok(Said::Entries(_) | Said::Position(_)) => continue,
                    Ok(Said::Over) => return,
                    Err(error) => return refuse(Some(error)).await,
                }
            }
        };
        let response = v1::DownloadResponse { message: Some(message) };
        tokio::select! {
            sent = sender.send(Ok(response)) => if sent.is_err() { return },
            // Also while a caller takes nothing.
            end = permit.ends() => return refuse(end).await,
        }
    }
}
