//! Measures from time to time how much room people's data takes here.
//!
//! # Caveats
//! Counting reads every name. It is done by one thread at the lowest priority, one directory after the other, for those who
//! have a container on this blade; on a share every blade counts its own people's.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use berth_core::space::{Space, Taker};
use berth_docker::Docker;
use berth_reconcile::{ledger::Ledger, reconciler::Reconciler, runtime::Runtime};
use berth_storage::{Storage, used_bytes};
use tokio::sync::{oneshot, watch};

/// The first count: when those who were here before the agent are known.
const SOON: Duration = Duration::from_secs(10);
/// Of directories that one report can tell of.
const MAXIMUM: usize = 1000;

pub type Measured = watch::Receiver<Arc<Vec<Space>>>;

/// For ever, with so much time in between.
pub async fn measure<R: Runtime, L: Ledger>(
    docker: Docker,
    reconciler: Arc<Reconciler<R, L>>,
    pause: Duration,
    publish: watch::Sender<Arc<Vec<Space>>>,
) {
    tokio::time::sleep(SOON.min(pause)).await;
    loop {
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
                    publish.send_replace(Arc::new(space));
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
    for belongings in wanted {
        let holder = &belongings.holder;
        if let Some(store) = &homes
            && let Ok(home) = storage.home(holder)
        {
            found.push((Taker::Home(store.id, holder.posix.uid), home.path));
        }
        for volume in &belongings.volumes {
            if let Ok(directory) = storage.volume(volume.id, volume.scope, holder) {
                found.push((Taker::Volume(volume.id), directory.path));
            }
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
