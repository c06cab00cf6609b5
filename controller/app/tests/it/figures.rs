//! An hour and a bit of a blade's figures, and what is kept of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use berth_app::{
    figures::{self, Figures, Series},
    ports::{History, StoreError},
};
use berth_core::{
    account::Role,
    clock::{Clock, Timestamp},
    figures::{BladeFigures, Figures as Look, PERIOD, Report, RollUp, Subject, Width, fold},
    id::{ContainerId, NodeId},
};
use berth_store::MemoryStore;

use crate::world::World;

const FINE: Width = Width::FiveMinutes;
/// In the middle of a stretch.
const BEGIN: Timestamp = Timestamp(1_800_000_123_000);

/// Follows the time of the test's runtime.
struct RuntimeClock(tokio::time::Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        BEGIN + self.0.elapsed()
    }
}

/// A store that does not answer so many times.
struct Failing(MemoryStore, AtomicUsize);

#[async_trait]
impl History for Failing {
    async fn record(&self, width: Width, rows: &[(Subject, RollUp)]) -> Result<(), StoreError> {
        let left = self.1.load(Ordering::SeqCst);
        if left > 0 {
            self.1.store(left - 1, Ordering::SeqCst);
            return Err(StoreError::Unavailable("the disk is full".into()));
        }
        self.0.record(width, rows).await
    }

    async fn read(
        &self,
        subject: Subject,
        width: Width,
        since: Timestamp,
    ) -> Result<Vec<RollUp>, StoreError> {
        self.0.read(subject, width, since).await
    }

    async fn read_all(
        &self,
        width: Width,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Subject, RollUp)>, StoreError> {
        self.0.read_all(width, from, until).await
    }

    async fn forget(&self, width: Width, before: Timestamp) -> Result<(), StoreError> {
        self.0.forget(width, before).await
    }
}

struct Blade {
    world: World,
    figures: Figures,
    store: MemoryStore,
    clock: Arc<RuntimeClock>,
    node: NodeId,
    container: ContainerId,
    looks: u32,
}

impl Blade {
    /// `failures`: so often the store does not answer at first.
    async fn new(failures: usize) -> Self {
        let world = World::new().await;
        let alice = world.person("alice", Role::Student).await;
        let node = world.blade(2, 8, 0).await;
        let container = world.create(&alice, "web", 1).await.unwrap();
        let (figures, store) = (Figures::default(), MemoryStore::new());
        let clock = Arc::new(RuntimeClock(tokio::time::Instant::now()));
        let history: Arc<dyn History> =
            Arc::new(Failing(store.clone(), AtomicUsize::new(failures)));
        let as_clock: Arc<dyn Clock> = clock.clone();
        tokio::spawn(figures::keep(figures.clone(), history, as_clock));
        Self { world, figures, store, clock, node, container, looks: 0 }
    }

    fn subject(&self) -> Subject {
        Subject::Container(self.container)
    }

    async fn look(&mut self) {
        let look = Look { cpu_millis: self.looks, ..Look::default() };
        self.looks += 1;
        let report = Report {
            blade: BladeFigures { figures: look, ..BladeFigures::default() },
            containers: vec![(self.container, look)],
            space: Vec::new(),
        };
        let committed = self.world.handle.committed();
        self.figures.record(&committed.state, self.node, &report, self.clock.now());
        tokio::time::sleep(PERIOD).await;
    }

    async fn looks_for(&mut self, minutes: u64) {
        let end = self.clock.now() + Duration::from_secs(60 * minutes);
        while self.clock.now() < end {
            self.look().await;
        }
    }

    async fn rows(&self, width: Width) -> Vec<RollUp> {
        self.store.read(self.subject(), width, Timestamp(0)).await.unwrap()
    }
}

fn has_no_gaps(rows: &[RollUp], width: Width) -> bool {
    rows.windows(2).all(|pair| width.next(pair[0].begin) == pair[1].begin)
}

#[tokio::test(start_paused = true)]
async fn stretches_are_written_and_hours_are_made_of_them() {
    let mut blade = Blade::new(0).await;
    blade.looks_for(150).await;
    let (fine, hours) = (blade.rows(FINE).await, blade.rows(Width::Hour).await);
    assert!(has_no_gaps(&fine, FINE) && has_no_gaps(&hours, Width::Hour));
    assert_eq!(fine[0].begin, FINE.begin(BEGIN));
    assert!((29..=30).contains(&fine.len()), "{}", fine.len());
    // A look may fall on either side of a border.
    assert!(fine[1..].iter().all(|row| (59..=61).contains(&row.looks)));
    for hour in &hours {
        let parts = fine.iter().filter(|row| Width::Hour.begin(row.begin) == hour.begin);
        assert_eq!(fold(hour.begin, parts), Some(*hour));
    }
    assert_eq!(
        hours.iter().map(|hour| hour.looks).sum::<u32>(),
        fine.iter().map(|row| row.looks).sum::<u32>()
    );
    // The figures only rise: a stretch's peak is below the next one's average.
    assert!(fine.windows(2).all(|pair| pair[0].peak.cpu_millis < pair[1].mean.cpu_millis));
    let of_the_blade = blade.store.read(Subject::Node(blade.node), FINE, Timestamp(0)).await;
    assert_eq!(of_the_blade.unwrap(), fine);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_misses_nothing() {
    // Asked every five seconds, that is half an hour.
    let mut blade = Blade::new(360).await;
    blade.looks_for(20).await;
    assert_eq!(blade.rows(FINE).await, []);
    let series = blade.series(3600).await;
    let Series::RolledUp(FINE, rows) = series else { panic!("{series:?}") };
    assert!(rows.len() >= 4 && has_no_gaps(&rows, FINE), "{rows:?}");
    blade.looks_for(40).await;
    let fine = blade.rows(FINE).await;
    assert!(fine.len() >= 11 && has_no_gaps(&fine, FINE), "{}", fine.len());
    assert_eq!(fine[0].begin, FINE.begin(BEGIN));
}

impl Blade {
    async fn series(&self, seconds: i64) -> Series {
        let now = self.clock.now();
        let since = Timestamp(now.0 - seconds * 1000);
        self.figures.rolled_up(&self.store, self.subject(), FINE, since, now).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_written_goes_on_in_what_is_not() {
    let mut blade = Blade::new(0).await;
    blade.looks_for(35).await;
    let written = blade.rows(FINE).await;
    let Series::RolledUp(FINE, rows) = blade.series(7200).await else { panic!() };
    assert_eq!(rows[..written.len()], written);
    assert_eq!(rows.len(), written.len() + 1);
    assert!(has_no_gaps(&rows, FINE));
    assert_eq!(rows.last().unwrap().begin, FINE.begin(blade.clock.now()));
    let Series::RolledUp(FINE, short) = blade.series(600).await else { panic!() };
    assert_eq!(short, rows[rows.len() - 3..]);
}

#[tokio::test(start_paused = true)]
async fn the_silent_are_forgotten() {
    let mut blade = Blade::new(0).await;
    blade.looks_for(6).await;
    let looks = |blade: &Blade| match blade.figures.looks(blade.subject(), Timestamp(0)) {
        Series::Looks(looks) => looks.len(),
        Series::RolledUp(..) => panic!(),
    };
    assert_eq!(looks(&blade), 72);
    assert!(blade.figures.latest(blade.subject(), blade.clock.now()).is_some());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(blade.figures.latest(blade.subject(), blade.clock.now()), None);
    assert_eq!(looks(&blade), 72);
    tokio::time::sleep(Duration::from_secs(3600 + 300)).await;
    assert_eq!(looks(&blade), 0);
    // Their history is not.
    assert_eq!(blade.rows(FINE).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_blade_that_says_too_much_is_not_heard_in_between() {
    let mut blade = Blade::new(0).await;
    for _ in 0..100 {
        let committed = blade.world.handle.committed();
        let report =
            Report { containers: vec![(blade.container, Look::default())], ..Report::default() };
        blade.figures.record(&committed.state, blade.node, &report, blade.clock.now());
    }
    blade.look().await;
    let Series::Looks(looks) = blade.figures.looks(blade.subject(), Timestamp(0)) else { panic!() };
    assert_eq!(looks.len(), 1);
    blade.look().await;
    let Series::Looks(looks) = blade.figures.looks(blade.subject(), Timestamp(0)) else { panic!() };
    assert_eq!(looks.len(), 2);
}
