//! Measures from time to time how much room people's data takes here.
//!
//! # Caveats
//! Counting reads every name. It is done by one thread at the lowest priority, one directory after the other, for those who
//! have a container on this blade; on a share every blade counts its own people's.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use berth_core::{
    space::{Space, Taker},
    storage::HomeMount,
};
use berth_docker::Docker;
use berth_reconcile::{ledger::Ledger, reconciler::Reconciler, runtime::Runtime};
use berth_storage::{Home, Storage, used_bytes};
use tokio::{sync::oneshot, time::Instant};

/// The first count: when those who were here before the agent are known.
const SOON: Duration = Duration::from_secs(10);
/// Of directories that one report can tell of.
const MAXIMUM: usize = 1000;

/// What was counted last. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Counted(Arc<Mutex<BTreeMap<Taker, (Instant, u64)>>>);

impl Counted {
    pub fn all(&self) -> Vec<Space> {
        let all = self.lock();
        all.iter().map(|(taker, (_, bytes))| Space { taker: *taker, bytes: *bytes }).collect()
    }

    /// One that somebody asked for.
    pub(crate) fn set(&self, taker: Taker, now: Instant, bytes: u64) {
        self.lock().insert(taker, (now, bytes));
    }

    /// All, by a count that began then: what was counted since is newer.
    fn replace(&self, began: Instant, space: Vec<Space>) {
        let mut all = self.lock();
        all.retain(|_, (at, _)| *at > began);
        for Space { taker, bytes } in space {
            all.entry(taker).or_insert((began, bytes));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Taker, (Instant, u64)>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For ever, with so much time in between.
pub async fn measure<R: Runtime, L: Ledger>(
    docker: Docker,
    reconciler: Arc<Reconciler<R, L>>,
    pause: Duration,
    known: Counted,
) {
    tokio::time::sleep(SOON.min(pause)).await;
    loop {
        let began = Instant::now();
        let places = places(&docker, &reconciler).await;
        let (done, counted) = oneshot::channel();
        let started = std::thread::Builder::new().name("space".to_owned()).spawn(move || {
            // Of this thread alone, as Linux has it. Counting is in no hurry; without it, it is only less polite.
            let _ = rustix::process::setpriority_process(None, 19);
            drop(done.send(count(places)));
        });
        match started {
            // An error: it has crashed, and there is nothing new.
            Ok(_) => {
                if let Ok(space) = counted.await {
                    known.replace(began, space);
                }
            }
            Err(error) => tracing::warn!(%error, "room is not counted"),
        }
        tokio::time::sleep(pause).await;
    }
}

async fn places<R: Runtime, L: Ledger>(
    docker: &Docker,
    reconciler: &Reconciler<R, L>,
) -> BTreeMap<Taker, PathBuf> {
    let mut places = BTreeMap::new();
    let storage = docker.storage().clone();
    let wanted = reconciler.all_belongings();
    let found = tokio::task::spawn_blocking(move || directories(&storage, &wanted)).await;
    places.extend(found.unwrap_or_default());
    for (container, engine) in reconciler.current_all() {
        match docker.layer(&engine).await {
            Ok(Some(path)) => drop(places.insert(Taker::Layer(container), path)),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "a container's layer is not known"),
        }
    }
    places
}

fn directories(
    storage: &Storage,
    wanted: &[berth_core::desired::Belongings],
) -> Vec<(Taker, PathBuf)> {
    let homes = storage.survey().0.homes;
    let mut found = Vec::new();
    // What cannot be got at now keeps the figure that it has at the controller, for an hour.
    let mut add = |taker, directory: Result<Home, berth_storage::Error>| match directory {
        Ok(directory) => found.push((taker, directory.path)),
        Err(error) => tracing::warn!(%error, "not counted"),
    };
    for belongings in wanted {
        let holder = &belongings.holder;
        // Whoever has no home in any container here is not given one by being counted.
        if let Some(store) = homes.as_ref().filter(|_| belongings.home != HomeMount::None) {
            add(Taker::Home(store.id, holder.posix.uid), storage.home(holder));
        }
        for volume in &belongings.volumes {
            add(Taker::Volume(volume.id), storage.volume(volume.id, volume.scope, holder));
        }
    }
    found
}

fn count(places: BTreeMap<Taker, PathBuf>) -> Vec<Space> {
    let mut space = Vec::new();
    for (taker, path) in places.into_iter().take(MAXIMUM) {
        match used_bytes(&path) {
            Ok(bytes) => space.push(Space { taker, bytes }),
            Err(error) => tracing::debug!(%error, path = %path.display(), "not counted"),
        }
    }
    space
}

#[cfg(test)]
mod tests {
    use berth_core::id::VolumeId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_was_asked_for_meanwhile_is_newer() {
        let volume = |number| Taker::Volume(VolumeId::new(Uuid::from_u128(number)));
        let space = |number, bytes| Space { taker: volume(number), bytes };
        let known = Counted::default();
        let began = Instant::now();
        let seconds = |seconds| began + Duration::from_secs(seconds);
        // Its owner has made room while the count went on.
        known.set(volume(1), seconds(1), 5);
        known.replace(began, vec![space(1, 500), space(2, 20)]);
        assert_eq!(known.all(), [space(1, 5), space(2, 20)]);
        known.replace(seconds(2), vec![space(1, 7)]);
        assert_eq!(known.all(), [space(1, 7)], "and what is gone is forgotten");
    }
}
