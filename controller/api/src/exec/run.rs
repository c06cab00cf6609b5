//! One command, with its input, its output and its errors apart.

use std::sync::Arc;

use berth_app::{authz::Access, error::Error, ports::Relay};
use berth_core::relay::{Frame, OperationKind};
use berth_proto::v1;
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{Status, Streaming};

use super::{attachments::pieces, check, ended};
use crate::{Api, caller::Caller, permit::Permit};

const QUEUE: usize = 4;

pub(crate) struct Begun {
    api: Api,
    caller: Arc<Caller>,
    relay: Relay,
}

pub(crate) async fn begin(
    api: &Api,
    caller: &Arc<Caller>,
    command: v1::RunCommand,
) -> Result<Begun, Error> {
    let at = api.running(caller.actor()?, command.owner.clone(), command.name.clone())?;
    let run = check::run(command)?;
    let relay = api.relay(&at, OperationKind::Run(run)).await?;
    Ok(Begun { api: api.clone(), caller: Arc::clone(caller), relay })
}

impl Begun {
    pub(crate) fn run(
        self,
        inbound: Streaming<v1::RunRequest>,
    ) -> ReceiverStream<Result<v1::RunResponse, Status>> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(self.follow(sender, inbound));
        ReceiverStream::new(receiver)
    }

    /// The caller's end is the command's: nobody else hears of it.
    async fn follow(
        self,
        sender: mpsc::Sender<Result<v1::RunResponse, Status>>,
        inbound: Streaming<v1::RunRequest>,
    ) {
        let Begun { api, caller, relay } = self;
        let Relay { to, from: mut frames } = relay;
        let mut permit = Permit::new(&api, &caller, Access::OwnContainer);
        let input = async {
            feed(inbound, to).await;
            std::future::pending::<()>().await;
        };
        tokio::pin!(input);
        loop {
            // All are cancel-safe.
            let frame = tokio::select! {
                biased;
                end = permit.ends() => {
                    if let Some(error) = end {
                        drop(sender.send(Err(caller.status(&error))).await);
                    }
                    return;
                }
                () = sender.closed() => return,
                () = &mut input => return,
                frame = frames.recv() => frame,
            };
            let (message, last) = match frame {
                Some(Frame::Data(data)) => (v1::run_response::Message::Stdout(data), false),
                Some(Frame::ErrorData(data)) => (v1::run_response::Message::Stderr(data), false),
                Some(Frame::End(end)) => match super::checked_run(end) {
                    Ok(end) => (v1::run_response::Message::Ended(ended(&caller, &end)), true),
                    Err(error) => {
                        drop(sender.send(Err(caller.status(&error))).await);
                        return;
                    }
                },
                Some(
                    Frame::Size(_)
                    | Frame::EndOfInput
                    | Frame::Terminal(_)
                    | Frame::Position(_)
                    | Frame::Log(_)
                    | Frame::Connected
                    | Frame::Entries(_)
                    | Frame::Digest(_),
                ) => continue,
                None => {
                    drop(sender.send(Err(caller.status(&super::broke()))).await);
                    return;
                }
            };
            let response = v1::RunResponse { message: Some(message) };
            let sent = tokio::select! {
                sent = sender.send(Ok(response)) => sent,
                () = &mut input => return,
            };
            if sent.is_err() || last {
                return;
            }
        }
    }
}

/// The command's input, until it ends. A caller who hangs up is noticed elsewhere.
async fn feed(
    mut inbound: impl Stream<Item = Result<v1::RunRequest, Status>> + Unpin,
    to: mpsc::Sender<Frame>,
) -> Option<()> {
    while let Some(Ok(request)) = inbound.next().await {
        match request.message? {
            v1::run_request::Message::Stdin(data) => {
                for piece in pieces(data) {
                    to.send(Frame::Data(piece)).await.ok()?;
                }
            }
            v1::run_request::Message::EndOfInput(_) => to.send(Frame::EndOfInput).await.ok()?,
            v1::run_request::Message::Command(_) => return None,
        }
    }
    // A caller that half-closes has said everything. The sender is kept: its end would mean that nobody is there any more.
    to.send(Frame::EndOfInput).await.ok()?;
    std::future::pending().await
}
