//! So many lines and no more: a browser must not grow with what a program prints.

use std::collections::VecDeque;

use super::Entry;

pub(crate) const LINES: usize = 5_000;
pub(crate) const BYTES: usize = 4 << 20;

#[derive(Debug, Default)]
pub(crate) struct Buffer {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// So many have left it.
    gone: u64,
}

impl Buffer {
    /// The oldest make room.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.bytes += entry.weight();
        self.entries.push_back(entry);
        while self.entries.len() > LINES || self.bytes > BYTES {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= oldest.weight();
            self.gone += 1;
        }
    }

    /// The next one would push the oldest out.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= LINES || self.bytes >= BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of the first one that is kept.
    pub(crate) fn gone(&self) -> u64 {
        self.gone
    }

    /// One that left does not come back, and takes nothing with it.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        (self.bytes, self.gone) = (0, 0);
    }

    /// What has the number and those behind it.
    pub(crate) fn starting_at(&self, number: u64) -> impl Iterator<Item = &Entry> {
        let skipped = usize::try_from(number.saturating_sub(self.gone)).unwrap_or(usize::MAX);
        self.entries.iter().skip(skipped)
    }

    /// All that `other` has, behind what is here; it is empty then.
    pub(crate) fn take(&mut self, other: &mut Buffer) {
        if other.gone > 0 {
            // What left it stood between: what is here is too old by now.
            self.gone += other.gone + self.entries.len() as u64;
            self.entries.clear();
            self.bytes = 0;
        }
        for entry in other.entries.drain(..) {
            self.push(entry);
        }
        other.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{Line, Stream};

    fn line(text: &str) -> Entry {
        Entry::Line(Line {
            time: None,
            stream: Stream::Output,
            text: text.to_owned(),
            styles: Vec::new(),
            cut: false,
        })
    }

    #[test]
    fn bounded_by_lines() {
        let mut buffer = Buffer::default();
        for number in 0..LINES + 7 {
            buffer.push(line(&number.to_string()));
        }
        assert_eq!((buffer.len(), buffer.gone(), buffer.is_full()), (LINES, 7, true));
        assert_eq!(buffer.starting_at(0).next(), Some(&line("7")));
        assert_eq!(buffer.starting_at(10).next(), Some(&line("10")));
        assert_eq!(buffer.starting_at(3).next(), Some(&line("7")));
        assert_eq!(buffer.starting_at(u64::MAX).next(), None);
    }

    #[test]
    fn bounded_by_bytes() {
        let mut buffer = Buffer::default();
        let long = "x".repeat(1 << 20);
        for _ in 0..5 {
            buffer.push(line(&long));
        }
        assert_eq!((buffer.len(), buffer.gone()), (3, 2));
    }

    #[test]
    fn what_waited_comes_behind() {
        let (mut held, mut waiting) = (Buffer::default(), Buffer::default());
        held.push(line("a"));
        waiting.push(line("b"));
        held.take(&mut waiting);
        assert!(waiting.is_empty());
        assert_eq!(held.starting_at(0).collect::<Vec<_>>(), [&line("a"), &line("b")]);
        for number in 0..LINES + 3 {
            waiting.push(line(&number.to_string()));
        }
        held.take(&mut waiting);
        assert_eq!((held.len(), held.gone()), (LINES, 5));
        assert_eq!(held.starting_at(0).next(), Some(&line("3")));
    }
}
