//! Which kind of line to take, when to come back, and when not to.

use crate::api::Code;

/// The WebSocket is quicker; where something in between refuses it, the pair of calls does as well. The pair is also the
/// one that waits when the screen cannot follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Socket,
    Pair,
}

/// What to do about a line that is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Come back after so many milliseconds, before jitter.
    After(u32),
    Stop,
}

const BACKOFF_FIRST: u32 = 250;
const BACKOFF_MAXIMUM: u32 = 15_000;
/// How long a pair serves before a socket is tried again.
const CALM: u32 = 5_000;
const BLOCKED_FIRST: u32 = 60_000;
const BLOCKED_MAXIMUM: u32 = 3_600_000;

#[derive(Debug)]
pub(super) struct Plan {
    kind: Kind,
    /// Since a line was open for the last time.
    failures: u32,
    /// How long to keep to the pair.
    keep: u32,
    /// Socket and pair are tried in turn, until one of them opens.
    socket_refused: bool,
    blocked_for: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            kind: Kind::Socket,
            failures: 0,
            keep: CALM,
            socket_refused: false,
            blocked_for: BLOCKED_FIRST,
        }
    }
}

impl Plan {
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// How long a quiet pair stays one, in milliseconds.
    pub(super) fn keep(&self) -> u32 {
        self.keep
    }

    /// Whether a person should be told: the first attempt to come back nearly always succeeds.
    pub(super) fn is_trouble(&self) -> bool {
        self.failures > 1
    }

    pub(super) fn opened(&mut self) {
        self.failures = 0;
        match self.kind {
            Kind::Socket => {
                self.socket_refused = false;
                self.blocked_for = BLOCKED_FIRST;
                self.keep = CALM;
            }
            // The socket failed and this does not: it is blocked somewhere, or the network blinked.
            Kind::Pair if self.socket_refused => {
                self.socket_refused = false;
                self.keep = self.blocked_for;
                self.blocked_for = self.blocked_for.saturating_mul(2).min(BLOCKED_MAXIMUM);
            }
            Kind::Pair => {}
        }
    }

    /// The screen cannot follow a line that does not wait.
    pub(super) fn overrun(&mut self) {
        self.kind = Kind::Pair;
        self.keep = CALM;
    }

    /// The pair has been quiet for long enough.
    pub(super) fn calm(&mut self) {
        self.kind = Kind::Socket;
    }

    /// `code` is what the controller said, if it said anything. `opened` is whether the line was open before.
    pub(super) fn broke(&mut self, code: Option<Code>, opened: bool) -> Next {
        if code.is_some_and(is_final) {
            return Next::Stop;
        }
        if self.kind == Kind::Socket && !opened && code.is_none() {
            self.kind = Kind::Pair;
            self.socket_refused = true;
            return Next::After(0);
        }
        if self.kind == Kind::Pair && self.socket_refused {
            self.kind = Kind::Socket;
            self.socket_refused = false;
        }
        self.failures = self.failures.saturating_add(1);
        let doubled = BACKOFF_FIRST.saturating_mul(1 << (self.failures - 1).min(8));
        Next::After(doubled.min(BACKOFF_MAXIMUM))
    }
}

/// Trying again would say the same.
fn is_final(code: Code) -> bool {
    match code {
        Code::Unauthenticated
        | Code::PermissionDenied
        | Code::NotFound
        | Code::InvalidArgument
        | Code::OutOfRange
        | Code::FailedPrecondition
        | Code::ResourceExhausted
        | Code::Unimplemented
        | Code::AlreadyExists => true,
        Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_ever_later_and_tells_from_the_second_time_on() {
        let mut plan = Plan::default();
        plan.opened();
        let mut waits = Vec::new();
        for _ in 0..9 {
            let Next::After(wait) = plan.broke(Some(Code::Unavailable), true) else { panic!() };
            waits.push(wait);
            assert_eq!(plan.is_trouble(), waits.len() > 1);
        }
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
        plan.opened();
        assert!(!plan.is_trouble());
        assert_eq!(plan.broke(None, true), Next::After(250));
    }

    #[test]
    fn a_blocked_socket_gives_way_to_the_pair() {
        let mut plan = Plan::default();
        assert_eq!(plan.broke(None, false), Next::After(0));
        assert_eq!(plan.kind(), Kind::Pair);
        plan.opened();
        assert_eq!(plan.keep(), 60_000);
        // Tried again later, and blocked again: less and less often.
        plan.calm();
        assert_eq!(plan.kind(), Kind::Socket);
        assert_eq!(plan.broke(None, false), Next::After(0));
        plan.opened();
        assert_eq!(plan.keep(), 120_000);
        plan.calm();
        plan.opened();
        assert_eq!(plan.keep(), 5_000);
    }

    #[test]
    fn without_a_network_both_are_tried() {
        let mut plan = Plan::default();
        assert_eq!(plan.broke(None, false), Next::After(0));
        assert_eq!(plan.broke(None, false), Next::After(250));
        assert_eq!(plan.kind(), Kind::Socket);
        assert_eq!(plan.broke(None, false), Next::After(0));
        assert_eq!(plan.broke(None, false), Next::After(500));
    }

    #[test]
    fn what_the_controller_refuses_is_not_asked_again() {
        for code in [Code::NotFound, Code::FailedPrecondition, Code::Unauthenticated] {
            assert_eq!(Plan::default().broke(Some(code), false), Next::Stop);
        }
        assert_eq!(Plan::default().broke(Some(Code::ResourceExhausted), false), Next::Stop);
    }

    #[test]
    fn a_flood_is_read_by_the_pair_until_it_is_over() {
        let mut plan = Plan::default();
        plan.opened();
        plan.overrun();
        assert_eq!(plan.kind(), Kind::Pair);
        plan.opened();
        assert_eq!(plan.keep(), 5_000);
        assert_eq!(plan.broke(None, true), Next::After(250));
        assert_eq!(plan.kind(), Kind::Pair);
        plan.calm();
        assert_eq!(plan.kind(), Kind::Socket);
    }
}
