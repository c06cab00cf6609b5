//! Lines, put together from the pieces they come in.

use berth_proto::v1::LogLine;
use prost_types::Timestamp;

use super::ansi::{Painted, Painter, Style};

/// Of a line: more of it is for the download.
const LENGTH: usize = 16 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Error,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) time: Option<Timestamp>,
    pub(crate) stream: Stream,
    pub(crate) text: String,
    /// From which byte on it has which style.
    pub(crate) styles: Vec<(usize, Style)>,
    /// It is longer than this.
    pub(crate) cut: bool,
}

/// What is said among the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// The line was lost for so many seconds; nothing is missing.
    Back(u32),
    /// More was printed than can be read: it goes on with the newest.
    Skipped,
    Ended,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    Line(Line),
    Note(Note),
}

impl Entry {
    /// What it takes to keep it, roughly.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Entry::Line(line) => 64 + line.text.len() + 24 * line.styles.len(),
            Entry::Note(_) => 64,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Assembler {
    output: Open,
    error: Open,
}

#[derive(Debug, Default)]
struct Open {
    painter: Painter,
    bytes: Vec<u8>,
    time: Option<Timestamp>,
    begun: bool,
    cut: bool,
}

impl Assembler {
    /// A line when it is whole.
    pub(crate) fn piece(&mut self, piece: LogLine) -> Option<Entry> {
        let stream = if piece.stream == 2 { Stream::Error } else { Stream::Output };
        let open = match stream {
            Stream::Output => &mut self.output,
            Stream::Error => &mut self.error,
        };
        if !open.begun {
            open.begun = true;
            open.time = piece.time;
        }
        let room = LENGTH - open.bytes.len();
        open.cut |= piece.text.len() > room;
        open.bytes.extend_from_slice(&piece.text[..piece.text.len().min(room)]);
        if piece.partial {
            return None;
        }
        let bytes = std::mem::take(&mut open.bytes);
        // A program with a terminal ends its lines so.
        let text = bytes.strip_suffix(b"\r").unwrap_or(&bytes);
        let Painted { text, styles } = open.painter.line(text);
        let line = Line { time: open.time.take(), stream, text, styles, cut: open.cut };
        (open.begun, open.cut) = (false, false);
        Some(Entry::Line(line))
    }

    /// No line is begun.
    pub(crate) fn is_whole(&self) -> bool {
        !self.output.begun && !self.error.begun
    }

    /// What was begun is not ended any more.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(stream: u32, text: &[u8], partial: bool) -> LogLine {
        LogLine { stream, text: text.to_vec().into(), partial, ..LogLine::default() }
    }

    fn text(entry: Option<Entry>) -> Option<String> {
        match entry? {
            Entry::Line(line) => Some(line.text),
            Entry::Note(_) => None,
        }
    }

    #[test]
    fn pieces_of_two_streams() {
        let mut lines = Assembler::default();
        assert_eq!(lines.piece(piece(1, "日".as_bytes().split_at(2).0, true)), None);
        assert_eq!(text(lines.piece(piece(2, b"error", false))).as_deref(), Some("error"));
        assert!(!lines.is_whole());
        assert_eq!(
            text(lines.piece(piece(1, "日".as_bytes().split_at(2).1, false))).as_deref(),
            Some("日")
        );
        assert!(lines.is_whole());
        assert_eq!(text(lines.piece(piece(1, b"10%\r20%\r", false))).as_deref(), Some("20%"));
    }

    #[test]
    fn long_lines_are_cut() {
        let mut lines = Assembler::default();
        for _ in 0..3 {
            assert_eq!(lines.piece(piece(1, &[b'x'; 10_000], true)), None);
        }
        let Some(Entry::Line(line)) = lines.piece(piece(1, b"end", false)) else { panic!("none") };
        assert_eq!((line.text.len(), line.cut), (LENGTH, true));
        let Some(Entry::Line(line)) = lines.piece(piece(1, b"next", false)) else { panic!("none") };
        assert_eq!((line.text.as_str(), line.cut), ("next", false));
    }
}
