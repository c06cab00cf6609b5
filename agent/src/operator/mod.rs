//! What is done at the blade's end of a byte stream, on Docker.

mod files;
mod forward;
mod logs;

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use berth_core::{
    id::ContainerId,
    relay::{End, EndReason, Frame, Operation, OperationKind, Run, Size, Stdin, Target},
};
use berth_docker::exec::{self, Apart, Command, Error, Exec, GRACE, Input, Outcome, Output};
use berth_proto::{agent::v1 as wire, convert::relay as convert};
use berth_reconcile::{
    ledger::Ledger,
    reconciler::Reconciler,
    runtime::{EngineId, Runtime},
};
use tokio::{
    io::AsyncRead,
    sync::{mpsc, watch},
};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

pub use self::files::Files;
use crate::{
    holder::{Holders, RUN_MARK},
    relay::Operator,
};

/// Frames that wait for a terminal to take them.
const FRAMES: usize = 8;
/// How long somebody waits for an agent that has just started.
const PATIENCE: Duration = Duration::from_secs(8);
/// A single command that nobody gave a limit. A terminal has none.
const TIME_MAXIMUM: Duration = Duration::from_secs(24 * 3600);

/// Terminals and commands in our containers.
pub struct DockerOperator<R, L> {
    holders: Holders,
    exec: Exec,
    files: Files,
    reconciler: Arc<Reconciler<R, L>>,
    /// True when what an earlier agent left was ended: single commands of its own must not be taken for that.
    swept: watch::Receiver<bool>,
}

impl<R: Runtime, L: Ledger> DockerOperator<R, L> {
    pub fn new(
        holders: Holders,
        engine: PathBuf,
        files: Files,
        reconciler: Arc<Reconciler<R, L>>,
    ) -> Self {
        let (done, swept) = watch::channel(false);
        let (sweeping, listed) = (holders.clone(), Arc::clone(&reconciler));
        tokio::spawn(async move {
            let containers = listed.engine_ids().await;
            let ended = sweeping.sweep(&containers).await;
            if ended > 0 {
                tracing::info!(ended, "programs that nobody owned were ended");
            }
            done.send_replace(true);
            // Whoever asks later finds the value, not the sender.
            std::future::pending::<()>().await;
        });
        Self { holders, exec: Exec::new(&engine), files, reconciler, swept }
    }

    async fn try_perform(
        &self,
        operation: Operation,
        from: mpsc::Receiver<Frame>,
        to: &mpsc::Sender<Frame>,
    ) -> Result<End, End> {
        let container = match operation.target {
            Target::Container(container) => container,
            Target::Home(holder) => {
                if let OperationKind::Files(operation) = operation.kind {
                    return self.files.in_home(&holder, operation, from, to).await;
                }
                if operation.kind == OperationKind::Measure {
                    return self.files.measure_directory(Target::Home(holder), to).await;
                }
                return Err(End::new(EndReason::Unsupported, "a home has only files"));
            }
            Target::Volume { id, scope, holder } => {
                if operation.kind == OperationKind::RemoveVolume {
                    return self.files.remove_volume(id, scope).await;
                }
                if operation.kind == OperationKind::Measure {
                    let target = Target::Volume { id, scope, holder };
                    return self.files.measure_directory(target, to).await;
                }
                return Err(End::new(EndReason::Unsupported, "a volume has no programs"));
            }
        };
        let mut swept = self.swept.clone();
        let ready = swept.wait_for(|swept| *swept);
        if tokio::time::timeout(PATIENCE, ready).await.is_err() {
            return Err(End::new(EndReason::Failed, "the agent has not yet seen its engine"));
        }
        match operation.kind {
            OperationKind::TerminalStart { command, size } => {
                let held = self.start(container, command, size).await?;
                show(to, Frame::Terminal(convert::terminal_from_wire(held))).await;
            }
            OperationKind::TerminalList => {
                for held in self.holders.list(container).await {
                    show(to, Frame::Terminal(convert::terminal_from_wire(held))).await;
                }
            }
            OperationKind::TerminalEnd { number } => {
                self.holders.end(container, number).await.map_err(convert::end_from_wire)?;
            }
            OperationKind::TerminalAttach { number, from: first, size } => {
                let attach = wire::TerminalAttach {
                    number,
                    from: first,
                    size: size.map(convert::size_to_wire),
                    container_id: container.to_string(),
                };
                return self.attach(attach, from, to).await;
            }
            OperationKind::Forward { port } => {
                let engine = self.engine(container)?;
                return forward::forward(&self.exec, &engine, port, from, to).await;
            }
            OperationKind::Logs(wanted) => {
                // Of what has not been made yet there is nothing.
                if let Some(engine) = self.reconciler.current(container) {
                    return logs::logs(&self.exec, &engine, wanted, to).await;
                }
            }
            OperationKind::Files(operation) => {
                let engine = self.reconciler.current(container).ok_or_else(|| {
                    End::new(EndReason::ContainerNotRunning, "it has not been made yet")
                })?;
                let belongings = self.reconciler.belongings(container);
                let belongings = belongings.as_ref();
                return self
                    .files
                    .perform(container, &engine, belongings, operation, from, to)
                    .await;
            }
            OperationKind::Measure => {
                let engine = self.reconciler.current(container).ok_or_else(|| {
                    End::new(EndReason::ContainerNotRunning, "it has not been made yet")
                })?;
                return self.files.measure_layer(container, &engine, to).await;
            }
            OperationKind::RemoveVolume => {
                return Err(End::new(EndReason::Unsupported, "a container is no volume"));
            }
            OperationKind::Run(run) => {
                let engine = self.engine(container)?;
                return run_one(&self.exec, &engine, run, from, to).await;
            }
        }
        Ok(End::new(EndReason::Exited, ""))
    }

    fn engine(&self, container: ContainerId) -> Result<EngineId, End> {
        self.reconciler
            .running(container)
            .ok_or_else(|| End::new(EndReason::ContainerNotRunning, "it does not run here"))
    }

    async fn start(
        &self,
        container: ContainerId,
        command: Vec<String>,
        size: Size,
    ) -> Result<wire::HeldTerminal, End> {
        let request = wire::HolderStartRequest {
            container_id: container.to_string(),
            engine_id: self.engine(container)?.as_str().to_owned(),
            command,
            size: Some(convert::size_to_wire(size)),
        };
        self.holders.start(request).await.map_err(convert::end_from_wire)
    }

    /// Passes frames on until the terminal ends or its user leaves.
    async fn attach(
        &self,
        attach: wire::TerminalAttach,
        mut from: mpsc::Receiver<Frame>,
        to: &mpsc::Sender<Frame>,
    ) -> Result<End, End> {
        let (typed, input) = mpsc::channel(FRAMES);
        let input = ReceiverStream::new(input).map(convert::frame_to_wire);
        let mut shown = self.holders.attach(attach, input).await.map_err(convert::end_from_wire)?;
        let typing = async move {
            while let Some(frame) = from.recv().await {
                if typed.send(frame).await.is_err() {
                    // The terminal has ended, and says so.
                    return std::future::pending().await;
                }
            }
        };
        let showing = async {
            loop {
                let frame = match shown.message().await {
                    Ok(Some(frame)) => convert::frame_from_wire(frame),
                    Ok(None) => return Err(End::new(EndReason::Failed, "the holder hung up")),
                    Err(status) => return Err(End::new(EndReason::Failed, status.message())),
                };
                match frame {
                    Ok(Some(Frame::End(end))) => return Ok(end),
                    Ok(Some(frame)) => show(to, frame).await,
                    Ok(None) => {}
                    Err(error) => return Err(End::new(EndReason::Failed, error.to_string())),
                }
            }
        };
        tokio::select! {
            end = showing => end,
            // Dropping the answer is leaving; the terminal lives on.
            () = typing => Ok(End::new(EndReason::Exited, "left")),
            // While it takes nothing of what was typed.
            () = to.closed() => Ok(End::new(EndReason::Exited, "left")),
        }
    }
}

#[async_trait]
impl<R: Runtime, L: Ledger> Operator for DockerOperator<R, L> {
    async fn perform(
        &self,
        operation: Operation,
        from: mpsc::Receiver<Frame>,
        to: mpsc::Sender<Frame>,
    ) -> End {
        self.try_perform(operation, from, &to).await.unwrap_or_else(|end| end)
    }
}

/// A caller who has gone is noticed where they are listened to.
async fn show(to: &mpsc::Sender<Frame>, frame: Frame) {
    drop(to.send(frame).await);
}

fn refused(error: Error) -> End {
    let reason = match &error {
        Error::NotRunning | Error::NoSuchContainer => EndReason::ContainerNotRunning,
        Error::CommandNotFound(_) | Error::NoShell | Error::Invalid(_) => {
            EndReason::CommandNotFound
        }
        Error::NoSuchExec
        | Error::Unavailable(_)
        | Error::Engine(_)
        | Error::Foreign(_)
        | Error::Process(_) => EndReason::Failed,
    };
    End::new(reason, error.to_string())
}

async fn run_one(
    exec: &Exec,
    engine: &EngineId,
    run: Run,
    from: mpsc::Receiver<Frame>,
    to: &mpsc::Sender<Frame>,
) -> Result<End, End> {
    let mut environment = run.environment;
    environment.insert(RUN_MARK.to_owned(), "1".to_owned());
    let command = Command {
        words: run.command,
        environment,
        working_directory: Some(run.working_directory).filter(|path| !path.is_empty()),
        user: None,
    };
    let stdin = match run.stdin {
        Stdin::Closed => exec::Stdin::Closed,
        Stdin::Follows => exec::Stdin::Open,
    };
    let limit = run.time_limit.unwrap_or(TIME_MAXIMUM).min(TIME_MAXIMUM);
    let running = exec.start_apart(engine, &command, stdin).await.map_err(refused)?;
    let process = running.process.clone();
    // Why it has to end before it does so by itself; both are cancel-safe.
    let early = tokio::select! {
        printed = print(running.output, to) => match printed {
            Ok(()) => None,
            Err(problem) => Some(End::new(EndReason::Failed, problem)),
        },
        () = tokio::time::sleep(limit) => Some(End::new(EndReason::TimeLimit, "")),
        () = feed(running.input, from) => Some(End::new(EndReason::Exited, "its caller has gone")),
        // While it takes nothing of its input.
        () = to.closed() => Some(End::new(EndReason::Exited, "its caller has gone")),
    };
    if let Some(end) = early {
        if let Some(process) = process {
            process.hang_up(GRACE).await.map_err(|error| {
                End::new(EndReason::Failed, format!("it cannot be ended: {error}"))
            })?;
        }
        return Ok(end);
    }
    match exec.outcome(engine, &running.id).await.map_err(refused)? {
        Outcome::Exited(exit_code) => Ok(End { exit_code, ..End::new(EndReason::Exited, "") }),
        Outcome::ContainerStopped => Ok(End::new(EndReason::ContainerNotRunning, "")),
    }
}

async fn print(
    mut output: Apart<impl AsyncRead + Unpin>,
    to: &mpsc::Sender<Frame>,
) -> Result<(), String> {
    loop {
        match output.next().await.map_err(|error| error.to_string())? {
            Some(Output::Stdout(data)) => show(to, Frame::Data(data)).await,
            Some(Output::Stderr(data)) => show(to, Frame::ErrorData(data)).await,
            None => return Ok(()),
        }
    }
}

/// Returns when the caller has gone, and only then.
async fn feed(mut input: Input, mut from: mpsc::Receiver<Frame>) {
    let mut open = true;
    while let Some(frame) = from.recv().await {
        // A program that reads no more is no reason to end: it may still have something to say.
        match frame {
            Frame::Data(data) if open => open = input.write(&data).await.is_ok(),
            Frame::EndOfInput if open => {
                drop(input.end().await);
                open = false;
            }
            Frame::Data(_)
            | Frame::EndOfInput
            | Frame::ErrorData(_)
            | Frame::Size(_)
            | Frame::Terminal(_)
            | Frame::Position(_)
            | Frame::Log(_)
            | Frame::Connected
            | Frame::Entries(_)
            | Frame::Digest(_)
            | Frame::End(_) => {}
        }
    }
}
