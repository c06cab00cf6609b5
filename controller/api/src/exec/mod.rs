//! Terminals and one-off commands. Each call is one operation on the container's blade; bytes are passed on as they come.

pub(crate) mod attach;
mod attachments;
pub(crate) mod check;
mod run;

use std::sync::Arc;

use berth_app::{
    authz::Actor,
    containers::{self, Selector},
    error::{Error, Kind, Precondition, Quota},
    ports::{Relay, RelayError},
};
use berth_core::{
    id::{ContainerId, NodeId},
    observed::ObservedPhase,
    relay::{End, EndReason, Frame, Operation, OperationKind, Target, Terminal},
};
use berth_proto::{
    convert,
    v1::{self, exec_service_server::ExecService},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

pub(crate) use self::attachments::{Attachments, pieces};
use crate::{
    Api,
    caller::{Caller, answer, open},
};

type Answer<T> = Result<Response<T>, Status>;

/// What the blade itself allows; it says `TooMany`, and this is for the words.
const TERMINALS_PER_CONTAINER: u64 = 20;

#[tonic::async_trait]
impl ExecService for Api {
    async fn start(&self, request: Request<v1::StartRequest>) -> Answer<v1::Terminal> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let size = check::size(message.size)?;
            check::command(&message.command)?;
            let at = self.running(caller.actor()?, message.owner, message.name)?;
            let terminal = self.start_terminal(&at, message.command, size).await?;
            Ok(terminal_message(&terminal))
        })
        .await
    }

    async fn list_terminals(
        &self,
        request: Request<v1::ListTerminalsRequest>,
    ) -> Answer<v1::ListTerminalsResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let at = self.running(caller.actor()?, message.owner, message.name)?;
            let (terminals, _) = self.collect(&at, OperationKind::TerminalList).await?;
            let terminals = terminals.iter().map(terminal_message).collect();
            Ok(v1::ListTerminalsResponse { terminals })
        })
        .await
    }

    async fn end_terminal(
        &self,
        request: Request<v1::EndTerminalRequest>,
    ) -> Answer<v1::EndTerminalResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let at = self.running(caller.actor()?, message.owner, message.name)?;
            let number = message.terminal;
            self.collect(&at, OperationKind::TerminalEnd { number }).await?;
            tracing::info!(container.id = %at.target, terminal = number, "terminal ended");
            Ok(v1::EndTerminalResponse {})
        })
        .await
    }

    type AttachStream = ReceiverStream<Result<v1::TerminalOutput, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<v1::AttachRequest>>,
    ) -> Answer<Self::AttachStream> {
        let (caller, mut inbound) = open(request);
        let first = inbound.message().await?.and_then(|first| first.message);
        let outcome = match first {
            Some(v1::attach_request::Message::Attach(attach)) => {
                attach::begin(self, &caller, attach).await
            }
            Some(_) | None => Err(check::missing("attach")),
        };
        match outcome {
            Ok(begun) => Ok(Response::new(begun.both_ways(attach::typed(inbound)))),
            Err(error) => Err(caller.status(&error)),
        }
    }

    type OutputStream = ReceiverStream<Result<v1::TerminalOutput, Status>>;

    async fn output(&self, request: Request<v1::OutputRequest>) -> Answer<Self::OutputStream> {
        answer(request, |caller: Arc<Caller>, message| async move {
            if message.terminal == 0 {
                return Err(check::missing("terminal"));
            }
            let attach = v1::AttachTerminal {
                owner: message.owner,
                name: message.name,
                terminal: message.terminal,
                command: Vec::new(),
                size: message.size,
                from: message.from,
            };
            Ok(attach::begin(self, &caller, attach).await?.one_way())
        })
        .await
    }

    async fn input(&self, request: Request<v1::InputRequest>) -> Answer<v1::InputResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let user = caller.actor()?.user.id;
            let attachments = &self.0.attachments;
            attachments.input(user, &message.attachment, message.seq, message.data).await?;
            Ok(v1::InputResponse {})
        })
        .await
    }

    async fn resize(&self, request: Request<v1::ResizeRequest>) -> Answer<v1::ResizeResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let size = check::size(message.size)?;
            let user = caller.actor()?.user.id;
            self.0.attachments.resize(user, &message.attachment, size).await?;
            Ok(v1::ResizeResponse {})
        })
        .await
    }

    type RunStream = ReceiverStream<Result<v1::RunResponse, Status>>;

    async fn run(&self, request: Request<Streaming<v1::RunRequest>>) -> Answer<Self::RunStream> {
        let (caller, mut inbound) = open(request);
        let first = inbound.message().await?.and_then(|first| first.message);
        let outcome = match first {
            Some(v1::run_request::Message::Command(command)) => {
                run::begin(self, &caller, command).await
            }
            Some(_) | None => Err(check::missing("command")),
        };
        match outcome {
            Ok(begun) => Ok(Response::new(begun.run(inbound))),
            Err(error) => Err(caller.status(&error)),
        }
    }
}

/// A container or a home, and its blade.
#[derive(Debug, Clone)]
pub(crate) struct At {
    pub(crate) target: Target,
    pub(crate) node: NodeId,
}

impl At {
    pub(crate) fn container(id: ContainerId, node: NodeId) -> Self {
        Self { target: Target::Container(id), node }
    }
}

impl Api {
    pub(crate) fn running(&self, actor: &Actor, owner: String, name: String) -> Result<At, Error> {
        let committed = self.committed();
        let container = containers::find(&committed.state, actor, &Selector { owner, name })?;
        let runs = container
            .current_observed()
            .is_some_and(|observed| observed.phase == ObservedPhase::Running);
        match &container.placement {
            Some(placement) if runs => Ok(At::container(container.id, placement.node)),
            Some(_) | None => Err(Error::FailedPrecondition(Precondition::NotRunning)),
        }
    }

    pub(crate) async fn relay(&self, at: &At, kind: OperationKind) -> Result<Relay, Error> {
        let At { target, node } = at;
        let operation = Operation { target: target.clone(), kind };
        self.0.relays.open(*node, operation).await.map_err(|error| {
            tracing::info!(node.id = %node, relay.target = %target, %error, "no relay");
            let retry_after = match error {
                RelayError::NotConnected => std::time::Duration::from_secs(5),
                RelayError::TooLate => std::time::Duration::from_secs(1),
            };
            Error::Unavailable { retry_after }
        })
    }

    /// An operation that is over as soon as it has answered.
    async fn collect(&self, at: &At, kind: OperationKind) -> Result<(Vec<Terminal>, End), Error> {
        let mut relay = self.relay(at, kind).await?;
        let mut terminals = Vec::new();
        while let Some(frame) = relay.from.recv().await {
            match frame {
                Frame::Terminal(terminal) => terminals.push(terminal),
                Frame::End(end) => return checked(end).map(|end| (terminals, end)),
                Frame::Data(_)
                | Frame::ErrorData(_)
                | Frame::Size(_)
                | Frame::EndOfInput
                | Frame::Position(_)
                | Frame::Log(_)
                | Frame::Connected
                | Frame::Entries(_)
                | Frame::Digest(_) => {}
            }
        }
        Err(broke())
    }

    async fn start_terminal(
        &self,
        at: &At,
        command: Vec<String>,
        size: berth_core::relay::Size,
    ) -> Result<Terminal, Error> {
        let kind = OperationKind::TerminalStart { command, size };
        let (terminals, _) = self.collect(at, kind).await?;
        let terminal = terminals.into_iter().next().ok_or_else(broke)?;
        tracing::info!(container.id = %at.target, terminal = terminal.number, "terminal started");
        Ok(terminal)
    }
}

/// The connection to the blade ended before the operation did.
pub(crate) fn broke() -> Error {
    Error::Unavailable { retry_after: std::time::Duration::from_secs(1) }
}

/// Whether an operation was done, or why not.
pub(crate) fn checked(end: End) -> Result<End, Error> {
    match end.reason {
        EndReason::Exited => Ok(end),
        EndReason::ContainerNotRunning | EndReason::TimeLimit => {
            Err(Error::FailedPrecondition(Precondition::NotRunning))
        }
        EndReason::CommandNotFound => Err(Error::FailedPrecondition(Precondition::NoSuchCommand)),
        EndReason::NoSuchTerminal => Err(Error::not_found(Kind::Terminal, "")),
        EndReason::TooMany => Err(Error::QuotaExceeded {
            subject: Quota::TerminalsPerContainer,
            limit: TERMINALS_PER_CONTAINER,
        }),
        EndReason::ConnectionRefused => {
            Err(Error::FailedPrecondition(Precondition::NothingListens))
        }
        EndReason::Unsupported => Err(Error::FailedPrecondition(Precondition::AgentTooOld)),
        EndReason::File(fault) => Err(Error::File { fault, subject: end.subject }),
        EndReason::Failed => Err(Error::internal(Failed(end.detail))),
    }
}

/// The same for a command: that it ended in its own way is no error.
fn checked_run(end: End) -> Result<End, Error> {
    match end.reason {
        EndReason::TimeLimit | EndReason::ContainerNotRunning => Ok(end),
        EndReason::Exited
        | EndReason::CommandNotFound
        | EndReason::NoSuchTerminal
        | EndReason::ConnectionRefused
        | EndReason::TooMany
        | EndReason::File(_)
        | EndReason::Failed
        | EndReason::Unsupported => checked(end),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the blade could not do it: {0}")]
struct Failed(String);

fn terminal_message(terminal: &Terminal) -> v1::Terminal {
    v1::Terminal {
        number: terminal.number,
        command: terminal.command.clone(),
        start_time: Some(convert::timestamp(terminal.started_at)),
        attached: terminal.attached,
        printed_bytes: terminal.printed_bytes,
        ended: terminal.ended.is_some(),
        exit_code: terminal.ended.unwrap_or(0),
    }
}

/// How an operation ended, as its caller is told.
fn ended(caller: &Caller, end: &End) -> v1::TerminalEnded {
    let reason = match end.reason {
        EndReason::Exited => v1::ExecEnd::Exited,
        EndReason::ContainerNotRunning => v1::ExecEnd::ContainerStopped,
        EndReason::TimeLimit => v1::ExecEnd::TimeLimit,
        EndReason::CommandNotFound => v1::ExecEnd::CommandNotFound,
        EndReason::NoSuchTerminal
        | EndReason::ConnectionRefused
        | EndReason::TooMany
        | EndReason::File(_)
        | EndReason::Failed
        | EndReason::Unsupported => v1::ExecEnd::Lost,
    };
    v1::TerminalEnded {
        end: reason.into(),
        exit_code: end.exit_code,
        message: crate::text::exec_end(caller.language, end),
    }
}
