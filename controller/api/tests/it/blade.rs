//! A blade's end of byte streams: echoes what is typed, and does what a few words tell it.

use async_trait::async_trait;
use berth_app::ports::{Relay, RelayError, Relays};
use berth_core::{
    clock::Timestamp,
    files::{Blake3, Entry, EntryKind, FileFault, FilePath, FilesOperation, Refused},
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
        OperationKind::Measure => {
            shown.send(Frame::Position(4096)).await?;
            shown.send(end(EndReason::Exited, 0)).await
        }
        OperationKind::RemoveVolume => shown.send(end(EndReason::Exited, 0)).await,
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
        OperationKind::Files(operation) => files(operation, typed, shown).await,
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

/// One file, /hello; one folder, /full, of three entries, of which two are told; everything else is not there.
async fn files(
    operation: FilesOperation,
    mut typed: mpsc::Receiver<Frame>,
    shown: mpsc::Sender<Frame>,
) -> Result<(), mpsc::error::SendError<Frame>> {
    let path = |path: &FilePath| path.as_str().to_owned();
    let absent = |at: String| Frame::End(End::file(FileFault::NotFound, at));
    match operation {
        FilesOperation::Stat { path } if path.as_str() == "/hello" => {
            shown.send(Frame::Entries(vec![entry(EntryKind::File)])).await?;
        }
        FilesOperation::Stat { path } if path.as_str() == "/full" => {
            shown.send(Frame::Entries(vec![entry(EntryKind::Directory)])).await?;
        }
        FilesOperation::List { path, .. } if path.as_str() == "/full" => {
            shown
                .send(Frame::Entries(vec![entry(EntryKind::File), entry(EntryKind::Link)]))
                .await?;
            shown.send(Frame::Position(2)).await?;
        }
        FilesOperation::Read(read) if read.path.as_str() == "/hello" => {
            shown.send(Frame::Entries(vec![entry(EntryKind::File)])).await?;
            let from = usize::try_from(read.from).unwrap().min(HELLO.len());
            let to = read.to.map_or(HELLO.len(), |to| usize::try_from(to).unwrap());
            let data = Bytes::from_static(&HELLO[from..to.min(HELLO.len())]);
            shown.send(Frame::Data(data)).await?;
            shown.send(Frame::Digest(Blake3([7; 32]))).await?;
        }
        FilesOperation::Pack { path, .. } if path.as_str() == "/full" => {
            shown.send(Frame::Data("packed".into())).await?;
        }
        FilesOperation::Write(write) if write.path.as_str() == "/full/disk" => {
            return shown.send(Frame::End(End::file(FileFault::NoSpace, "/full/disk"))).await;
        }
        FilesOperation::Write(_) => return written(typed, shown).await,
        FilesOperation::Unpack { .. } => {
            let mut bytes = 0;
            loop {
                match typed.recv().await {
                    Some(Frame::Data(data)) if data == "evil" => {
                        let fault = FileFault::Refused(Refused::Setuid);
                        return shown.send(Frame::End(End::file(fault, "bin/su"))).await;
                    }
                    Some(Frame::Data(data)) => bytes += data.len() as u64,
                    Some(Frame::EndOfInput) => break,
                    // Its caller has gone.
                    None => return Ok(()),
                    other => panic!("{other:?}"),
                }
            }
            shown.send(Frame::Position(bytes)).await?;
        }
        FilesOperation::MakeDirectory { .. }
        | FilesOperation::SetAttributes { .. }
        | FilesOperation::Move { .. } => {
            shown.send(Frame::Entries(vec![entry(EntryKind::Directory)])).await?;
        }
        FilesOperation::Discard { .. } | FilesOperation::Delete { .. } => {}
        FilesOperation::Stat { path: at }
        | FilesOperation::List { path: at, .. }
        | FilesOperation::Pack { path: at, .. } => return shown.send(absent(path(&at))).await,
        FilesOperation::Read(read) => return shown.send(absent(path(&read.path))).await,
    }
    shown.send(end(EndReason::Exited, 0)).await
}

pub(crate) const HELLO: &[u8] = b"hello, blade";

fn entry(kind: EntryKind) -> Entry {
    Entry {
        name: "hello".into(),
        name_is_exact: true,
        kind,
        size: HELLO.len() as u64,
        modified: Moment(1_700_000_000_000_000_000),
        mode: 0o644,
        uid: 1000,
        gid: 100,
        target: String::new(),
        version: "v1".into(),
    }
}

/// Five bytes are there already.
async fn written(
    mut typed: mpsc::Receiver<Frame>,
    shown: mpsc::Sender<Frame>,
) -> Result<(), mpsc::error::SendError<Frame>> {
    let mut position = 5;
    shown.send(Frame::Position(position)).await?;
    loop {
        match typed.recv().await {
            Some(Frame::Data(data)) => position += data.len() as u64,
            Some(Frame::Digest(Blake3([7, ..]))) => {
                let entry = Entry { size: position, ..entry(EntryKind::File) };
                shown.send(Frame::Entries(vec![entry])).await?;
                break;
            }
            Some(Frame::Digest(_)) => {
                return shown.send(Frame::End(End::file(FileFault::WrongDigest, "/a"))).await;
            }
            Some(Frame::EndOfInput) => {
                shown.send(Frame::Position(position)).await?;
                break;
            }
            // Its caller has gone.
            None => break,
            other => panic!("{other:?}"),
        }
    }
    shown.send(end(EndReason::Exited, 0)).await
}
