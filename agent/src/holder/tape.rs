//! What a terminal has printed, who reads it, and whether more may come. Without I/O and without a clock: times are
//! counted from the terminal's start.
//!
//! # Guarantees
//! A reader gets every byte once and in order, or is told where it goes on. As long as somebody reads who keeps up, or at
//! least goes on reading, nothing is lost to the fastest of them.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;

/// Who has taken nothing for so long although there was something, is not there: a laptop that was closed.
pub(crate) const STALE: Duration = Duration::from_secs(20);

/// The last bytes, as many as fit. Grows with what is printed: most terminals print little.
#[derive(Debug)]
pub(crate) struct Ring {
    /// The byte with the number `n` is at `n % capacity`.
    bytes: Vec<u8>,
    capacity: usize,
    end: u64,
}

impl Ring {
    pub(crate) fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "a ring holds something");
        Self { bytes: Vec::new(), capacity, end: 0 }
    }

    /// The number of the first byte that is still here.
    pub(crate) fn oldest(&self) -> u64 {
        self.end - self.bytes.len() as u64
    }

    /// The number that the next byte will get.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        let skipped = bytes.len().saturating_sub(self.capacity);
        self.end += skipped as u64;
        let mut rest = &bytes[skipped..];
        while !rest.is_empty() {
            let at = self.index(self.end);
            // Not full yet: its end is the vector's.
            let growing = self.bytes.len() < self.capacity && at == self.bytes.len();
            let (now, later) = rest.split_at(rest.len().min(self.capacity - at));
            if growing {
                self.bytes.extend_from_slice(now);
            } else {
                // After a skip a ring that never was full may have a hole, which nobody can ask for.
                let needed = at + now.len();
                if self.bytes.len() < needed {
                    self.bytes.resize(needed, 0);
                }
                self.bytes[at..needed].copy_from_slice(now);
            }
            self.end += now.len() as u64;
            rest = later;
        }
        if skipped > 0 {
            // As much as fits was just written.
            self.bytes.resize(self.capacity, 0);
        }
    }

    /// At most so many bytes from there on, in one piece of memory.
    fn read(&self, from: u64, maximum: usize) -> Bytes {
        let length = usize::try_from(self.end - from).unwrap_or(usize::MAX).min(maximum);
        let at = self.index(from);
        let first = &self.bytes[at..self.bytes.len().min(at + length)];
        if first.len() == length {
            return Bytes::copy_from_slice(first);
        }
        Bytes::from([first, &self.bytes[..length - first.len()]].concat())
    }

    fn index(&self, number: u64) -> usize {
        usize::try_from(number % self.capacity as u64).expect("less than the capacity")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReaderId(u64);

#[derive(Debug)]
struct Reader {
    position: u64,
    /// Since when there is something that it does not take.
    waiting_since: Option<Duration>,
}

impl Reader {
    fn counts_until(&self) -> Option<Duration> {
        self.waiting_since.map(|since| since.saturating_add(STALE))
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) position: u64,
    pub(crate) gap: Gap,
    pub(crate) bytes: Bytes,
}

/// Between the last piece and this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    None,
    /// The reader was too slow.
    Skipped,
}

/// Whether more of the program's output may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Somebody waits for it.
    Watched,
    /// Nobody does: the ring turns.
    Unwatched,
    /// All who read are far behind; not before one of them reads, or then.
    Full { until: Duration },
}

#[derive(Debug)]
pub(crate) struct Tape {
    ring: Ring,
    readers: BTreeMap<ReaderId, Reader>,
    joined: u64,
}

impl Tape {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { ring: Ring::new(capacity), readers: BTreeMap::new(), joined: 0 }
    }

    pub(crate) fn printed(&self) -> u64 {
        self.ring.end()
    }

    pub(crate) fn readers(&self) -> usize {
        self.readers.len()
    }

    pub(crate) fn append(&mut self, bytes: &[u8], now: Duration) {
        self.ring.append(bytes);
        for reader in self.readers.values_mut() {
            reader.waiting_since.get_or_insert(now);
        }
    }

    /// Says where it begins: where it was asked to, or as near to that as there is something.
    pub(crate) fn join(&mut self, from: u64, now: Duration) -> (ReaderId, u64) {
        let position = from.clamp(self.ring.oldest(), self.ring.end());
        self.joined += 1;
        let id = ReaderId(self.joined);
        let waiting_since = (position < self.ring.end()).then_some(now);
        self.readers.insert(id, Reader { position, waiting_since });
        (id, position)
    }

    pub(crate) fn leave(&mut self, id: ReaderId) {
        self.readers.remove(&id);
    }

    /// `None`: there is nothing new.
    pub(crate) fn take(&mut self, id: ReaderId, maximum: usize, now: Duration) -> Option<Piece> {
        let reader = self.readers.get_mut(&id)?;
        let position = reader.position.max(self.ring.oldest());
        let bytes = self.ring.read(position, maximum);
        if bytes.is_empty() {
            return None;
        }
        let gap = if position == reader.position { Gap::None } else { Gap::Skipped };
        reader.position = position + bytes.len() as u64;
        reader.waiting_since = (reader.position < self.ring.end()).then_some(now);
        Some(Piece { position, gap, bytes })
    }

    pub(crate) fn flow(&self, now: Duration) -> Flow {
        let half = self.ring.capacity as u64 / 2;
        let counting = || {
            self.readers
                .values()
                .filter(|reader| reader.counts_until().is_none_or(|until| now < until))
        };
        if counting().next().is_none() {
            return Flow::Unwatched;
        }
        if counting().any(|reader| self.ring.end() - reader.position <= half) {
            return Flow::Watched;
        }
        // Who is behind waits since some time; the last of them to be given up decides.
        match counting().filter_map(Reader::counts_until).max() {
            Some(until) => Flow::Full { until },
            None => Flow::Watched,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn late_readers_get_what_is_left() {
        let mut tape = Tape::new(8);
        tape.append(b"0123456789", NOW);
        let (early, position) = tape.join(0, NOW);
        assert_eq!(position, 2);
        assert_eq!(tape.take(early, 100, NOW).unwrap().bytes, "23456789");
        assert_eq!(tape.take(early, 100, NOW), None);
        assert_eq!(tape.join(5, NOW).1, 5);
        // From another life of the terminal, or made up.
        assert_eq!(tape.join(1000, NOW).1, 10);
        tape.append(b"abcdefghij", NOW);
        let piece = tape.take(early, 3, NOW).unwrap();
        assert_eq!((piece.position, piece.gap, &*piece.bytes), (12, Gap::Skipped, &b"cde"[..]));
        let piece = tape.take(early, 100, NOW).unwrap();
        assert_eq!((piece.position, piece.gap, &*piece.bytes), (15, Gap::None, &b"fghij"[..]));
    }

    #[test]
    fn a_ring_takes_memory_as_it_fills() {
        let mut ring = Ring::new(1 << 20);
        assert_eq!(ring.bytes.capacity(), 0);
        ring.append(b"prompt$ ");
        assert!(ring.bytes.capacity() < 100);
    }

    #[test]
    fn nobody_attached_stops_nothing() {
        let mut tape = Tape::new(8);
        for _ in 0..100 {
            assert_eq!(tape.flow(NOW), Flow::Unwatched);
            tape.append(b"y\n", NOW);
        }
        let (id, _) = tape.join(u64::MAX, NOW);
        assert_eq!(tape.flow(NOW), Flow::Watched);
        tape.leave(id);
        assert_eq!(tape.flow(NOW), Flow::Unwatched);
    }

    #[test]
    fn all_must_be_far_behind() {
        let mut tape = Tape::new(8);
        let (slow, _) = tape.join(0, NOW);
        let (quick, _) = tape.join(0, NOW);
        tape.append(b"12345", at(1));
        assert_eq!(tape.flow(at(1)), Flow::Full { until: at(21) });
        tape.take(quick, 2, at(2));
        assert_eq!(tape.flow(at(2)), Flow::Watched);
        tape.take(slow, 100, at(3));
        tape.append(b"678", at(4));
        assert_eq!(tape.flow(at(4)), Flow::Watched);
    }

    #[test]
    fn a_closed_laptop_freezes_nothing() {
        let mut tape = Tape::new(8);
        let (laptop, _) = tape.join(0, NOW);
        tape.append(b"123456", at(100));
        assert_eq!(tape.flow(at(119)), Flow::Full { until: at(120) });
        assert_eq!(tape.flow(at(120)), Flow::Unwatched);
        tape.append(b"789abcdef", at(121));
        assert_eq!(tape.flow(at(121)), Flow::Unwatched);
        // Opened again.
        assert_eq!(tape.take(laptop, 4, at(200)).unwrap().gap, Gap::Skipped);
        assert_eq!(tape.flow(at(200)), Flow::Watched);
        // Somebody who looks at a quiet terminal for an hour counts at once when it speaks.
        tape.take(laptop, 100, at(201));
        tape.append(b"0123456", at(4000));
        assert_eq!(tape.flow(at(4001)), Flow::Full { until: at(4020) });
    }

    #[derive(Debug, Clone)]
    enum Step {
        Append(usize),
        Join(u64),
        Take { reader: usize, maximum: usize },
        Leave(usize),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0usize..50).prop_map(Step::Append),
            1 => (0u64..200).prop_map(Step::Join),
            4 => (0usize..4, 1usize..40).prop_map(|(reader, maximum)| Step::Take { reader, maximum }),
            1 => (0usize..4).prop_map(Step::Leave),
            1 => (0u64..30).prop_map(Step::Wait),
        ]
    }

    /// Bytes that differ from their neighbours, also a ring's length away.
    fn byte(number: usize) -> u8 {
        u8::try_from((number * 31 + number / 7) % 251).unwrap()
    }

    proptest! {
        #[test]
        fn every_byte_once_and_in_order_or_a_gap_is_told(
            capacity in 1usize..40, steps in prop::collection::vec(step(), 0..80),
        ) {
            let mut tape = Tape::new(capacity);
            let mut model: Vec<u8> = Vec::new();
            let mut readers: Vec<(ReaderId, u64)> = Vec::new();
            let mut now = Duration::ZERO;
            let check = |tape: &mut Tape, model: &[u8], reader: &mut (ReaderId, u64), maximum, now| {
                let oldest = model.len().saturating_sub(capacity) as u64;
                let expected = reader.1.max(oldest);
                match tape.take(reader.0, maximum, now) {
                    None => assert_eq!(reader.1, model.len() as u64),
                    Some(piece) => {
                        assert_eq!(piece.position, expected);
                        assert_eq!(piece.gap == Gap::Skipped, reader.1 < oldest);
                        assert!(!piece.bytes.is_empty() && piece.bytes.len() <= maximum);
                        let from = usize::try_from(piece.position).unwrap();
                        assert_eq!(&piece.bytes[..], &model[from..from + piece.bytes.len()]);
                        reader.1 = piece.position + piece.bytes.len() as u64;
                    }
                }
            };
            for step in steps {
                match step {
                    Step::Append(count) => {
                        let bytes: Vec<u8> = (model.len()..model.len() + count).map(byte).collect();
                        model.extend(&bytes);
                        tape.append(&bytes, now);
                    }
                    Step::Join(from) => {
                        let (id, position) = tape.join(from, now);
                        let oldest = model.len().saturating_sub(capacity) as u64;
                        prop_assert_eq!(position, from.clamp(oldest, model.len() as u64));
                        readers.push((id, position));
                    }
                    Step::Take { reader, maximum } => {
                        if let Some(reader) = readers.get_mut(reader) {
                            check(&mut tape, &model, reader, maximum, now);
                        }
                    }
                    Step::Leave(reader) if reader < readers.len() => {
                        tape.leave(readers.remove(reader).0);
                    }
                    Step::Leave(_) => {}
                    Step::Wait(seconds) => now += at(seconds),
                }
                prop_assert_eq!(tape.printed(), model.len() as u64);
                prop_assert_eq!(tape.readers(), readers.len());
                if let Flow::Full { until } = tape.flow(now) {
                    prop_assert!(now < until && until <= now + STALE);
                }
            }
            for reader in &mut readers {
                while reader.1 < model.len() as u64 {
                    check(&mut tape, &model, reader, 7, now);
                }
                prop_assert_eq!(tape.take(reader.0, 7, now), None);
            }
        }

        /// The program is read only while it may be, half a ring at a time: who goes on reading misses nothing, however
        /// slowly.
        #[test]
        fn who_goes_on_reading_misses_nothing(
            takes in prop::collection::vec((1usize..60, 0u64..19, 0usize..20), 1..80),
        ) {
            let mut tape = Tape::new(64);
            let (id, _) = tape.join(0, Duration::ZERO);
            let mut now = Duration::ZERO;
            for (maximum, seconds, appends) in takes {
                now += at(seconds);
                for _ in 0..appends {
                    match tape.flow(now) {
                        Flow::Watched => tape.append(&[0; 32], now),
                        Flow::Full { .. } => break,
                        Flow::Unwatched => prop_assert!(false, "a reader who reads was not counted"),
                    }
                }
                if let Some(piece) = tape.take(id, maximum, now) {
                    prop_assert_eq!(piece.gap, Gap::None);
                }
            }
        }
    }
}
