//! What a container is made with so that its owner's data is in it: made ready before the engine is asked, kept while the
//! engine has it, and released afterwards.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use berth_core::{fault::FaultKind, image::ImageRef, storage::RunAs};
use berth_reconcile::runtime::{CreateOrder, EngineContainer, EngineId, Error};
use berth_storage::{Access, Key, Storage};
use bollard::models::{Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountType};
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout},
};

use crate::{engine::quick, image::ImageFacts, names::Identity};

/// A share whose server has gone away answers never.
const PATIENCE: Duration = Duration::from_secs(20);
/// Somebody may give the name to another image behind our back.
const KNOWN: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Keeper {
    storage: Storage,
    inner: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Of the engine's containers.
    keys: HashMap<EngineId, Key>,
    /// Prepared, and perhaps not yet in the engine.
    creating: HashSet<Key>,
    images: HashMap<ImageRef, (Instant, Arc<ImageFacts>)>,
}

/// What the engine's request gets of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Prepared {
    /// `None`: as the image says.
    pub(crate) user: Option<String>,
    pub(crate) working_directory: Option<String>,
    pub(crate) mounts: Vec<Mount>,
}

/// While a container is being made, nothing of it is taken for a leftover.
pub(crate) struct Creating<'a> {
    keeper: &'a Keeper,
    key: Key,
}

impl Drop for Creating<'_> {
    fn drop(&mut self) {
        self.keeper.lock().creating.remove(&self.key);
    }
}

/// Those for whom something was kept before the engine was asked for its list.
pub(crate) struct Before(Vec<Key>);

impl Keeper {
    pub(crate) fn new(storage: Storage) -> Self {
        Self { storage, inner: Mutex::default() }
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    pub(crate) async fn prepare(
        &self,
        engine: &bollard::Docker,
        order: &CreateOrder,
    ) -> Result<(Creating<'_>, Prepared), Error> {
        let key = Key { container: order.container, incarnation: order.incarnation };
        self.lock().creating.insert(key);
        let creating = Creating { keeper: self, key };
        let Some(belongings) = order.spec.belongings.clone() else {
            return Ok((creating, Prepared::default()));
        };
        let facts = self.facts(engine, &order.spec.image).await?;
        let storage = self.storage.clone();
        let prepared = self
            .blocking(move || {
                let mounts = storage.prepare(key, &belongings, facts.image())?;
                let home = mounts.iter().any(|mount| mount.target == belongings.holder.home());
                let posix = belongings.holder.posix;
                let account = belongings.run_as == RunAs::Account;
                Ok(Prepared {
                    user: account.then(|| format!("{}:{}", posix.uid, posix.gid)),
                    working_directory: (account && home && facts.works_in_root())
                        .then(|| belongings.holder.home()),
                    mounts: mounts
                        .into_iter()
                        .map(bind)
                        .collect::<Option<_>>()
                        .ok_or_else(no_text)?,
                })
            })
            .await?;
        Ok((creating, prepared))
    }

    /// A class starts forty of one image at once.
    async fn facts(
        &self,
        engine: &bollard::Docker,
        image: &ImageRef,
    ) -> Result<Arc<ImageFacts>, Error> {
        let known = self.lock().images.get(image).cloned();
        if let Some((at, facts)) = known
            && at.elapsed() < KNOWN
        {
            return Ok(facts);
        }
        let answer = quick(engine.inspect_image(image.as_str())).await?;
        let facts = spawn_blocking(move || ImageFacts::read(answer)).await;
        let facts = facts.map_err(|error| Error::fault(FaultKind::Engine, error.to_string()))?;
        let facts = Arc::new(facts);
        let mut known = self.lock();
        known.images.retain(|_, (at, _)| at.elapsed() < KNOWN);
        known.images.insert(image.clone(), (Instant::now(), Arc::clone(&facts)));
        Ok(facts)
    }

    /// After a pull: the name may be another image's now.
    pub(crate) fn forget(&self, image: &ImageRef) {
        self.lock().images.remove(image);
    }

    /// Before a start. Of one that was not prepared there is nothing to do.
    pub(crate) async fn renew(&self, id: &EngineId) -> Result<(), Error> {
        let key = self.lock().keys.get(id).copied();
        let Some(key) = key else { return Ok(()) };
        let storage = self.storage.clone();
        self.blocking(move || storage.renew(key)).await
    }

    pub(crate) fn learn(&self, id: &EngineId, key: Key) {
        self.lock().keys.insert(id.clone(), key);
    }

    /// After the engine has none of it any more. What cannot be released now is found again by [`Keeper::sweep`].
    pub(crate) async fn release(&self, id: &EngineId) {
        let key = self.lock().keys.remove(id);
        let Some(key) = key else { return };
        let storage = self.storage.clone();
        if let Err(error) = self.blocking(move || storage.release(key)).await {
            tracing::warn!(container.id = %key.container, %error, "not released");
        }
    }

    pub(crate) async fn before_list(&self) -> Before {
        let storage = self.storage.clone();
        let keys = self.blocking(move || storage.keys()).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what is kept for containers cannot be listed");
            Vec::new()
        });
        // Looked at afterwards: what is done being created by now was there when the engine is asked.
        let known = self.lock();
        Before(keys.into_iter().filter(|key| !known.creating.contains(key)).collect())
    }

    /// What was kept before the engine was asked, and is of none that it has, is left over.
    pub(crate) async fn sweep<'a>(
        &self,
        before: Before,
        names: impl Iterator<Item = &'a str>,
        listed: &[EngineContainer],
    ) {
        let known = listed.iter().map(|found| {
            let key = Key { container: found.container, incarnation: found.incarnation };
            (found.id.clone(), key)
        });
        self.lock().keys.extend(known);
        let there: HashSet<&str> = names.collect();
        let is_gone = |key: &Key| {
            !there.contains(Identity::container_name(key.container, key.incarnation).as_str())
        };
        let gone: Vec<Key> = before.0.into_iter().filter(is_gone).collect();
        for key in gone {
            let storage = self.storage.clone();
            match self.blocking(move || storage.release(key)).await {
                Ok(()) => tracing::debug!(container.id = %key.container, "a leftover is released"),
                Err(error) => {
                    tracing::warn!(container.id = %key.container, %error, "not released");
                }
            }
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, berth_storage::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let missing = |why: &str| Error::fault(FaultKind::StorageMissing, why);
        match timeout(PATIENCE, spawn_blocking(work)).await {
            Ok(Ok(result)) => result.map_err(|error| {
                let fault = error.to_fault();
                Error::fault(fault.kind, fault.detail)
            }),
            Ok(Err(_)) => Err(missing("looking at it has crashed")),
            Err(_) => Err(missing("it does not answer")),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        // Nothing panics while it is held.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_text() -> berth_storage::Error {
    let why = "its path is not text".to_owned();
    berth_storage::Error::Missing { path: "storage.homes".into(), why }
}

/// `None` for a path that is not text.
fn bind(mount: berth_storage::Mount) -> Option<Mount> {
    Some(Mount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.to_str()?.to_owned()),
        target: Some(mount.target),
        read_only: Some(match mount.access {
            Access::ReadOnly => true,
            Access::ReadWrite => false,
        }),
        bind_options: Some(MountBindOptions {
            // Nothing that is mounted on one side ever appears on the other.
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            // A source that is missing is an error, and not an empty directory.
            create_mountpoint: Some(false),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    })
}
