//! Relays, to the domain and back.

use berth_core::{
    relay::{
        End, EndReason, Follow, Frame, LogLine, LogPosition, LogStream, Logs, Moment, Operation,
        OperationKind, Rest, Run, Size, Stdin, Target, Terminal,
    },
    storage::{Holder, Scope},
};
use bytes::Bytes;

use super::{
    agent::{Malformed, timestamp_from_wire, timestamp_to_wire},
    files, storage,
};
use crate::agent::v1 as wire;

pub(super) fn malformed(field: &'static str, problem: impl ToString) -> Malformed {
    Malformed { field, problem: problem.to_string() }
}

pub fn operation_to_wire(operation: Operation) -> wire::Operation {
    use wire::operation::Kind;
    let kind = match operation.kind {
        OperationKind::TerminalStart { command, size } => {
            Kind::TerminalStart(wire::TerminalStart { command, size: Some(size_to_wire(size)) })
        }
        OperationKind::TerminalList => Kind::TerminalList(wire::TerminalList {}),
        OperationKind::TerminalEnd { number } => Kind::TerminalEnd(wire::TerminalEnd { number }),
        OperationKind::TerminalAttach { number, from, size } => {
            Kind::TerminalAttach(wire::TerminalAttach {
                number,
                from,
                size: size.map(size_to_wire),
                container_id: match &operation.target {
                    Target::Container(id) => id.to_string(),
                    Target::Home(_) | Target::Volume { .. } => String::new(),
                },
            })
        }
        OperationKind::Logs(logs) => Kind::Logs(wire::Logs {
            since: logs.since.map(moment_to_wire),
            tail: logs.tail.unwrap_or(0),
            follow: logs.follow == Follow::Yes,
            after: logs.after.map(position_to_wire),
        }),
        OperationKind::Forward { port } => Kind::Forward(wire::Forward { port: port.into() }),
        OperationKind::Files(files) => Kind::Files(files::operation_to_wire(files)),
        OperationKind::RemoveVolume => Kind::RemoveVolume(wire::RemoveVolume {}),
        OperationKind::Measure => Kind::Measure(wire::Measure {}),
        OperationKind::Run(run) => Kind::Run(wire::RunCommand {
            command: run.command,
            environment: run.environment,
            working_directory: run.working_directory,
            time_limit: run.time_limit.and_then(|limit| limit.try_into().ok()),
            stdin: run.stdin == Stdin::Follows,
        }),
    };
    let account = |Holder { account, posix }: Holder| wire::AccountHome {
        account: account.to_string(),
        uid: posix.uid,
        gid: posix.gid,
    };
    let (container_id, home, volume) = match operation.target {
        Target::Container(id) => (id.to_string(), None, None),
        Target::Home(holder) => (String::new(), Some(account(holder)), None),
        Target::Volume { id, scope, holder } => {
            let volume = wire::VolumeTarget { id: id.to_string(), shared: scope == Scope::Shared };
            (String::new(), Some(account(holder)), Some(volume))
        }
    };
    wire::Operation { container_id, home, volume, kind: Some(kind) }
}

/// `None` for what is newer than this program.
pub fn operation_from_wire(operation: wire::Operation) -> Result<Option<Operation>, Malformed> {
    use wire::operation::Kind;
    let holder = operation
        .home
        .map(|home| storage::holder(&home.account, home.uid, home.gid))
        .transpose()?;
    let target = match (holder, operation.volume) {
        (Some(holder), Some(volume)) => Target::Volume {
            id: volume.id.parse().map_err(|error| malformed("volume.id", error))?,
            scope: storage::scope(volume.shared),
            holder,
        },
        (Some(holder), None) => Target::Home(holder),
        (None, _) => Target::Container(
            operation.container_id.parse().map_err(|error| malformed("container_id", error))?,
        ),
    };
    let Some(kind) = operation.kind else { return Ok(None) };
    let kind = match kind {
        Kind::TerminalStart(start) => OperationKind::TerminalStart {
            command: start.command,
            size: size_from_wire(start.size)?.unwrap_or_default(),
        },
        Kind::TerminalList(wire::TerminalList {}) => OperationKind::TerminalList,
        Kind::TerminalEnd(wire::TerminalEnd { number }) => OperationKind::TerminalEnd { number },
        Kind::TerminalAttach(attach) => OperationKind::TerminalAttach {
            number: attach.number,
            from: attach.from,
            size: size_from_wire(attach.size)?,
        },
        Kind::Logs(logs) => OperationKind::Logs(Logs {
            since: logs.since.as_ref().map(moment_from_wire),
            tail: (logs.tail > 0).then_some(logs.tail),
            follow: if logs.follow { Follow::Yes } else { Follow::No },
            after: logs.after.map(position_from_wire),
        }),
        Kind::Forward(wire::Forward { port }) => {
            let port = u16::try_from(port).ok().filter(|port| *port > 0);
            OperationKind::Forward { port: port.ok_or_else(|| malformed("port", "1 to 65535"))? }
        }
        Kind::RemoveVolume(wire::RemoveVolume {}) => OperationKind::RemoveVolume,
        Kind::Measure(wire::Measure {}) => OperationKind::Measure,
        Kind::Files(files) => match files::operation_from_wire(files)? {
            Some(files) => OperationKind::Files(files),
            None => return Ok(None),
        },
        Kind::Run(run) => OperationKind::Run(Run {
            command: run.command,
            environment: run.environment,
            working_directory: run.working_directory,
            time_limit: run
                .time_limit
                .map(|limit| limit.try_into().map_err(|_| malformed("time_limit", "negative")))
                .transpose()?,
            stdin: if run.stdin { Stdin::Follows } else { Stdin::Closed },
        }),
    };
    Ok(Some(Operation { target, kind }))
}

pub fn frame_to_wire(frame: Frame) -> wire::RelayFrame {
    use wire::relay_frame::Body;
    let body = match frame {
        Frame::Data(data) => Body::Data(data),
        Frame::ErrorData(data) => Body::ErrorData(data),
        Frame::Size(size) => Body::Size(size_to_wire(size)),
        Frame::EndOfInput => Body::EndOfInput(true),
        Frame::Terminal(terminal) => Body::Terminal(terminal_to_wire(terminal)),
        Frame::Position(position) => Body::Position(position),
        Frame::Log(lines) => {
            Body::LogLines(wire::LogLines { lines: lines.into_iter().map(line_to_wire).collect() })
        }
        Frame::Connected => Body::Connected(true),
        Frame::Entries(entries) => Body::Entries(files::entries_to_wire(entries)),
        Frame::Digest(digest) => Body::Digest(Bytes::copy_from_slice(&digest.0)),
        Frame::End(end) => Body::End(end_to_wire(end)),
    };
    wire::RelayFrame { body: Some(body) }
}

/// `None` for what says nothing here: a handshake, or something newer.
pub fn frame_from_wire(frame: wire::RelayFrame) -> Result<Option<Frame>, Malformed> {
    use wire::relay_frame::Body;
    Ok(match frame.body {
        Some(Body::Data(data)) => Some(Frame::Data(data)),
        Some(Body::ErrorData(data)) => Some(Frame::ErrorData(data)),
        Some(Body::Size(size)) => size_from_wire(Some(size))?.map(Frame::Size),
        Some(Body::EndOfInput(_)) => Some(Frame::EndOfInput),
        Some(Body::Terminal(terminal)) => Some(Frame::Terminal(terminal_from_wire(terminal))),
        Some(Body::Position(position)) => Some(Frame::Position(position)),
        Some(Body::LogLines(lines)) => {
            Some(Frame::Log(lines.lines.into_iter().map(line_from_wire).collect()))
        }
        Some(Body::Connected(_)) => Some(Frame::Connected),
        Some(Body::Entries(entries)) => Some(Frame::Entries(files::entries_from_wire(entries))),
        Some(Body::Digest(digest)) => Some(Frame::Digest(files::digest_from_wire(&digest)?)),
        Some(Body::End(end)) => Some(Frame::End(end_from_wire(end))),
        Some(Body::Opened(_) | Body::Attach(_)) | None => None,
    })
}

pub fn moment_to_wire(moment: Moment) -> prost_types::Timestamp {
    let nanos = i32::try_from(moment.0.rem_euclid(1_000_000_000)).unwrap_or(0);
    prost_types::Timestamp { seconds: moment.0.div_euclid(1_000_000_000), nanos }
}

pub fn moment_from_wire(timestamp: &prost_types::Timestamp) -> Moment {
    let nanos = timestamp.seconds.saturating_mul(1_000_000_000);
    Moment(nanos.saturating_add(timestamp.nanos.into()))
}

fn position_to_wire(position: LogPosition) -> wire::LogPosition {
    wire::LogPosition { time: Some(moment_to_wire(position.moment)), index: position.index }
}

fn position_from_wire(position: wire::LogPosition) -> LogPosition {
    let moment = position.time.as_ref().map_or(Moment(0), moment_from_wire);
    LogPosition { moment, index: position.index }
}

fn line_to_wire(line: LogLine) -> wire::LogLine {
    wire::LogLine {
        position: Some(position_to_wire(line.position)),
        stream: match line.stream {
            LogStream::Stdout => 1,
            LogStream::Stderr => 2,
        },
        text: line.text,
        partial: line.rest == Rest::Follows,
    }
}

fn line_from_wire(line: wire::LogLine) -> LogLine {
    LogLine {
        position: position_from_wire(line.position.unwrap_or_default()),
        stream: if line.stream == 2 { LogStream::Stderr } else { LogStream::Stdout },
        text: line.text,
        rest: if line.partial { Rest::Follows } else { Rest::Whole },
    }
}

pub fn data(bytes: Bytes) -> wire::RelayFrame {
    wire::RelayFrame { body: Some(wire::relay_frame::Body::Data(bytes)) }
}

pub fn size_to_wire(size: Size) -> wire::Size {
    wire::Size { rows: size.rows.into(), columns: size.columns.into() }
}

fn size_from_wire(size: Option<wire::Size>) -> Result<Option<Size>, Malformed> {
    size.map(|size| {
        let problem = || malformed("size", format!("{} x {}", size.rows, size.columns));
        Size::new(size.rows, size.columns).ok_or_else(problem)
    })
    .transpose()
}

fn terminal_to_wire(terminal: Terminal) -> wire::HeldTerminal {
    wire::HeldTerminal {
        container_id: String::new(),
        number: terminal.number,
        command: terminal.command,
        start_time: Some(timestamp_to_wire(terminal.started_at)),
        attached: terminal.attached,
        printed_bytes: terminal.printed_bytes,
        ended: terminal.ended.is_some(),
        exit_code: terminal.ended.unwrap_or(0),
    }
}

pub fn terminal_from_wire(terminal: wire::HeldTerminal) -> Terminal {
    Terminal {
        number: terminal.number,
        command: terminal.command,
        started_at: terminal.start_time.as_ref().map(timestamp_from_wire).unwrap_or_default(),
        attached: terminal.attached,
        printed_bytes: terminal.printed_bytes,
        ended: terminal.ended.then_some(terminal.exit_code),
    }
}

pub fn end_to_wire(end: End) -> wire::RelayEnd {
    let reason = match end.reason {
        EndReason::Exited => wire::RelayEndReason::Exited,
        EndReason::ContainerNotRunning => wire::RelayEndReason::ContainerNotRunning,
        EndReason::TimeLimit => wire::RelayEndReason::TimeLimit,
        EndReason::CommandNotFound => wire::RelayEndReason::CommandNotFound,
        EndReason::NoSuchTerminal => wire::RelayEndReason::NoSuchTerminal,
        EndReason::ConnectionRefused => wire::RelayEndReason::ConnectionRefused,
        EndReason::TooMany => wire::RelayEndReason::TooMany,
        EndReason::Failed => wire::RelayEndReason::Failed,
        EndReason::File(_) => wire::RelayEndReason::File,
        EndReason::Unsupported => wire::RelayEndReason::Unsupported,
    };
    let fault = match end.reason {
        EndReason::File(fault) => files::fault_to_wire(fault),
        EndReason::Exited
        | EndReason::ContainerNotRunning
        | EndReason::TimeLimit
        | EndReason::CommandNotFound
        | EndReason::NoSuchTerminal
        | EndReason::ConnectionRefused
        | EndReason::TooMany
        | EndReason::Failed
        | EndReason::Unsupported => wire::FileFault::Unspecified,
    };
    wire::RelayEnd {
        reason: reason.into(),
        exit_code: end.exit_code,
        detail: end.detail,
        file_fault: fault.into(),
        subject: end.subject,
    }
}

pub fn end_from_wire(end: wire::RelayEnd) -> End {
    let reason = match end.reason() {
        wire::RelayEndReason::Exited => EndReason::Exited,
        wire::RelayEndReason::ContainerNotRunning => EndReason::ContainerNotRunning,
        wire::RelayEndReason::TimeLimit => EndReason::TimeLimit,
        wire::RelayEndReason::CommandNotFound => EndReason::CommandNotFound,
        wire::RelayEndReason::NoSuchTerminal => EndReason::NoSuchTerminal,
        wire::RelayEndReason::ConnectionRefused => EndReason::ConnectionRefused,
        wire::RelayEndReason::TooMany => EndReason::TooMany,
        wire::RelayEndReason::Unsupported => EndReason::Unsupported,
        wire::RelayEndReason::File => {
            files::fault_from_wire(end.file_fault()).map_or(EndReason::Failed, EndReason::File)
        }
        // A newer agent may know more ways to fail.
        wire::RelayEndReason::Failed | wire::RelayEndReason::Unspecified => EndReason::Failed,
    };
    End { reason, exit_code: end.exit_code, detail: end.detail, subject: end.subject }
}

#[cfg(test)]
mod tests {
    use berth_core::{
        clock::Timestamp,
        files::{Blake3, FileFault, Refused},
        id::ContainerId,
    };
    use uuid::Uuid;

    use super::*;

    #[test]
    fn operations_there_and_back() {
        let size = Size { rows: 40, columns: 120 };
        let run = Run {
            command: vec!["ls".into(), "-l".into()],
            environment: [("A".to_owned(), "1".to_owned())].into(),
            working_directory: "/srv".into(),
            time_limit: Some(std::time::Duration::from_millis(1500)),
            stdin: Stdin::Follows,
        };
        for kind in [
            OperationKind::TerminalStart { command: vec!["bash".into()], size },
            OperationKind::TerminalList,
            OperationKind::TerminalEnd { number: 3 },
            OperationKind::TerminalAttach { number: 3, from: 1 << 40, size: Some(size) },
            OperationKind::TerminalAttach { number: 3, from: 0, size: None },
            OperationKind::Run(run),
            OperationKind::Forward { port: 8888 },
            OperationKind::Logs(Logs::default()),
            OperationKind::Logs(Logs {
                since: Some(Moment(-1)),
                tail: Some(7),
                follow: Follow::Yes,
                after: Some(LogPosition { moment: Moment(1_700_000_000_123_456_789), index: 2 }),
            }),
        ] {
            let target = Target::Container(ContainerId::new(Uuid::from_u128(7)));
            let operation = Operation { target, kind };
            let wire = operation_to_wire(operation.clone());
            assert_eq!(operation_from_wire(wire).unwrap(), Some(operation));
        }
    }

    #[test]
    fn frames_there_and_back() {
        let terminal = |ended| Terminal {
            number: 2,
            command: vec!["sh".into()],
            started_at: Timestamp(1234),
            attached: 1,
            printed_bytes: 99,
            ended,
        };
        let end = |reason| End { reason, exit_code: 3, detail: "why".into(), subject: "/a".into() };
        for frame in [
            Frame::Data(Bytes::from_static(b"\x00\xff")),
            Frame::ErrorData(Bytes::from_static(b"e")),
            Frame::Size(Size::default()),
            Frame::EndOfInput,
            Frame::Terminal(terminal(None)),
            Frame::Terminal(terminal(Some(0))),
            Frame::Position(7),
            Frame::Connected,
            Frame::Log(vec![LogLine {
                position: LogPosition { moment: Moment(5), index: 1 },
                stream: LogStream::Stderr,
                text: Bytes::from_static(b"\xff"),
                rest: Rest::Follows,
            }]),
            Frame::End(end(EndReason::Exited)),
            Frame::End(end(EndReason::TooMany)),
            Frame::End(end(EndReason::File(FileFault::Refused(Refused::Setuid)))),
            Frame::Digest(Blake3([7; 32])),
        ] {
            assert_eq!(frame_from_wire(frame_to_wire(frame.clone())).unwrap(), Some(frame));
        }
        let odd = wire::RelayFrame {
            body: Some(wire::relay_frame::Body::Size(wire::Size { rows: 0, columns: 80 })),
        };
        assert_eq!(frame_from_wire(odd).unwrap_err().field, "size");
    }
}
