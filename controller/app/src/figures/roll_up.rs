//! Writes history, stretch after stretch, and forgets what is too old.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use berth_core::{
    clock::{Clock, Timestamp},
    figures::{RollUp, Subject, Width, fold},
};

use super::{Figures, SILENT};
use crate::{
    ports::{History, StoreError},
    writer::chain,
};

/// A stretch is written within so long after its end.
const LOOK: Duration = Duration::from_secs(5);
/// Rows at once: a few milliseconds in which the database is not free for a creation.
const BATCH: usize = 250;
const FINE: Width = Width::FiveMinutes;

/// For ever. A store that does not answer is asked again: the rings hold an hour.
pub async fn keep(figures: Figures, history: Arc<dyn History>, clock: Arc<dyn Clock>) {
    let mut due = FINE.begin(clock.now());
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = clock.now();
        due = within_reach(due, now);
        while FINE.next(due) <= now {
            if let Err(error) = write(&figures, history.as_ref(), due, now).await {
                tracing::warn!(error = %chain(&error), "figures were not written");
                break;
            }
            due = FINE.next(due);
        }
    }
}

/// The next stretch to be written: after a clock was put back the one that is now, and never one that no ring reaches.
fn within_reach(due: Timestamp, now: Timestamp) -> Timestamp {
    let oldest = Timestamp(now.0.saturating_sub(i64::try_from(SILENT.as_millis()).unwrap_or(0)));
    due.min(FINE.begin(now)).max(FINE.begin(oldest))
}

/// Everything that one stretch leads to. Done again, it does the same again.
pub(super) async fn write(
    figures: &Figures,
    history: &dyn History,
    begin: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = figures.roll_up_all(FINE, begin);
    put(history, FINE, &rows).await?;
    // The hour anew from all of its stretches: so it is whole also when this process did not see its beginning.
    let hour = Width::Hour.begin(begin);
    let parts = history.read_all(FINE, hour, Width::Hour.next(hour)).await?;
    put(history, Width::Hour, &folded(hour, parts)).await?;
    for width in Width::ALL {
        let kept = i64::try_from(width.kept().as_millis()).unwrap_or(i64::MAX);
        history.forget(width, Timestamp(now.0.saturating_sub(kept))).await?;
    }
    figures.forget_silent(now);
    tracing::debug!(rows = rows.len(), "figures written");
    Ok(())
}

fn folded(hour: Timestamp, parts: Vec<(Subject, RollUp)>) -> Vec<(Subject, RollUp)> {
    let mut of: BTreeMap<Subject, Vec<RollUp>> = BTreeMap::new();
    for (subject, part) in parts {
        of.entry(subject).or_default().push(part);
    }
    of.into_iter().filter_map(|(subject, parts)| Some((subject, fold(hour, &parts)?))).collect()
}

async fn put(
    history: &dyn History,
    width: Width,
    rows: &[(Subject, RollUp)],
) -> Result<(), StoreError> {
    for batch in rows.chunks(BATCH) {
        history.record(width, batch).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_jump() {
        let minute = |minutes: i64| Timestamp(minutes * 60_000);
        assert_eq!(within_reach(minute(60), minute(63)), minute(60));
        assert_eq!(within_reach(minute(60), minute(66)), minute(60));
        assert_eq!(within_reach(minute(60), minute(12)), minute(10));
        assert_eq!(within_reach(minute(60), minute(100_001)), minute(99_940));
    }
}
