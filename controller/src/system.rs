//! The real clock and real ids: the one place that the rest of the controller takes them from.

use std::time::{SystemTime, UNIX_EPOCH};

use berth_core::{
    clock::{Clock, Timestamp},
    id::IdSource,
};
use uuid::Uuid;

pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // Before 1970 only a broken clock is, and then every lease has yet to begin.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

pub struct SystemIds;

impl IdSource for SystemIds {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the IdSource that everybody else is to take"
    )]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}
