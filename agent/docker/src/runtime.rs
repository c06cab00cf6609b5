//! The trait, call by call.

use std::{
    collections::{BTreeSet, HashMap},
    sync::PoisonError,
    time::Duration,
};

use async_trait::async_trait;
use berth_core::{
    clock::Timestamp, fault::FaultKind, id::UserId, image::ImageRef, observed::PullProgress,
};
use berth_reconcile::runtime::{CreateOrder, EngineContainer, EngineId, Error, Event, Runtime};
use berth_storage::Key;
use bollard::{
    models::{ContainerInspectResponse, ContainerSummary},
    query_parameters::{
        CreateContainerOptions, InspectContainerOptions, ListContainersOptions,
        StartContainerOptions, StopContainerOptions,
    },
};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::watch;

use crate::{
    Docker, Inner, cleanup,
    container::{Inspected, digest_of, is_same},
    create,
    engine::{WORK, bounded, quick, work},
    events,
    names::{Identity, ImageId},
    network, pull,
};

/// Inspections at a time; each holds a connection and a thread of the engine.
const AT_ONCE: usize = 8;

#[async_trait]
impl Runtime for Docker {
    async fn up_since(&self) -> Result<Timestamp, Error> {
        network::bridge_made_at(&self.inner.engine).await
    }

    async fn list(&self) -> Result<Vec<EngineContainer>, Error> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(self.inner.identity.filters()),
            ..ListContainersOptions::default()
        };
        let engine = &self.inner.engine;
        let keeper = &self.inner.keeper;
        let before = keeper.before_list().await;
        let summaries = quick(engine.quick.list_containers(Some(options))).await?;
        let ids: Vec<EngineId> =
            summaries.iter().filter_map(|summary| self.inner.understood(summary)).collect();
        // The list has neither times nor exit codes.
        let inspected: Vec<Option<EngineContainer>> = stream::iter(ids)
            .map(|id| async move { self.inspect(&id).await })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let listed: Vec<_> = inspected.into_iter().flatten().collect();
        // By their names: also of those that are not to be understood nothing is taken away.
        let names = summaries.iter().flat_map(|summary| summary.names.iter().flatten());
        keeper.sweep(before, names.map(|name| name.trim_start_matches('/')), &listed).await;
        Ok(listed)
    }

    async fn inspect(&self, id: &EngineId) -> Result<Option<EngineContainer>, Error> {
        let Some(answer) = self.inner.inspect_path(id.as_str()).await? else {
            return Ok(None);
        };
        let Some(found) = Inspected::read(&self.inner.identity, &answer) else {
            return Ok(None);
        };
        let digest = match &found.image {
            Some(image) => self.inner.digest(image).await,
            None => None,
        };
        Ok(Some(found.with_digest(digest)))
    }

    async fn create(&self, order: &CreateOrder) -> Result<EngineId, Error> {
        let inner = &self.inner;
        let identity = &inner.identity;
        let (_creating, prepared) = inner.keeper.prepare(&inner.engine.quick, order).await?;
        let body = create::body(order, identity, &inner.options, inner.engine.abilities, prepared)?;
        let labels = body.labels.clone().unwrap_or_default();
        let name = Identity::container_name(order.container, order.incarnation);
        let options = CreateContainerOptions {
            name: Some(name.clone()),
            ..CreateContainerOptions::default()
        };
        let call = inner.engine.work.create_container(Some(options), body);
        let id = match bounded_create(Box::pin(call)).await? {
            Created::New(id) => EngineId::parse(&id).ok_or_else(|| {
                Error::fault(FaultKind::Engine, "the engine answered with an id that is none")
            })?,
            Created::NameTaken(detail) => inner.adopt(&name, &labels, detail).await?,
        };
        let key = Key { container: order.container, incarnation: order.incarnation };
        inner.keeper.learn(&id, key);
        Ok(id)
    }

    async fn start(&self, id: &EngineId) -> Result<(), Error> {
        if let Some(problem) = self.inner.firewall.problem() {
            return Err(Error::fault(FaultKind::FirewallMissing, problem));
        }
        self.inner.keeper.renew(id).await?;
        let _cleared = self.clear(id).await;
        match self.inner.start(id).await {
            // The engine remembers the network by its id: one that was removed and made again is joined anew.
            Err(Error::NetworkMissing) => {
                self.inner.rejoin(id).await?;
                self.inner.start(id).await
            }
            result => result,
        }
    }

    async fn stop(&self, id: &EngineId, grace: Duration) -> Result<(), Error> {
        // The engine answers when the program has ended.
        let limit = grace.saturating_add(WORK);
        let client = self.inner.engine.work.clone().with_timeout(limit);
        // Rounded up: no grace at all is only what was asked for as such.
        let seconds = grace.as_millis().div_ceil(1000);
        let options = StopContainerOptions {
            signal: None,
            t: Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
        };
        match bounded(limit, client.stop_container(id.as_str(), Some(options))).await {
            Ok(()) | Err(Error::NoSuchContainer) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn remove(&self, id: &EngineId) -> Result<(), Error> {
        cleanup::remove_container(&self.inner.engine, id).await?;
        self.inner.keeper.release(id).await;
        Ok(())
    }

    async fn pull(
        &self,
        image: &ImageRef,
        progress: &watch::Sender<Option<PullProgress>>,
    ) -> Result<(), Error> {
        let pulled =
            pull::pull(&self.inner.engine, image, self.inner.options.pull_timeout, progress).await;
        self.inner.keeper.forget(image);
        pulled
    }

    async fn networks(&self) -> Result<BTreeSet<UserId>, Error> {
        self.inner.networks.users(&self.inner.engine, &self.inner.identity).await
    }

    async fn create_network(&self, user: UserId) -> Result<(), Error> {
        let inner = &self.inner;
        inner.networks.create(&inner.engine, &inner.identity, inner.options.subnets, user).await
    }

    async fn remove_network(&self, user: UserId) -> Result<(), Error> {
        self.inner.networks.remove(&self.inner.engine, &self.inner.identity, user).await
    }

    fn events(&self) -> BoxStream<'static, Event> {
        events::events(self.inner.engine.clone(), self.inner.identity)
    }
}

enum Created {
    New(String),
    NameTaken(String),
}

/// A taken name is an answer, not a failure; every other 409 stays one.
async fn bounded_create(
    call: impl Future<Output = Result<bollard::models::ContainerCreateResponse, bollard::errors::Error>>,
) -> Result<Created, Error> {
    use bollard::errors::Error as EngineError;
    let call = async {
        match call.await {
            Ok(answer) => {
                for warning in &answer.warnings {
                    tracing::debug!(warning, "the engine warns of a new container");
                }
                Ok(Created::New(answer.id))
            }
            Err(EngineError::DockerResponseServerError { status_code: 409, message })
                if message.contains("already in use") =>
            {
                Ok(Created::NameTaken(message))
            }
            Err(error) => Err(error),
        }
    };
    work(call).await
}

impl Inner {
    async fn start(&self, id: &EngineId) -> Result<(), Error> {
        let none = None::<StartContainerOptions>;
        work(self.engine.work.start_container(id.as_str(), none)).await
    }

    async fn rejoin(&self, id: &EngineId) -> Result<(), Error> {
        let answer = self.inspect_path(id.as_str()).await?.ok_or(Error::NoSuchContainer)?;
        let found = Inspected::read(&self.identity, &answer).ok_or(Error::NoSuchContainer)?;
        let hostname = answer.config.and_then(|config| config.hostname).unwrap_or_default();
        network::join(&self.engine, &self.identity, found.facts.user, id, hostname).await
    }

    /// What carries our labels in a way that is not to be understood is left alone.
    fn understood(&self, summary: &ContainerSummary) -> Option<EngineId> {
        if self.identity.facts(summary.labels.as_ref()?).is_none() {
            tracing::warn!(engine.id = summary.id, "labelled ours, but not to be understood");
            return None;
        }
        EngineId::parse(summary.id.as_deref()?)
    }

    /// `path` is an [`EngineId`] or a name of [`Identity::container_name`].
    async fn inspect_path(&self, path: &str) -> Result<Option<ContainerInspectResponse>, Error> {
        let call = self.engine.quick.inspect_container(path, None::<InspectContainerOptions>);
        match quick(call).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::NoSuchContainer) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whose is the container that has our name? One whose creation succeeded, but whose answer was lost, is taken.
    async fn adopt(
        &self,
        name: &str,
        labels: &HashMap<String, String>,
        detail: String,
    ) -> Result<EngineId, Error> {
        let Some(answer) = self.inspect_path(name).await? else {
            // It was just being removed: the next try may succeed.
            return Err(Error::fault(FaultKind::Engine, detail));
        };
        match Inspected::read(&self.identity, &answer) {
            Some(found) if is_same(&self.identity, labels, &found) => {
                tracing::info!(engine.id = ?found.id, "adopted a container that was made already");
                Ok(found.id)
            }
            Some(_) | None => Err(Error::fault(FaultKind::ForeignContainer, detail)),
        }
    }

    /// Shown to people, so a failure is no reason to fail.
    async fn digest(&self, image: &ImageId) -> Option<String> {
        let known = self.digests.lock().unwrap_or_else(PoisonError::into_inner).get(image).cloned();
        if known.is_some() {
            return known;
        }
        let digest = match quick(self.engine.quick.inspect_image(image.as_str())).await {
            Ok(answer) => digest_of(image, answer.repo_digests.as_deref().unwrap_or_default()),
            Err(error) => {
                tracing::debug!(error = %error, "cannot inspect an image");
                return None;
            }
        };
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        // A blade sees a few hundred images in its life; one that sees more asks again.
        if digests.len() >= 1024 {
            digests.clear();
        }
        digests.insert(image.clone(), digest.clone());
        Some(digest)
    }
}
