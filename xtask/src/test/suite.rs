//! A suite, and what came of it.

use std::{fmt, ops::Add};

use anyhow::Result;

use super::Extent;
use crate::say;

pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) needs: Needs,
    pub(crate) run: fn(Extent) -> Result<Tally>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    /// An engine, a database, a browser.
    Servers,
    /// The demo that the suite `demo-up` starts.
    Demo,
    /// So much time that it is left to those who ask for it.
    Time,
}

impl Suite {
    /// The smallest extent that it belongs to.
    pub(crate) fn extent(&self) -> Extent {
        match self.needs {
            Needs::Nothing => Extent::Quick,
            Needs::Servers | Needs::Demo => Extent::Ordinary,
            Needs::Time => Extent::Full,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    pub(crate) fn passed() -> Self {
        Self { passed: 1, ..Self::default() }
    }

    pub(crate) fn failed() -> Self {
        Self { failed: 1, ..Self::default() }
    }

    /// One thing that holds or does not; says why not.
    pub(crate) fn of(outcome: Result<()>) -> Self {
        match outcome {
            Ok(()) => Self::passed(),
            Err(error) => {
                say::stopped(&error);
                Self::failed()
            }
        }
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line() {
        let sum = Tally::passed() + Tally::failed() + Tally { passed: 3, failed: 0, skipped: 2 };
        assert_eq!(sum.to_string(), "4 passed, 1 failed, 2 skipped");
    }
}
