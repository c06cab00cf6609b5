//! All terminals of one holder.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use berth_core::id::ContainerId;
use berth_docker::exec::{Error, Exec, Size};
use berth_proto::agent::v1 as wire;
use berth_reconcile::runtime::EngineId;
use tonic::Status;

use super::{
    numbers,
    terminal::{Facts, Terminal},
};

const PER_CONTAINER: usize = 20;
const PER_HOLDER: usize = 1000;
/// Those that have ended, kept for late readers.
const ENDED: usize = 100;

#[derive(Debug)]
pub(crate) struct Registry {
    exec: Exec,
    /// Where numbers are counted.
    directory: PathBuf,
    ring: usize,
    /// How long the output of one that has ended is kept.
    keep: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    slots: BTreeMap<(ContainerId, u32), Slot>,
    /// Starts that have not got a number yet.
    asked: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Nothing new is begun.
    Retired,
}

#[derive(Debug)]
enum Slot {
    /// Its program may run already, so it counts and is listed.
    Starting(wire::HeldTerminal),
    Here(Arc<Terminal>),
}

impl Slot {
    fn is_live(&self) -> bool {
        match self {
            Slot::Starting(_) => true,
            Slot::Here(terminal) => terminal.ended_at().is_none(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) container: ContainerId,
    pub(crate) engine: EngineId,
    pub(crate) command: Vec<String>,
    pub(crate) size: Option<Size>,
}

impl Registry {
    pub(crate) fn new(exec: Exec, directory: PathBuf, ring: usize, keep: Duration) -> Self {
        let state = State { phase: Phase::Open, slots: BTreeMap::new(), asked: 0 };
        Self { exec, directory, ring, keep, state: Mutex::new(state) }
    }

    /// Goes on when the caller goes away: what was begun is then simply there.
    pub(crate) async fn start(
        self: &Arc<Self>,
        order: Order,
    ) -> Result<wire::HeldTerminal, Status> {
        let registry = Arc::clone(self);
        let started = tokio::spawn(async move { registry.start_now(order).await });
        started.await.map_err(|_| Status::internal("the start has failed"))?
    }

    async fn start_now(&self, order: Order) -> Result<wire::HeldTerminal, Status> {
        let _asked = self.admit(order.container)?;
        let command = if order.command.is_empty() {
            vec![self.exec.shell(&order.engine).await.map_err(status)?]
        } else {
            order.command
        };
        let (directory, container) = (self.directory.clone(), order.container);
        let number = tokio::task::spawn_blocking(move || numbers::next(&directory, container));
        let number = number
            .await
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(|error| Status::internal(format!("no number: {error}")))?;
        let facts = Facts { container, number, command, started_at: SystemTime::now() };
        let starting = Starting::new(self, &facts);
        let started =
            Terminal::start(facts, self.exec.clone(), order.engine, order.size, self.ring).await;
        let terminal = started.map_err(status)?;
        let description = terminal.describe();
        starting.here(terminal);
        tracing::info!(%container, terminal = number, "terminal started");
        Ok(description)
    }

    fn admit(&self, container: ContainerId) -> Result<Asked<'_>, Status> {
        self.forget_ended();
        let mut state = self.state();
        if state.phase == Phase::Retired {
            return Err(Status::aborted("a newer holder starts terminals"));
        }
        let live = |(key, slot): (&(ContainerId, u32), &Slot)| slot.is_live().then_some(key.0);
        let all: Vec<ContainerId> = state.slots.iter().filter_map(live).collect();
        let here = all.iter().filter(|other| **other == container).count();
        // Those on their way are taken to be of this container; there are few, and not for long.
        if here + state.asked >= PER_CONTAINER {
            return Err(Status::resource_exhausted(format!(
                "a container can have {PER_CONTAINER} terminals"
            )));
        }
        if all.len() + state.asked >= PER_HOLDER {
            return Err(Status::resource_exhausted(format!(
                "a node can have {PER_HOLDER} terminals"
            )));
        }
        state.asked += 1;
        Ok(Asked(self))
    }

    pub(crate) fn list(&self) -> Vec<wire::HeldTerminal> {
        self.forget_ended();
        let describe = |slot: &Slot| match slot {
            Slot::Starting(description) => description.clone(),
            Slot::Here(terminal) => terminal.describe(),
        };
        self.state().slots.values().map(describe).collect()
    }

    pub(crate) fn find(&self, container: ContainerId, number: u32) -> Option<Arc<Terminal>> {
        match self.state().slots.get(&(container, number))? {
            Slot::Starting(_) => None,
            Slot::Here(terminal) => Some(Arc::clone(terminal)),
        }
    }

    pub(crate) fn terminals(&self) -> Vec<Arc<Terminal>> {
        let here = |slot: &Slot| match slot {
            Slot::Starting(_) => None,
            Slot::Here(terminal) => Some(Arc::clone(terminal)),
        };
        self.state().slots.values().filter_map(here).collect()
    }

    pub(crate) fn retire(&self) {
        self.state().phase = Phase::Retired;
    }

    pub(crate) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Nothing runs, and nobody reads the rest of something.
    pub(crate) fn is_done(&self) -> bool {
        let state = self.state();
        let done = |slot: &Slot| match slot {
            Slot::Starting(_) => false,
            Slot::Here(terminal) => terminal.ended_at().is_some() && terminal.readers() == 0,
        };
        state.asked == 0 && state.slots.values().all(done)
    }

    /// Retires if there is nothing; so no start can come between.
    pub(crate) fn retire_if_empty(&self) -> bool {
        self.forget_ended();
        let mut state = self.state();
        let empty = state.slots.is_empty() && state.asked == 0;
        if empty {
            state.phase = Phase::Retired;
        }
        empty
    }

    fn forget_ended(&self) {
        let mut state = self.state();
        let ended = |(key, slot): (&(ContainerId, u32), &Slot)| match slot {
            Slot::Starting(_) => None,
            Slot::Here(terminal) => Some((terminal.ended_at()?, *key)),
        };
        let mut ended: Vec<_> = state.slots.iter().filter_map(ended).collect();
        ended.sort_unstable();
        let surplus = ended.len().saturating_sub(ENDED);
        for (index, (at, key)) in ended.into_iter().enumerate() {
            if index < surplus || at.elapsed() >= self.keep {
                state.slots.remove(&key);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A start on its way.
struct Asked<'a>(&'a Registry);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.state().asked -= 1;
    }
}

/// A slot that goes away when the start fails.
struct Starting<'a> {
    registry: &'a Registry,
    key: (ContainerId, u32),
}

impl<'a> Starting<'a> {
    fn new(registry: &'a Registry, facts: &Facts) -> Self {
        let key = (facts.container, facts.number);
        registry.state().slots.insert(key, Slot::Starting(facts.describe()));
        Self { registry, key }
    }

    fn here(self, terminal: Arc<Terminal>) {
        self.registry.state().slots.insert(self.key, Slot::Here(terminal));
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        let mut state = self.registry.state();
        if let Some(Slot::Starting(_)) = state.slots.get(&self.key) {
            state.slots.remove(&self.key);
        }
    }
}

/// The codes that [`super::client`] reads.
pub(crate) fn status(error: Error) -> Status {
    let text = error.to_string();
    match error {
        Error::NotRunning | Error::NoSuchContainer => Status::failed_precondition(text),
        Error::CommandNotFound(_) | Error::NoShell => Status::not_found(text),
        Error::Invalid(_) => Status::invalid_argument(text),
        Error::Unavailable(_) => Status::unavailable(text),
        Error::NoSuchExec | Error::Engine(_) | Error::Foreign(_) | Error::Process(_) => {
            Status::internal(text)
        }
    }
}
