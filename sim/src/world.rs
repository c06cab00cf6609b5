//! What the hosts of one run share: everything that outlives a crash, and what the driver looks at.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use berth_app::{containers::Rules, writer::Handle};
use berth_core::{
    clock::Timestamp,
    id::{ClusterId, Epoch},
};
use berth_reconcile::point::PlantedFault;
use berth_session::Timing;
use berth_store::{FailWith, MemoryStore};
use uuid::Uuid;

use crate::{blade::Blade, clock::SimClock, journal::Journal};

pub const CLUSTER: ClusterId = ClusterId::new(Uuid::from_u128(0xc1));
pub(crate) const EPOCH: Epoch = Epoch::new(Uuid::from_u128(0xe1));
/// After the database was put back.
/// Of a database that is put back at this moment.
pub(crate) fn next_epoch(now: Timestamp) -> Epoch {
    let millis = u64::try_from(now.0).unwrap_or(0);
    Epoch::new(uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid())
}
pub(crate) const PORT: u16 = 8444;

/// Shorter than in life, so that half a minute holds many of each.
pub(crate) const TIMING: Timing = Timing {
    heartbeat: Duration::from_secs(1),
    unreachable_after: Duration::from_secs(4),
    repeat: Duration::from_secs(15),
};

pub(crate) fn rules() -> Rules {
    Rules {
        containers_per_person: 60,
        volumes_per_person: 3,
        space: berth_core::space::SpaceLimits { home: None, volume: None, layer: None },
        grace: Duration::from_secs(8),
    }
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) planted: Option<PlantedFault>,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) trouble: Arc<Trouble>,
    pub(crate) blades: Vec<Arc<Blade>>,
    store: Mutex<(MemoryStore, Epoch)>,
    live: Mutex<Option<Handle>>,
    lives: AtomicU64,
    /// The controller's process has ended itself: the store was not its own any more.
    ended: AtomicBool,
    /// The cluster is set up: people come, and things begin to break.
    open: AtomicBool,
    closed: AtomicBool,
}

/// What goes wrong next.
#[derive(Default)]
pub(crate) struct Trouble {
    commits: Mutex<VecDeque<FailWith>>,
}

impl World {
    pub(crate) fn new(
        seed: u64,
        planted: Option<PlantedFault>,
        clock: Arc<SimClock>,
        journal: Arc<Journal>,
        blades: Vec<Arc<Blade>>,
    ) -> Self {
        Self {
            seed,
            planted,
            clock,
            journal,
            trouble: Arc::default(),
            blades,
            store: Mutex::new((MemoryStore::new(), EPOCH)),
            live: Mutex::default(),
            lives: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            open: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn store(&self) -> (MemoryStore, Epoch) {
        lock(&self.store).clone()
    }

    pub(crate) fn put_back(&self, store: MemoryStore, epoch: Epoch) {
        *lock(&self.store) = (store, epoch);
    }

    /// The living controller's writer.
    pub(crate) fn live(&self) -> Option<Handle> {
        lock(&self.live).clone()
    }

    pub(crate) fn set_live(&self, handle: Option<Handle>) {
        *lock(&self.live) = handle;
    }

    pub(crate) fn next_life(&self) -> u64 {
        self.lives.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    pub(crate) fn take_ended(&self) -> bool {
        self.ended.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }

    /// People have gone home.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

impl Trouble {
    pub(crate) fn fail_commit(&self, with: FailWith) {
        lock(&self.commits).push_back(with);
    }

    pub(crate) fn take_commit_failure(&self) -> Option<FailWith> {
        lock(&self.commits).pop_front()
    }

    pub(crate) fn end(&self) {
        lock(&self.commits).clear();
    }
}

/// One thread runs everything; a lock is never waited for, and a panic ends the run.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
