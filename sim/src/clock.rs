//! Time, ids and chance, all from one number.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use berth_core::{
    clock::{Clock, Timestamp},
    id::IdSource,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use uuid::Uuid;

/// When every simulation begins: an arbitrary day.
const BEGINNING: Duration = Duration::from_secs(1_800_000_000);

pub(crate) fn beginning() -> SystemTime {
    UNIX_EPOCH + BEGINNING
}

/// The simulation's clock: inside a host its own time, between two steps that of the last one.
#[derive(Default)]
pub(crate) struct SimClock(AtomicI64);

impl SimClock {
    pub(crate) fn set(&self, since_epoch: Duration) {
        self.0.store(millis(since_epoch), Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp(turmoil::since_epoch().map_or_else(|| self.0.load(Ordering::SeqCst), millis))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A stream of chance of its own for everything that is decided, so that one part's choices do not shift another's.
pub(crate) struct Chance(Mutex<StdRng>);

impl Chance {
    pub(crate) fn new(seed: u64, of: &str) -> Self {
        let mixed = of.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(Mutex::new(StdRng::seed_from_u64(mixed)))
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&self, low: u64, high: u64) -> u64 {
        self.rng().random_range(low..=high)
    }

    pub(crate) fn millis(&self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }

    pub(crate) fn one_in(&self, n: u64) -> bool {
        self.between(1, n) == 1
    }

    pub(crate) fn fraction(&self) -> f64 {
        self.rng().random()
    }

    pub(crate) fn pick<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        let last = u64::try_from(of.len()).ok()?.checked_sub(1)?;
        of.get(usize::try_from(self.between(0, last)).ok()?)
    }

    pub(crate) fn uuid(&self) -> Uuid {
        Uuid::from_u128(self.rng().random())
    }

    fn rng(&self) -> std::sync::MutexGuard<'_, StdRng> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdSource for Chance {
    fn next(&self) -> Uuid {
        self.uuid()
    }
}
