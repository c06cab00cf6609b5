//! What the engine sends of a log, to lines.
//!
//! The engine sends messages: a moment, a space, at most 16 KiB of text, and the end of line if that is all of the line. A
//! longer line comes in several messages of one moment; the `local` driver forgets the end of line of the last of them. So
//! what is full goes on, and what is not full is a line's end.
//!
//! An engine that throws away its oldest file while it is followed sends some of the lines once more. Of one output no
//! message is older than the one before it, unless the clock was put back.

use std::collections::VecDeque;

use berth_core::relay::{LogLine, LogPosition, LogStream, Moment, Rest};
use bytes::Bytes;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Of a piece of a line: what the engine cuts them to.
pub(super) const TEXT_MAXIMUM: usize = 16 << 10;
/// `2026-01-15T08:00:00.123456789+09:00`
const STAMP_MAXIMUM: usize = 35;

/// Both outputs of one container. What comes out depends on the bytes and the messages, not on how they came in pieces.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    stdout: Half,
    stderr: Half,
    last: Option<LogPosition>,
    live: Option<Live>,
}

/// Of a log that is followed.
#[derive(Debug, Clone, Copy)]
struct Live {
    since: Moment,
    now: Moment,
}

impl Splitter {
    /// What comes is read as it is printed. Until the first of these, nothing is taken for said twice: the clock may have
    /// been put back long ago.
    pub(super) fn live(&mut self, now: Moment) {
        self.live.get_or_insert(Live { since: now, now }).now = now;
    }

    /// The newest moment of any message, whatever it was said of.
    pub(super) fn latest(&self) -> Moment {
        self.stdout.latest.max(self.stderr.latest)
    }

    /// A message may begin with what comes next. Where it is known where messages end, [`Splitter::end`] says it better.
    pub(super) fn may_begin(&mut self, stream: LogStream) {
        self.half(stream).0.stamp.get_or_insert_default();
    }

    pub(super) fn push(&mut self, stream: LogStream, bytes: &[u8], lines: &mut VecDeque<LogLine>) {
        let live = self.live;
        let (half, last) = self.half(stream);
        half.push(bytes, live, &mut |piece| lines.push_back(number(last, stream, piece)));
    }

    /// A message has ended.
    pub(super) fn end(&mut self, stream: LogStream, lines: &mut VecDeque<LogLine>) {
        let (half, last) = self.half(stream);
        half.end(&mut |piece| lines.push_back(number(last, stream, piece)));
    }

    fn half(&mut self, stream: LogStream) -> (&mut Half, &mut Option<LogPosition>) {
        let half = match stream {
            LogStream::Stdout => &mut self.stdout,
            LogStream::Stderr => &mut self.stderr,
        };
        (half, &mut self.last)
    }
}

/// Messages stand in the log a little out of order, since both outputs are read at once, and the rest of a long line bears
/// the moment of its beginning. Positions only rise: a line is never said to be earlier than the one before it.
fn number(last: &mut Option<LogPosition>, stream: LogStream, piece: Piece) -> LogLine {
    let position = match *last {
        Some(LogPosition { moment, index }) if moment >= piece.moment => {
            LogPosition { moment, index: index.saturating_add(1) }
        }
        Some(_) | None => LogPosition { moment: piece.moment, index: 0 },
    };
    *last = Some(position);
    LogLine { position, stream, text: piece.text, rest: piece.rest }
}

struct Piece {
    moment: Moment,
    text: Bytes,
    rest: Rest,
}

/// One of the two outputs.
#[derive(Debug)]
struct Half {
    /// While a message's moment may be coming: what was seen of it.
    stamp: Option<Vec<u8>>,
    /// Of the message that is being read.
    moment: Moment,
    /// Within a message.
    open: bool,
    /// Bytes of the message's text, those that were passed on included.
    length: usize,
    text: Vec<u8>,
    /// The last message was full: the next is the rest of its line.
    full: bool,
    /// Of any message so far.
    latest: Moment,
    /// Within what was said before.
    again: bool,
}

impl Default for Half {
    fn default() -> Self {
        let (stamp, never) = (Some(Vec::new()), Moment(i64::MIN));
        Self {
            stamp,
            moment: never,
            open: false,
            length: 0,
            text: Vec::new(),
            full: false,
            latest: never,
            again: false,
        }
    }
}

impl Half {
    fn push(&mut self, bytes: &[u8], live: Option<Live>, emit: &mut impl FnMut(Piece)) {
        let mut bytes = bytes;
        while let Some((&first, after)) = bytes.split_first() {
            let Some(held) = &mut self.stamp else {
                let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                    return self.text(bytes, emit);
                };
                self.text(&bytes[..end], emit);
                self.line(Rest::Whole, emit);
                (self.open, self.length, self.stamp) = (false, 0, Some(Vec::new()));
                self.full = false;
                bytes = &bytes[end + 1..];
                continue;
            };
            if first == b' '
                && let Some(moment) = moment(held)
            {
                self.close(emit);
                (self.open, self.length, self.stamp, self.moment) = (true, 0, None, moment);
                self.again = self.is_again(moment, live);
                self.latest = self.latest.max(moment);
                bytes = after;
            } else if is_of_a_stamp(first) && held.len() < STAMP_MAXIMUM {
                held.push(first);
                bytes = after;
            } else {
                self.no_stamp(emit);
            }
        }
    }

    fn is_again(&self, moment: Moment, live: Option<Live>) -> bool {
        if self.again {
            return moment <= self.latest;
        }
        let was_live = |live: Live| (live.since..=live.now).contains(&self.latest);
        // Only pieces of one line are of one moment.
        let is_older = moment < self.latest || (moment == self.latest && !self.full);
        is_older && live.is_some_and(was_live)
    }

    fn end(&mut self, emit: &mut impl FnMut(Piece)) {
        self.no_stamp(emit);
        self.close(emit);
        (self.open, self.length, self.stamp) = (false, 0, Some(Vec::new()));
    }

    /// The end of a message that had no end of line.
    fn close(&mut self, emit: &mut impl FnMut(Piece)) {
        if self.open {
            self.full = self.length > 0 && self.text.is_empty();
            if !self.full {
                self.line(Rest::Whole, emit);
            }
        }
    }

    /// What began like a moment is text.
    fn no_stamp(&mut self, emit: &mut impl FnMut(Piece)) {
        if let Some(held) = self.stamp.take() {
            self.text(&held, emit);
        }
    }

    fn text(&mut self, mut bytes: &[u8], emit: &mut impl FnMut(Piece)) {
        while !bytes.is_empty() && !self.again {
            let (some, after) = bytes.split_at(bytes.len().min(TEXT_MAXIMUM - self.text.len()));
            self.text.extend_from_slice(some);
            self.length += some.len();
            self.open = true;
            bytes = after;
            if self.text.len() == TEXT_MAXIMUM {
                self.line(Rest::Follows, emit);
            }
        }
    }

    fn line(&mut self, rest: Rest, emit: &mut impl FnMut(Piece)) {
        if self.again {
            return;
        }
        let text = Bytes::copy_from_slice(&self.text);
        self.text.clear();
        emit(Piece { moment: self.moment, text, rest });
    }
}

fn is_of_a_stamp(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b':' | b'.' | b'T' | b'Z')
}

fn moment(stamp: &[u8]) -> Option<Moment> {
    let text = std::str::from_utf8(stamp).ok()?;
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(moment.unix_timestamp_nanos()).ok().map(Moment)
}

#[cfg(test)]
mod tests;
