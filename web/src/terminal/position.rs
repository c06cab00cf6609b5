//! Which bytes of a terminal are on the screen: counted from the terminal's start, so that a line that comes back goes on
//! where the last one broke off, nothing twice and nothing left out.

/// Whether what follows is what came next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    No,
    /// Bytes have left the ring before they were read.
    Yes,
}

#[derive(Debug, Default)]
pub(super) struct Position {
    /// The first byte that the screen does not have.
    next: u64,
    /// The first byte that the line has not brought.
    line: u64,
    /// Nothing has been on the screen so far: where it begins, is its beginning.
    begun: bool,
}

impl Position {
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// A line is open; `from` is the number of its first byte.
    pub(super) fn opened(&mut self, from: u64) -> Gap {
        let gap = if self.begun { self.jumped(from) } else { Gap::No };
        self.begun = true;
        self.line = from;
        self.next = self.next.max(from);
        gap
    }

    /// The part of `data` that is not on the screen yet.
    pub(super) fn data<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let end = self.line.saturating_add(data.len() as u64);
        let fresh = usize::try_from(end.saturating_sub(self.next)).unwrap_or(usize::MAX);
        self.line = end;
        self.next = self.next.max(end);
        &data[data.len().saturating_sub(fresh)..]
    }

    /// The line goes on at `next`.
    pub(super) fn skipped(&mut self, next: u64) -> Gap {
        let gap = self.jumped(next);
        self.line = next;
        self.next = self.next.max(next);
        gap
    }

    fn jumped(&self, to: u64) -> Gap {
        if to > self.next { Gap::Yes } else { Gap::No }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_comes_back_goes_on() {
        let mut position = Position::default();
        assert_eq!(position.opened(1000), Gap::No);
        assert_eq!(position.data(b"hello"), b"hello");
        assert_eq!(position.next(), 1005);
        assert_eq!(position.opened(1005), Gap::No);
        assert_eq!(position.data(b" world"), b" world");
        assert_eq!(position.next(), 1011);
    }

    #[test]
    fn nothing_twice() {
        let mut position = Position::default();
        position.opened(0);
        position.data(b"abcdef");
        // Asked for 6, but it begins further back.
        assert_eq!(position.opened(3), Gap::No);
        assert_eq!(position.data(b"de"), b"");
        assert_eq!(position.data(b"fgh"), b"gh");
        assert_eq!(position.data(b"i"), b"i");
        assert_eq!(position.next(), 9);
    }

    #[test]
    fn what_left_the_ring_is_told() {
        let mut position = Position::default();
        position.opened(0);
        position.data(b"abc");
        assert_eq!(position.skipped(500), Gap::Yes);
        assert_eq!(position.data(b"x"), b"x");
        assert_eq!(position.opened(900), Gap::Yes);
        assert_eq!(position.next(), 900);
        assert_eq!(position.skipped(900), Gap::No);
    }
}
