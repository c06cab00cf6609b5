//! When to skip: a program that prints faster than its lines are taken would be shown ever later.

/// Milliseconds that what is shown may lie behind,
const BEHIND: f64 = 4_000.0;
/// and for so long, before what is between is skipped. A line that came back needs a moment to catch up.
const PATIENCE: f64 = 4_000.0;
/// Each time it is twice as long, for a blade reads its log from the beginning to find the place.
const PATIENCE_MOST: f64 = 16_000.0;

/// Bytes that are taken in one go.
const BURST: usize = 512 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Go,
    /// The page has something else to do as well.
    Rest,
    Skip,
}

#[derive(Debug)]
pub(crate) struct Pace {
    /// The least that a line was ever old when it came: the clocks of browser and blade differ.
    least: f64,
    behind_since: Option<f64>,
    patience: f64,
    taken: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { least: f64::MAX, behind_since: None, patience: PATIENCE, taken: 0 }
    }
}

impl Pace {
    /// So many bytes have come at `now`, the last of them printed at `printed`; milliseconds since 1970.
    pub(crate) fn took(&mut self, bytes: usize, printed: f64, now: f64) -> Step {
        let age = now - printed;
        self.least = self.least.min(age);
        if age - self.least <= BEHIND {
            self.behind_since = None;
        } else if now - *self.behind_since.get_or_insert(now) > self.patience {
            self.behind_since = None;
            self.patience = (2.0 * self.patience).min(PATIENCE_MOST);
            return Step::Skip;
        }
        self.taken += bytes;
        if self.taken < BURST {
            return Step::Go;
        }
        self.taken = 0;
        Step::Rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_lines_are_not_late() {
        let mut pace = Pace::default();
        // A day old, then younger and younger, by a clock that is a minute off.
        for second in 0..86_400 {
            let printed = f64::from(second) * 1000.0 - 60_000.0;
            assert_eq!(pace.took(0, printed, 86_400_000.0 + f64::from(second)), Step::Go);
        }
    }

    #[test]
    fn a_flood_is_skipped() {
        let mut pace = Pace::default();
        // A third of what is printed is taken.
        let steps: Vec<Step> =
            (0..300).map(|n| pace.took(1, f64::from(n) * 33.0, f64::from(n) * 100.0)).collect();
        let skip = steps.iter().position(|step| *step == Step::Skip);
        assert!(skip.is_some_and(|at| (90..140).contains(&at)), "{skip:?}");
        // The next time only after twice as long.
        assert_eq!(steps.iter().filter(|step| **step == Step::Skip).count(), 2, "{steps:?}");
    }

    #[test]
    fn a_moment_to_catch_up_is_not() {
        let mut pace = Pace::default();
        assert_eq!(pace.took(1, 0.0, 0.0), Step::Go);
        // Twelve seconds away, then everything within one.
        for n in 0..=100 {
            assert_eq!(
                pace.took(1, f64::from(n) * 120.0, 12_000.0 + f64::from(n) * 10.0),
                Step::Go
            );
        }
    }

    #[test]
    fn rests_now_and_then() {
        let mut pace = Pace::default();
        let steps = (0..6).map(|_| pace.took(BURST / 2, 0.0, 0.0)).filter(|s| *s == Step::Rest);
        assert_eq!(steps.count(), 3);
    }
}
