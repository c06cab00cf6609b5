//! Relays, to the domain and back.

use berth_core::relay::{
    End, EndReason, Frame, Operation, OperationKind, Run, Size, Stdin, Terminal,
};
use bytes::Bytes;

use super::agent::{Malformed, timestamp_from_wire, timestamp_to_wire};
use crate::agent::v1 as wire;

fn malformed(field: &'static str, problem: impl ToString) -> Malformed {
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
                container_id: operation.container.to_string(),
            })
        }
        OperationKind::Run(run) => Kind::Run(wire::RunCommand {
            command: run.command,
            environment: run.environment,
            working_directory: run.working_directory,
            time_limit: run.time_limit.and_then(|limit| limit.try_into().ok()),
            stdin: run.stdin == Stdin::Follows,
        }),
    };
    wire::Operation { container_id: operation.container.to_string(), kind: Some(kind) }
}

/// `None` for what is newer than this program.
pub fn operation_from_wire(operation: wire::Operation) -> Result<Option<Operation>, Malformed> {
    use wire::operation::Kind;
    let container =
        operation.container_id.parse().map_err(|error| malformed("container_id", error))?;
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
    Ok(Some(Operation { container, kind }))
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
        Some(Body::End(end)) => Some(Frame::End(end_from_wire(end))),
        Some(Body::Opened(_) | Body::Attach(_)) | None => None,
    })
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
        EndReason::TooMany => wire::RelayEndReason::TooMany,
        EndReason::Failed => wire::RelayEndReason::Failed,
        EndReason::Unsupported => wire::RelayEndReason::Unsupported,
    };
    wire::RelayEnd { reason: reason.into(), exit_code: end.exit_code, detail: end.detail }
}

pub fn end_from_wire(end: wire::RelayEnd) -> End {
    let reason = match end.reason() {
        wire::RelayEndReason::Exited => EndReason::Exited,
        wire::RelayEndReason::ContainerNotRunning => EndReason::ContainerNotRunning,
        wire::RelayEndReason::TimeLimit => EndReason::TimeLimit,
        wire::RelayEndReason::CommandNotFound => EndReason::CommandNotFound,
        wire::RelayEndReason::NoSuchTerminal => EndReason::NoSuchTerminal,
        wire::RelayEndReason::TooMany => EndReason::TooMany,
        wire::RelayEndReason::Unsupported => EndReason::Unsupported,
        // A newer agent may know more ways to fail.
        wire::RelayEndReason::Failed | wire::RelayEndReason::Unspecified => EndReason::Failed,
    };
    End { reason, exit_code: end.exit_code, detail: end.detail }
}

#[cfg(test)]
mod tests {
    use berth_core::{clock::Timestamp, id::ContainerId};
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
        ] {
            let operation = Operation { container: ContainerId::new(Uuid::from_u128(7)), kind };
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
        let end = |reason| End { reason, exit_code: 3, detail: "why".into() };
        for frame in [
            Frame::Data(Bytes::from_static(b"\x00\xff")),
            Frame::ErrorData(Bytes::from_static(b"e")),
            Frame::Size(Size::default()),
            Frame::EndOfInput,
            Frame::Terminal(terminal(None)),
            Frame::Terminal(terminal(Some(0))),
            Frame::Position(7),
            Frame::End(end(EndReason::Exited)),
            Frame::End(end(EndReason::TooMany)),
        ] {
            assert_eq!(frame_from_wire(frame_to_wire(frame.clone())).unwrap(), Some(frame));
        }
        let odd = wire::RelayFrame {
            body: Some(wire::relay_frame::Body::Size(wire::Size { rows: 0, columns: 80 })),
        };
        assert_eq!(frame_from_wire(odd).unwrap_err().field, "size");
    }
}
