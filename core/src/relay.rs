//! Byte streams between somebody who uses a container and its blade: what is asked for, and the frames on the way.

use std::{collections::BTreeMap, fmt, time::Duration};

use bytes::Bytes;

use crate::{
    clock::Timestamp,
    files::{Blake3, Entry, FileFault, FilesOperation},
    id::{ContainerId, VolumeId},
    storage::{Holder, Scope},
};

/// A frame's data is at most this long, so that no one's frame holds up another's for long.
pub const FRAME_MAXIMUM: usize = 64 << 10;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub target: Target,
    pub kind: OperationKind,
}

/// What it is done with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    Container(ContainerId),
    /// An account's home, without any container: files, whose paths begin at the home, and how much room they take.
    Home(Holder),
    /// Only to be measured, or taken away.
    Volume {
        id: VolumeId,
        scope: Scope,
        holder: Holder,
    },
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Container(id) => id.fmt(f),
            Target::Home(holder) => write!(f, "home of {}", holder.account),
            Target::Volume { id, .. } => write!(f, "volume {id}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationKind {
    /// Answered with the terminal and an end.
    TerminalStart {
        command: Vec<String>,
        size: Size,
    },
    /// Answered with every terminal and an end.
    TerminalList,
    /// Answered with an end.
    TerminalEnd {
        number: u32,
    },
    /// Answered with the terminal, a position, and what it prints until it ends.
    TerminalAttach {
        number: u32,
        from: u64,
        size: Option<Size>,
    },
    Run(Run),
    /// Answered with lines, and an end when there are no more.
    Logs(Logs),
    /// A TCP connection to a port inside. Answered with `Connected`, then bytes both ways; either side says `EndOfInput`
    /// when it has no more to send.
    Forward {
        port: u16,
    },
    Files(FilesOperation),
    /// How much room it takes: a home, a volume, or what a container wrote beside them. Answered with a position, in bytes.
    Measure,
    /// A volume with everything in it. Answered with an end; gone already is fine.
    RemoveVolume,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Logs {
    pub since: Option<Moment>,
    /// Only the last so many.
    pub tail: Option<u32>,
    pub follow: Follow,
    /// Lines after this one alone.
    pub after: Option<LogPosition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Follow {
    #[default]
    No,
    Yes,
}

/// Nanoseconds since the Unix epoch: the engine's clock is that fine, and two lines are often of one millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

/// Which line: its moment, and which of those of that moment, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    pub moment: Moment,
    pub index: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub position: LogPosition,
    pub stream: LogStream,
    pub text: Bytes,
    pub rest: Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    Stdout,
    Stderr,
}

/// Whether a line is all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Whole,
    /// It was too long: the next one goes on with it.
    Follows,
}

/// One command without a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub command: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub working_directory: String,
    pub time_limit: Option<Duration>,
    pub stdin: Stdin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing will be typed: the program finds it closed.
    Closed,
    Follows,
}

/// Of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub rows: u16,
    pub columns: u16,
}

impl Size {
    pub const MAXIMUM: u16 = 1000;

    /// 1 to [`Size::MAXIMUM`] either way.
    pub fn new(rows: u32, columns: u32) -> Option<Self> {
        let one =
            |number: u32| u16::try_from(number).ok().filter(|n| (1..=Self::MAXIMUM).contains(n));
        Some(Self { rows: one(rows)?, columns: one(columns)? })
    }
}

impl Default for Size {
    fn default() -> Self {
        Self { rows: 24, columns: 80 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Typed, printed; standard input, standard output.
    Data(Bytes),
    /// Standard error.
    ErrorData(Bytes),
    Size(Size),
    EndOfInput,
    Terminal(Terminal),
    /// The number of the next byte of data: at the start, and where some were skipped.
    Position(u64),
    Log(Vec<LogLine>),
    /// The program inside has taken the connection.
    Connected,
    Entries(Vec<Entry>),
    /// Of the data before it.
    Digest(Blake3),
    /// The last from the blade.
    End(End),
}

/// A terminal on its blade. It outlives connections, and the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    pub number: u32,
    pub command: Vec<String>,
    pub started_at: Timestamp,
    pub attached: u32,
    pub printed_bytes: u64,
    /// The exit code, when its program has ended.
    pub ended: Option<i32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub reason: EndReason,
    pub exit_code: i32,
    /// The engine's own words, for administrators.
    pub detail: String,
    /// Which file it is about, where it is about one.
    pub subject: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// Done; with the exit code where a program has ended.
    Exited,
    ContainerNotRunning,
    TimeLimit,
    CommandNotFound,
    NoSuchTerminal,
    /// Nothing listens on the port.
    ConnectionRefused,
    TooMany,
    File(FileFault),
    Failed,
    Unsupported,
}

impl End {
    pub fn new(reason: EndReason, detail: impl Into<String>) -> Self {
        Self { reason, exit_code: 0, detail: detail.into(), subject: String::new() }
    }

    pub fn file(fault: FileFault, subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), ..Self::new(EndReason::File(fault), "") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(Size::new(24, 80), Some(Size::default()));
        for (rows, columns) in [(0, 80), (24, 0), (1001, 80), (24, u32::MAX)] {
            assert_eq!(Size::new(rows, columns), None, "{rows} x {columns}");
        }
    }
}
