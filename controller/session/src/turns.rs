//! Whether two agents take turns with one identity, as when a blade's disk was cloned.
//!
//! An agent that starts again has a new instance id, and its old one never returns. One that returns, after another had
//! its place, is alive beside that other.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// So many returns within [`WINDOW`] are no accident of a slow network.
const RETURNS: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);
/// Instance ids come from the wire.
const INSTANCE_MAXIMUM: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    Ordinary,
    /// Two agents have had the place in turns, again and again.
    InTurns,
}

#[derive(Debug, Default)]
pub(crate) struct Turns {
    present: String,
    /// Who had the place before, and until when.
    earlier: VecDeque<(String, Instant)>,
    returns: VecDeque<Instant>,
}

impl Turns {
    pub(crate) fn enter(&mut self, instance: &str, now: Instant) -> Entrance {
        let instance: String = instance.chars().take(INSTANCE_MAXIMUM).collect();
        let recent = |since: &Instant| now.saturating_duration_since(*since) <= WINDOW;
        self.earlier.retain(|(_, until)| recent(until));
        self.returns.retain(recent);
        if instance != self.present {
            if self.earlier.iter().any(|(earlier, _)| *earlier == instance) {
                self.returns.push_back(now);
            }
            let before = std::mem::replace(&mut self.present, instance);
            self.earlier.retain(|(earlier, _)| *earlier != before);
            self.earlier.push_back((before, now));
        }
        if self.returns.len() > RETURNS { Entrance::InTurns } else { Entrance::Ordinary }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(turns: &mut Turns, begun: Instant, seconds: u64, instance: &str) -> Entrance {
        turns.enter(instance, begun + Duration::from_secs(seconds))
    }

    #[test]
    fn two_that_take_turns_are_found() {
        let (mut turns, begun) = (Turns::default(), Instant::now());
        let order = ["a", "b", "a", "b", "a", "b"];
        let found: Vec<_> =
            (0..).zip(order).map(|(at, who)| enter(&mut turns, begun, at * 4, who)).collect();
        assert_eq!(found[4], Entrance::Ordinary);
        assert_eq!(found[5], Entrance::InTurns);
        // It goes on no longer.
        assert_eq!(enter(&mut turns, begun, 200, "b"), Entrance::Ordinary);
    }

    #[test]
    fn one_that_starts_again_and_again_or_reconnects_is_one() {
        let (mut turns, begun) = (Turns::default(), Instant::now());
        for at in 0..30 {
            let instance = format!("start-{}", at / 2);
            assert_eq!(enter(&mut turns, begun, at, &instance), Entrance::Ordinary);
        }
    }

    #[test]
    fn slow_turns_are_none() {
        let (mut turns, begun) = (Turns::default(), Instant::now());
        for at in 0..20 {
            let who = if at % 2 == 0 { "a" } else { "b" };
            assert_eq!(enter(&mut turns, begun, at * 61, who), Entrance::Ordinary);
        }
    }
}
