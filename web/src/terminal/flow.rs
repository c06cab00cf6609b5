//! How far the screen is behind: what has been given to it and not been drawn yet stays in memory.

/// A line that can wait is not read while more than this is not drawn.
const PULL: usize = 512 << 10;
/// A line that cannot wait is closed when more than this is not drawn. A ring of ordinary size fits.
const PUSH: usize = 2 << 20;
/// A closed one is opened again when no more than this is left.
const LOW: usize = 64 << 10;

#[derive(Debug, Default)]
pub(super) struct Flow {
    behind: usize,
}

impl Flow {
    pub(super) fn written(&mut self, bytes: usize) {
        self.behind = self.behind.saturating_add(bytes);
    }

    pub(super) fn drawn(&mut self, bytes: usize) {
        self.behind = self.behind.saturating_sub(bytes);
    }

    pub(super) fn may_read(&self) -> bool {
        self.behind <= PULL
    }

    pub(super) fn must_close(&self) -> bool {
        self.behind > PUSH
    }

    pub(super) fn has_settled(&self) -> bool {
        self.behind <= LOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        let mut flow = Flow::default();
        assert!(flow.may_read() && !flow.must_close() && flow.has_settled());
        flow.written(PULL);
        assert!(flow.may_read() && !flow.has_settled());
        flow.written(1);
        assert!(!flow.may_read() && !flow.must_close());
        flow.written(PUSH);
        assert!(flow.must_close());
        flow.drawn(PUSH + 1);
        assert!(flow.may_read() && !flow.must_close());
        flow.drawn(PULL);
        assert!(flow.has_settled());
    }
}
