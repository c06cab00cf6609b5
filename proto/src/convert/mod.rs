//! Between the wire and the domain. Pure: whatever a message needs beyond its row is handed in.

pub mod agent;
pub mod auth;
pub mod container;
pub mod definition;
mod files;
pub mod node;
pub mod relay;
mod storage;
pub mod usage;

use std::time::Duration;

use berth_core::clock::Timestamp;

pub fn timestamp(moment: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(moment.0.rem_euclid(1000) * 1_000_000)
        .expect("less than a thousand milliseconds");
    prost_types::Timestamp { seconds: moment.0.div_euclid(1000), nanos }
}

pub fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).expect("less than a thousand million"),
    }
}

/// Whole seconds. A duration that says two things at once (a negative part, or nanoseconds out of range) is negative, so
/// that the field's check refuses it.
pub fn seconds(duration: &prost_types::Duration) -> i64 {
    match duration.nanos {
        0..=999_999_999 => duration.seconds,
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_before_and_after_the_epoch() {
        let wire = |milliseconds| timestamp(Timestamp(milliseconds));
        assert_eq!(wire(1500), prost_types::Timestamp { seconds: 1, nanos: 500_000_000 });
        assert_eq!(wire(-1), prost_types::Timestamp { seconds: -1, nanos: 999_000_000 });
    }

    #[test]
    fn contradictory_durations_are_negative() {
        let wire = |seconds, nanos| prost_types::Duration { seconds, nanos };
        assert_eq!(seconds(&wire(60, 999_999_999)), 60);
        assert_eq!(seconds(&wire(60, -1)), -1);
        assert_eq!(seconds(&wire(60, i32::MAX)), -1);
        assert_eq!(seconds(&duration(Duration::from_millis(1500))), 1);
    }
}
