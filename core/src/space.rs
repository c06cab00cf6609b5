//! How much room homes, volumes and containers' own layers take: what blades measured, and what a site allows.

use crate::id::{ContainerId, StoreId, VolumeId};

/// What takes room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Taker {
    /// By the account's uid, on this store.
    Home(StoreId, u32),
    Volume(VolumeId),
    /// What a container wrote outside of the home and of volumes.
    Layer(ContainerId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub taker: Taker,
    pub bytes: u64,
}

/// What a site allows of each; `None` is without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpaceLimits {
    pub home: Option<u64>,
    pub volume: Option<u64>,
    pub layer: Option<u64>,
}

/// How things stand with a limit that is only looked at from time to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fill {
    Fine,
    /// Nine tenths are used: it is said.
    NearlyFull,
    /// Nothing is started; what runs goes on, for now.
    Over,
    /// More than a tenth too much: what writes there is stopped.
    FarOver,
}

impl SpaceLimits {
    pub fn of(&self, taker: Taker) -> Option<u64> {
        match taker {
            Taker::Home(..) => self.home,
            Taker::Volume(_) => self.volume,
            Taker::Layer(_) => self.layer,
        }
    }

    pub fn fill(&self, taker: Taker, bytes: u64) -> Fill {
        let Some(limit) = self.of(taker) else { return Fill::Fine };
        match bytes {
            over if over > limit.saturating_add(limit / 10) => Fill::FarOver,
            over if over > limit => Fill::Over,
            most if most > limit - limit / 10 => Fill::NearlyFull,
            _ => Fill::Fine,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const TAKER: Taker = Taker::Layer(ContainerId::new(Uuid::nil()));

    #[test]
    fn the_steps() {
        let limits = SpaceLimits { layer: Some(1000), ..SpaceLimits::default() };
        for (bytes, fill) in [
            (0, Fill::Fine),
            (900, Fill::Fine),
            (901, Fill::NearlyFull),
            (1000, Fill::NearlyFull),
            (1001, Fill::Over),
            (1100, Fill::Over),
            (1101, Fill::FarOver),
            (u64::MAX, Fill::FarOver),
        ] {
            assert_eq!(limits.fill(TAKER, bytes), fill, "{bytes}");
        }
        assert_eq!(SpaceLimits::default().fill(TAKER, u64::MAX), Fill::Fine);
    }

    proptest! {
        #[test]
        fn more_is_never_better(limit in any::<u64>(), a in any::<u64>(), b in any::<u64>()) {
            let limits = SpaceLimits { layer: Some(limit), ..SpaceLimits::default() };
            prop_assert!(limits.fill(TAKER, a.min(b)) <= limits.fill(TAKER, a.max(b)));
        }
    }
}
