//! A blade's end of byte streams: echoes what is typed, and does what a few words tell it.

use async_trait::async_trait;
use berth_app::ports::{Relay, RelayError, Relays};
use berth_core::{
    clock::Timestamp,
    id::NodeId,
    relay::{
        End, EndReason, Follow, Frame, LogLine, LogPosition, LogStream, Logs, Moment, Operation,
        OperationKind, Rest, Run, Terminal,
    },
};
use bytes::Bytes;
use tokio::sync::mpsc;

pub(crate) struct Blade;

#[async_trait]
impl Relays for Blade {
    async fn open(&self, _: NodeId, operation: Operation) -> Result<Relay, RelayError> {
        let (to, typed) = mpsc::channel(8);
        let (shown, from) = mpsc::channel(8);
        tokio::spawn(async move { drop(perform(operation.kind, typed, shown).await) });
        Ok(Relay { to, from })
    }
}

fn terminal(number: u32) -> Frame {
    Frame::Terminal(Terminal {
        number,
        command: vec!["/bin/sh".into()],
        started_at: Timestamp(1_000),
        attached: 1,
        printed_bytes: 5,
        ended: None,
    })
}

fn end(reason: EndReason, exit_code: i32) -> Frame {
    Frame::End(End { exit_code, ..End::new(reason, "") })
}

async fn perform(
    kind: OperationKind,
    typed: mpsc::Receiver<Frame>,
    shown: mpsc::Sender<Frame>,
) -> Result<(), mpsc::error::SendError<Frame>> {
    match kind {
        OperationKind::TerminalStart { command, .. } if command == ["missing"] => {
            shown.send(end(EndReason::CommandNotFound, 127)).await
        }
        OperationKind::TerminalStart { .. } | OperationKind::TerminalList => {
            shown.send(terminal(1)).await?;
            shown.send(end(EndReason::Exited, 0)).await
        }
        OperationKind::TerminalEnd { number: 1 } => shown.send(end(EndReason::Exited, 0)).await,
        OperationKind::TerminalAttach { number: 1, from, .. } => {
            shown.send(terminal(1)).await?;
            shown.send(Frame::Position(from)).await?;
            attached(typed, shown).await
        }
        OperationKind::TerminalEnd { .. } | OperationKind::TerminalAttach { .. } => {
            shown.send(end(EndReason::NoSuchTerminal, 0)).await
        }
        OperationKind::Run(run) => self::run(run, typed, shown).await,
        OperationKind::Forward { port: 80 } => connected(typed, shown).await,
        OperationKind::Forward { .. } => shown.send(end(EndReason::ConnectionRefused, 0)).await,
        OperationKind::Logs(logs) => self::logs(logs, shown).await,
    }
}

async fn attached(
    mut typed: mpsc::Receiver<Frame>,
    shown: mpsc::Sender<Frame>,
) -> Result<(), mpsc::error::SendError<Frame>> {
    while let Some(frame) = typed.recv().await {
        match frame {
            Frame::Data(data) if data == "exit" => {
                return shown.send(end(EndReason::Exited, 7)).await;
            }
            // The connection breaks.
            Frame::Data(data) if data == "break" => return Ok(()),
            Frame::Data(data) => shown.send(Frame::Data(data)).await?,
            Frame::Size(size) => {
                let said = format!("{}x{}", size.rows, size.columns);
                shown.send(Frame::Data(said.into())).await?;
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}

/// A server that echoes, and says goodbye when its client has no more to say.
async fn connected(
    mut typed: mpsc::Receiver<Frame>,
    shown: mpsc::Sender<Frame>,
) -> Result<(), mpsc::error::SendError<Frame>> {
    shown.send(Frame::Connected).await?;
    while let Some(Frame::Data(data)) = typed.recv().await {
        shown.send(Frame::Data(data)).await?;
    }
    shown.send(Frame::Data("bye".into())).await?;
    shown.send(Frame::EndOfInput).await?;
    shown.send(end(EndReason::Exited, 0)).await
}

/// `cat`: its input comes back; what else it is called with is printed as its errors.
async fn run(
    run: Run,
    mut typed: mpsc::Receiver<Frame>,
    shown: mpsc::Sender<Frame>,
) -> Result<(), mpsc::error::SendError<Frame>> {
    if run.command == ["sleep"] {
        return shown.send(end(EndReason::TimeLimit, 0)).await;
    }
    shown.send(Frame::ErrorData(Bytes::from(run.command.join(" ")))).await?;
    loop {
        match typed.recv().await {
            Some(Frame::Data(data)) => shown.send(Frame::Data(data)).await?,
            Some(Frame::EndOfInput) => return shown.send(end(EndReason::Exited, 3)).await,
            other => panic!("{other:?}"),
        }
    }
}

/// Ten lines, one a second from the epoch on, the odd ones as errors, the last without its rest. When they are followed, the
/// connection breaks after them.
async fn logs(logs: Logs, shown: mpsc::Sender<Frame>) -> Result<(), mpsc::error::SendError<Frame>> {
    let line = |number: u32| LogLine {
        position: LogPosition { moment: Moment(i64::from(number) * 1_000_000_000), index: number },
        stream: if number.is_multiple_of(2) { LogStream::Stdout } else { LogStream::Stderr },
        text: Bytes::from(format!("line {number}\r")),
        rest: if number == 9 { Rest::Follows } else { Rest::Whole },
    };
    let lines = (0..10).map(line);
    let lines: Vec<_> = lines
        .filter(|line| logs.after.is_none_or(|after| line.position > after))
        .filter(|line| logs.since.is_none_or(|since| line.position.moment >= since))
        .collect();
    let tail = logs.tail.map_or(10, |tail| tail as usize);
    let lines = lines[lines.len().saturating_sub(tail)..].to_vec();
    if !lines.is_empty() {
        shown.send(Frame::Log(lines)).await?;
    }
    match logs.follow {
        Follow::No => shown.send(end(EndReason::Exited, 0)).await,
        Follow::Yes => Ok(()),
    }
}
