//! What only rises, until something begins anew.

use std::time::Duration;

use berth_core::figures::Traffic;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counters {
    pub(crate) cpu_nanos: u64,
    /// Bytes.
    pub(crate) network: Traffic,
    pub(crate) disk: Traffic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rates {
    pub(crate) cpu_millis: u32,
    /// Bytes per second.
    pub(crate) network: Traffic,
    pub(crate) disk: Traffic,
}

/// A counter that went back began anew in between: how much was used is not known, and it is none.
pub(crate) fn rates(before: &Counters, now: &Counters, elapsed: Duration) -> Rates {
    let risen = |before: u64, now: u64| u128::from(now.saturating_sub(before));
    let nanos = elapsed.as_nanos();
    let per_second = |before: u64, now: u64| {
        let rate = (risen(before, now) * 1_000_000_000).checked_div(nanos).unwrap_or(0);
        u64::try_from(rate).unwrap_or(u64::MAX)
    };
    let traffic = |before: Traffic, now: Traffic| Traffic {
        r#in: per_second(before.r#in, now.r#in),
        out: per_second(before.out, now.out),
    };
    let cpu = (risen(before.cpu_nanos, now.cpu_nanos) * 1000).checked_div(nanos).unwrap_or(0);
    Rates {
        cpu_millis: u32::try_from(cpu).unwrap_or(u32::MAX),
        network: traffic(before.network, now.network),
        disk: traffic(before.disk, now.disk),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(cpu_nanos: u64, bytes: u64) -> Counters {
        let traffic = Traffic { r#in: bytes, out: bytes };
        Counters { cpu_nanos, network: traffic, disk: traffic }
    }

    #[test]
    fn per_second() {
        let rates = rates(&of(0, 100), &of(7_500_000_000, 1100), Duration::from_secs(5));
        assert_eq!(rates.cpu_millis, 1500);
        assert_eq!((rates.network.r#in, rates.disk.out), (200, 200));
    }

    #[test]
    fn no_time_is_no_rate() {
        assert_eq!(rates(&of(0, 0), &of(5, 5), Duration::ZERO), Rates::default());
    }

    proptest! {
        /// Whatever a counter does, a rate is what was counted over the time, and nothing where it went back.
        #[test]
        fn counters_that_go_back(
            before in any::<(u64, u64)>(),
            now in any::<(u64, u64)>(),
            millis in 1_u64..1 << 40,
        ) {
            let elapsed = Duration::from_millis(millis);
            let rates = rates(&of(before.0, before.1), &of(now.0, now.1), elapsed);
            if now.0 <= before.0 {
                prop_assert_eq!(rates.cpu_millis, 0);
            }
            let bytes = now.1.saturating_sub(before.1);
            let most = u128::from(bytes) * 1000 / u128::from(millis);
            for rate in [rates.network.r#in, rates.network.out, rates.disk.r#in, rates.disk.out] {
                prop_assert_eq!(u128::from(rate), most.min(u128::from(u64::MAX)));
            }
        }
    }
}
