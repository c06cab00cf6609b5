//! One caller at one terminal.

use std::sync::Arc;

use berth_app::{authz::Access, error::Error, ports::Relay};
use berth_core::relay::{Frame, OperationKind, Size, Terminal};
use berth_proto::v1;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{Status, Streaming};

use super::{attachments::Registered, check, checked, ended, terminal_message};
use crate::{Api, caller::Caller, permit::Permit};

/// Frames that wait for a slow caller, whose own HTTP/2 window comes on top.
const QUEUE: usize = 4;

/// What a caller says.
pub(crate) enum Typed {
    Data(Bytes),
    Size(Size),
}

/// A terminal that has answered.
pub(crate) struct Begun {
    api: Api,
    caller: Arc<Caller>,
    relay: Relay,
    terminal: Terminal,
    from: u64,
    registered: Registered,
}

/// Starts the terminal if there is none, attaches, and waits until it says from where it goes on: what can be refused is
/// refused before the stream begins.
pub(crate) async fn begin(
    api: &Api,
    caller: &Arc<Caller>,
    attach: v1::AttachTerminal,
) -> Result<Begun, Error> {
    let actor = caller.actor()?;
    let size = attach.size.map(|size| check::size(Some(size))).transpose()?;
    check::command(&attach.command)?;
    let at = api.running(actor, attach.owner, attach.name)?;
    let number = match attach.terminal {
        0 => api.start_terminal(&at, attach.command, size.unwrap_or_default()).await?.number,
        number => number,
    };
    let kind = OperationKind::TerminalAttach { number, from: attach.from, size };
    let mut relay = api.relay(&at, kind).await?;
    let mut terminal = None;
    loop {
        match relay.from.recv().await.ok_or_else(super::broke)? {
            Frame::Terminal(found) => terminal = Some(found),
            Frame::Position(from) => {
                let terminal = terminal.ok_or_else(super::broke)?;
                let id = api.0.ids.next().to_string();
                let registered = api.0.attachments.register(id, actor.user.id, relay.to.clone());
                let (api, caller) = (api.clone(), Arc::clone(caller));
                return Ok(Begun { api, caller, relay, terminal, from, registered });
            }
            Frame::End(end) => {
                checked(end)?;
                return Err(super::broke());
            }
            Frame::Data(_)
            | Frame::ErrorData(_)
            | Frame::Size(_)
            | Frame::EndOfInput
            | Frame::Log(_)
            | Frame::Connected
            | Frame::Entries(_)
            | Frame::Digest(_) => {}
        }
    }
}

/// From a gRPC stream. One that cannot be understood ends it.
pub(crate) fn typed(
    inbound: Streaming<v1::AttachRequest>,
) -> impl Stream<Item = Result<Typed, Error>> + Send + Unpin {
    Box::pin(inbound.map_while(|message| match message.ok()?.message? {
        v1::attach_request::Message::Data(data) => Some(Ok(Typed::Data(data))),
        v1::attach_request::Message::Size(size) => Some(check::size(Some(size)).map(Typed::Size)),
        v1::attach_request::Message::Attach(_) => None,
    }))
}

impl Begun {
    /// What is typed comes by other calls.
    pub(crate) fn one_way(self) -> ReceiverStream<Result<v1::TerminalOutput, Status>> {
        self.both_ways(tokio_stream::pending())
    }

    pub(crate) fn both_ways(
        self,
        typed: impl Stream<Item = Result<Typed, Error>> + Send + Unpin + 'static,
    ) -> ReceiverStream<Result<v1::TerminalOutput, Status>> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(self.follow(sender, typed));
        ReceiverStream::new(receiver)
    }

    async fn follow(
        self,
        sender: mpsc::Sender<Result<v1::TerminalOutput, Status>>,
        typed: impl Stream<Item = Result<Typed, Error>> + Send + Unpin + 'static,
    ) {
        let Begun { api, caller, relay, terminal, from, registered } = self;
        let Relay { to, from: mut frames } = relay;
        let opened = v1::TerminalOpened {
            terminal: Some(terminal_message(&terminal)),
            from,
            attachment: registered.id().to_owned(),
        };
        let mut message = Some(v1::terminal_output::Message::Opened(opened));
        let mut permit = Permit::new(&api, &caller, Access::OwnContainer);
        let typing = async {
            let refused = type_in(typed, &to).await;
            if let Some(error) = refused {
                return error;
            }
            // They have no more to say, and still listen.
            std::future::pending().await
        };
        tokio::pin!(typing);
        loop {
            if let Some(message) = message.take() {
                let last = matches!(message, v1::terminal_output::Message::Ended(_));
                let output = v1::TerminalOutput { message: Some(message) };
                tokio::select! {
                    // A part that is lost with its stream is asked for again by its number.
                    sent = sender.send(Ok(output)) => if sent.is_err() || last { return },
                    // What is typed reaches a terminal whose output nobody reads.
                    error = &mut typing => return refuse(&sender, &caller, &error).await,
                    end = permit.ends() => return refuse_if(&sender, &caller, end).await,
                }
            }
            // All are cancel-safe.
            tokio::select! {
                biased;
                end = permit.ends() => return refuse_if(&sender, &caller, end).await,
                () = sender.closed() => return,
                error = &mut typing => return refuse(&sender, &caller, &error).await,
                frame = frames.recv() => message = match frame {
                    Some(Frame::Data(data)) => Some(v1::terminal_output::Message::Data(data)),
                    Some(Frame::Position(next)) => {
                        Some(v1::terminal_output::Message::Skipped(v1::TerminalSkipped { next }))
                    }
                    Some(Frame::End(end)) => {
                        Some(v1::terminal_output::Message::Ended(ended(&caller, &end)))
                    }
                    Some(
                        Frame::ErrorData(_)
                        | Frame::Size(_)
                        | Frame::EndOfInput
                        | Frame::Terminal(_)
                        | Frame::Log(_)
                        | Frame::Connected | Frame::Entries(_) | Frame::Digest(_),
                    ) => None,
                    // The blade's connection: the terminal lives on.
                    None => return refuse(&sender, &caller, &super::broke()).await,
                },
            }
        }
    }
}

/// Passes on what is typed; answers with what is wrong with it, or when there is no more.
async fn type_in(
    mut typed: impl Stream<Item = Result<Typed, Error>> + Unpin,
    to: &mpsc::Sender<Frame>,
) -> Option<Error> {
    while let Some(typed) = typed.next().await {
        match typed {
            Ok(Typed::Data(data)) => {
                for piece in super::attachments::pieces(data) {
                    to.send(Frame::Data(piece)).await.ok()?;
                }
            }
            Ok(Typed::Size(size)) => to.send(Frame::Size(size)).await.ok()?,
            Err(error) => return Some(error),
        }
    }
    None
}

async fn refuse(
    sender: &mpsc::Sender<Result<v1::TerminalOutput, Status>>,
    caller: &Caller,
    error: &Error,
) {
    // A closed queue has nobody to tell.
    drop(sender.send(Err(caller.status(error))).await);
}

async fn refuse_if(
    sender: &mpsc::Sender<Result<v1::TerminalOutput, Status>>,
    caller: &Caller,
    error: Option<Error>,
) {
    if let Some(error) = error {
        refuse(sender, caller, &error).await;
    }
}
