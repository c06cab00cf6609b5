//! What containers and blades use: the last hour in memory, older times rolled up in a table of their own.
//!
//! # Flow
//! Blades say every five seconds what they saw; that goes into a ring per subject. Every five minutes [`keep`] writes the
//! rows of the last stretch, in a table beside the state: the writer and its revisions know nothing of it.
//!
//! # Caveats
//! A controller that ends takes the last hour's single looks and at most five minutes of history with it.

mod ring;
mod roll_up;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use berth_core::{
    clock::Timestamp,
    figures::{Figures as Look, PERIOD, Report, RollUp, Storage, Subject, Width},
    id::NodeId,
    space::Taker,
};

use self::ring::Ring;
pub use self::roll_up::keep;
use crate::{
    ports::{History, StoreError},
    state::State,
};

/// Two lost looks are a slow network; more, and what was seen last is no longer how it is.
const FRESH: Duration = Duration::from_secs(3 * PERIOD.as_secs());
/// A blade that says more is not listened to in between: its rings would hold less than an hour.
const LEAST: Duration = Duration::from_millis(2500);
/// What is silent for as long as its ring reaches back is forgotten.
const SILENT: Duration = Duration::from_secs(3600);

/// Cheap to clone; all clones share what they hold.
#[derive(Clone, Default)]
pub struct Figures(Arc<Mutex<Rings>>);

#[derive(Default)]
struct Rings {
    of: HashMap<Subject, Ring>,
    blades: HashMap<NodeId, Blade>,
    space: HashMap<Taker, (Timestamp, u64)>,
    /// Those that were counted because somebody asked.
    asked: HashMap<Taker, Timestamp>,
}

#[derive(Clone, Copy)]
struct Blade {
    heard: Timestamp,
    storage: Storage,
}

/// A history as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Series {
    Looks(Vec<(Timestamp, Look)>),
    RolledUp(Width, Vec<RollUp>),
}

impl Figures {
    /// What a blade says of itself and of the containers that are its: of others it has nothing to say. By the controller's
    /// clock: blades' may be wrong.
    pub fn record(&self, state: &State, node: NodeId, report: &Report, now: Timestamp) {
        let mut rings = self.lock();
        let blade = Blade { heard: now, storage: report.blade.storage };
        if let Some(before) = rings.blades.insert(node, blade)
            && before.heard <= now
            && now.since(before.heard) < LEAST
        {
            rings.blades.insert(node, before);
            return;
        }
        for space in &report.space {
            let asked = rings.asked.get(&space.taker);
            // What was on its way when somebody asked is older than the answer.
            let is_older = asked.is_some_and(|asked| now.since(*asked) < FRESH);
            if !is_older && may_tell(state, node, space.taker) {
                rings.space.insert(space.taker, (now, space.bytes));
            }
        }
        rings.push(Subject::Node(node), now, &report.blade.figures);
        for (id, figures) in &report.containers {
            let is_there = state
                .containers
                .get(id)
                .and_then(|container| container.placement.as_ref())
                .is_some_and(|placement| placement.node == node);
            if is_there {
                rings.push(Subject::Container(*id), now, figures);
            }
        }
    }

    /// As it is now; `None` when nothing was heard of late.
    pub fn latest(&self, subject: Subject, now: Timestamp) -> Option<(Timestamp, Look)> {
        let last = self.lock().of.get(&subject)?.last()?;
        (now.since(last.0) <= FRESH).then_some(last)
    }

    /// How much room something takes, as a blade that has it last said.
    pub fn space(&self, taker: Taker) -> Option<u64> {
        self.lock().space.get(&taker).map(|(_, bytes)| *bytes)
    }

    /// Whether it may be counted again because somebody asks: not as fast as one can click.
    pub fn may_ask(&self, taker: Taker, now: Timestamp) -> bool {
        let asked = self.lock().asked.get(&taker).copied();
        asked.is_none_or(|asked| now.since(asked) >= PERIOD)
    }

    /// As it was counted just now, because somebody asked.
    pub fn set_space(&self, taker: Taker, bytes: u64, now: Timestamp) {
        let mut rings = self.lock();
        rings.space.insert(taker, (now, bytes));
        rings.asked.insert(taker, now);
    }

    /// Of the file system that containers are kept on, as the blade last said.
    pub fn storage(&self, node: NodeId) -> Storage {
        self.lock().blades.get(&node).map(|blade| blade.storage).unwrap_or_default()
    }

    /// Every look, at most an hour back.
    pub fn looks(&self, subject: Subject, since: Timestamp) -> Series {
        let looks = self.lock().of.get(&subject).map(|ring| ring.since(since));
        Series::Looks(looks.unwrap_or_default())
    }

    /// What is written, and what is not yet.
    pub async fn rolled_up(
        &self,
        history: &dyn History,
        subject: Subject,
        width: Width,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Series, StoreError> {
        let mut rows = history.read(subject, width, width.begin(since)).await?;
        // The written part of the present hour is at most five minutes old; a stretch of five minutes is not written at all
        // before its end.
        if width == Width::FiveMinutes {
            let written = rows.last().map(|row| row.begin);
            let mut begin = width.begin(now);
            let mut later = Vec::new();
            // Not further back than the rings reach.
            for _ in 0..12 {
                if written.is_some_and(|written| begin <= written) || begin < width.begin(since) {
                    break;
                }
                later.extend(self.roll_up(subject, width, begin));
                begin = Timestamp(begin.0 - (width.next(begin).0 - begin.0));
            }
            rows.extend(later.into_iter().rev());
        }
        Ok(Series::RolledUp(width, rows))
    }

    fn roll_up(&self, subject: Subject, width: Width, begin: Timestamp) -> Option<RollUp> {
        self.lock().of.get(&subject)?.roll_up(width, begin)
    }

    /// One row for each subject that was heard of in the stretch.
    fn roll_up_all(&self, width: Width, begin: Timestamp) -> Vec<(Subject, RollUp)> {
        let rings = self.lock();
        let rows = rings.of.iter();
        rows.filter_map(|(subject, ring)| Some((*subject, ring.roll_up(width, begin)?))).collect()
    }

    /// Drops what has been silent for an hour.
    fn forget_silent(&self, now: Timestamp) {
        let mut rings = self.lock();
        let is_heard = |at: Timestamp| now.since(at) < SILENT;
        rings.of.retain(|_, ring| ring.last().is_some_and(|(at, _)| is_heard(at)));
        rings.blades.retain(|_, blade| is_heard(blade.heard));
        rings.space.retain(|_, (heard, _)| is_heard(*heard));
        rings.asked.retain(|_, asked| is_heard(*asked));
    }

    fn lock(&self) -> MutexGuard<'_, Rings> {
        // Nothing panics while it is held; if something did, the rings would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A blade speaks for its own containers, for volumes that it has, and for homes on a store that it sees.
fn may_tell(state: &State, node: NodeId, taker: Taker) -> bool {
    let has = |store| state.nodes.get(&node).is_some_and(|node| node.inventory.storage.has(store));
    match taker {
        Taker::Home(store, _) => has(store),
        Taker::Volume(id) => {
            let volume = state.volumes.get(&id);
            volume.and_then(|volume| volume.place.as_ref()).is_some_and(|place| has(place.store))
        }
        Taker::Layer(id) => {
            let container = state.containers.get(&id);
            let placement = container.and_then(|container| container.placement.as_ref());
            placement.is_some_and(|placement| placement.node == node)
        }
    }
}

impl Rings {
    fn push(&mut self, subject: Subject, at: Timestamp, figures: &Look) {
        self.of.entry(subject).or_insert_with(Ring::new).push(at, figures);
    }
}
