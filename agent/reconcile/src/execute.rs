//! Carries out one step, and writes down in memory what came of it.

use std::sync::{Arc, atomic::Ordering};

use berth_core::{fault::FaultKind, id::ContainerId, image::ImageRef, observed::PullProgress};
use tokio::sync::watch;

use crate::{
    ledger::{Begun, Ledger, Restart},
    plan::{self, Memo, Need, Step},
    point::{self, PlantedFault},
    reconciler::Reconciler,
    runtime::{CreateOrder, EngineContainer, EngineId, EngineState, Error, Runtime},
};

impl<R: Runtime, L: Ledger> Reconciler<R, L> {
    /// Does steps for this container until there is none. Its place among the busy must be held by the caller.
    pub async fn work(&self, id: ContainerId) {
        while let Some(step) = self.plan(id).step {
            self.update(id, |_, memo| memo.doing = Some(step.clone()));
            tracing::debug!(container.id = %id, ?step, "step");
            let result = self.execute(id, &step).await;
            self.update(id, |_, memo| memo.doing = None);
            if let Err(error) = result {
                self.failed(id, &step, error).await;
            }
        }
        if self.is_unsure(id) {
            self.list_due.store(true, Ordering::Relaxed);
        }
        self.release(id);
    }

    async fn execute(&self, id: ContainerId, step: &Step) -> Result<(), Error> {
        match step {
            Step::CreateNetwork(user) => {
                self.runtime.create_network(*user).await?;
                point::reached("network-created");
                self.update(id, |_, memo| memo.need = None);
            }
            Step::Pull(image) => self.pull(id, image).await?,
            Step::Create(order) => self.create(id, order).await?,
            Step::Start(engine_id) => self.start(id, engine_id).await?,
            Step::Stop(engine_id) => {
                self.runtime.stop(engine_id, self.options.stop_grace).await?;
                point::reached("stopped");
                self.look(id, engine_id).await?;
            }
            Step::Remove(engine_id) => self.remove(id, engine_id).await?,
            Step::BeginRestart(begun) => self.begin_restart(id, *begun).await?,
            Step::FinishRestart { nonce } => self.finish_restart(id, *nonce).await?,
        }
        Ok(())
    }

    async fn create(&self, id: ContainerId, order: &CreateOrder) -> Result<(), Error> {
        let engine_id = self.runtime.create(order).await?;
        point::reached("created");
        let created = EngineContainer {
            id: engine_id,
            container: order.container,
            incarnation: order.incarnation,
            user: order.spec.user,
            spec_digest: order.spec.digest(),
            created_nonce: order.restart_nonce,
            state: EngineState::Created,
            image_digest: None,
        };
        self.update(id, |engine, _| {
            engine.retain(|container| container.id != created.id);
            engine.push(created);
        });
        Ok(())
    }

    async fn start(&self, id: ContainerId, engine_id: &EngineId) -> Result<(), Error> {
        self.runtime.start(engine_id).await?;
        point::reached("started");
        let now = self.now();
        // Told at once, with our own clock; the engine's own word on when it started follows in a moment.
        self.update(id, |engine, memo| {
            *memo = Memo { orphan_since: memo.orphan_since, ..Memo::default() };
            if let Some(container) = engine.iter_mut().find(|container| &container.id == engine_id)
            {
                container.state = EngineState::Running { started_at: now };
            }
        });
        self.look(id, engine_id).await
    }

    async fn remove(&self, id: ContainerId, engine_id: &EngineId) -> Result<(), Error> {
        if self.options.planted == Some(PlantedFault::ForgetBeforeRemove) {
            self.update(id, |engine, memo| {
                engine.retain(|container| &container.id != engine_id);
                memo.doing = None;
            });
        }
        self.runtime.remove(engine_id).await?;
        point::reached("removed");
        self.networks_due.store(true, Ordering::Relaxed);
        self.update(id, |engine, _| engine.retain(|container| &container.id != engine_id));
        Ok(())
    }

    /// Asks the engine about one container.
    pub(crate) async fn look(&self, id: ContainerId, engine_id: &EngineId) -> Result<(), Error> {
        let found = self.runtime.inspect(engine_id).await?;
        self.update(id, |engine, memo| {
            let before = engine.iter().find(|container| &container.id == engine_id);
            if before != found.as_ref() {
                memo.answered_late();
            }
            engine.retain(|container| &container.id != engine_id);
            engine.extend(found);
        });
        Ok(())
    }

    async fn pull(&self, id: ContainerId, image: &ImageRef) -> Result<(), Error> {
        let turn = {
            let mut pulls = self.pulls.lock().await;
            // Those that nobody holds any more are over.
            pulls.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(pulls.entry(image.clone()).or_default())
        };
        let Ok(_turn) = turn.try_lock() else {
            // Somebody else's pull of it is under way. Afterwards it is probably here: try that first.
            let _turn = turn.lock().await;
            self.update(id, |_, memo| memo.need = None);
            return Ok(());
        };
        let (progress, mut seen) = watch::channel(None::<PullProgress>);
        let pulling = self.runtime.pull(image, &progress);
        tokio::pin!(pulling);
        let result = loop {
            // A pull by reference and a watch's changed are both cancel-safe.
            tokio::select! {
                biased;
                result = &mut pulling => break result,
                changed = seen.changed() => {
                    if changed.is_ok() {
                        let now = *seen.borrow_and_update();
                        self.update(id, |_, memo| memo.pull = now);
                    }
                }
            }
        };
        result?;
        point::reached("pulled");
        self.update(id, |_, memo| {
            memo.need = None;
            memo.pulled = true;
        });
        Ok(())
    }

    async fn begin_restart(&self, id: ContainerId, begun: Begun) -> Result<(), Error> {
        let Some(desired) = self.desired(id) else { return Ok(()) };
        let created = self.created_nonce(id, desired.incarnation);
        self.record(id, |restart| Restart {
            incarnation: desired.incarnation,
            applied: restart
                .filter(|r| r.incarnation == desired.incarnation)
                .map_or(created, |r| r.applied),
            begun: Some(begun),
        })
        .await
        .map_err(ledger_failed)?;
        point::reached("restart-begun");
        Ok(())
    }

    async fn finish_restart(&self, id: ContainerId, nonce: u64) -> Result<(), Error> {
        let Some(incarnation) = self.restart(id).map(|restart| restart.incarnation) else {
            return Ok(());
        };
        self.record(id, |restart| Restart {
            incarnation,
            applied: restart.map_or(nonce, |restart| restart.applied.max(nonce)),
            begun: None,
        })
        .await
        .map_err(ledger_failed)
    }

    fn created_nonce(&self, id: ContainerId, incarnation: u32) -> u64 {
        let engine = self.engine_of(id);
        engine
            .iter()
            .find(|container| container.incarnation == incarnation)
            .map_or(0, |c| c.created_nonce)
    }

    async fn failed(&self, id: ContainerId, step: &Step, error: Error) {
        let error = match error {
            Error::ImageMissing if self.was_pulled(id) => {
                Error::fault(FaultKind::ImageNotFound, "fetched, and still not there")
            }
            other => other,
        };
        match error {
            Error::ImageMissing => self.update(id, |_, memo| memo.need = Some(Need::Image)),
            Error::NetworkMissing => self.update(id, |_, memo| memo.need = Some(Need::Network)),
            Error::NoSuchContainer => {
                self.update(id, |engine, _| match step {
                    Step::Start(gone) | Step::Stop(gone) | Step::Remove(gone) => {
                        engine.retain(|container| &container.id != gone);
                    }
                    Step::CreateNetwork(_)
                    | Step::Pull(_)
                    | Step::Create(_)
                    | Step::BeginRestart(_)
                    | Step::FinishRestart { .. } => {}
                });
            }
            Error::Unavailable(_) | Error::Fault { .. } => {
                let fault = error.to_fault();
                tracing::warn!(container.id = %id, ?step, error = %error, "step failed");
                let now = self.now();
                let desired = self.desired(id);
                let unanswered = matches!(error, Error::Unavailable(_))
                    && matches!(step, Step::Create(_) | Step::Start(_) | Step::Stop(_));
                self.update(id, |_, memo| {
                    memo.unsure |= unanswered;
                    let retry = fault.kind.is_retryable();
                    memo.attempts += 1;
                    memo.not_before = Some(now + plan::pause(memo.attempts));
                    memo.fault = Some(fault);
                    if let Some(desired) = desired.filter(|_| !retry) {
                        memo.gave_up = Some((desired.incarnation, desired.restart_nonce));
                    }
                });
                // Stops and removals are not held back by `not_before`, which is for starting; without a pause they would be
                // tried as fast as the engine refuses them.
                if matches!(
                    step,
                    Step::Stop(_)
                        | Step::Remove(_)
                        | Step::BeginRestart(_)
                        | Step::FinishRestart { .. }
                ) {
                    tokio::time::sleep(plan::pause(0)).await;
                }
            }
        }
    }
}

fn ledger_failed(error: std::io::Error) -> Error {
    Error::fault(FaultKind::NoSpace, format!("the ledger could not be written: {error}"))
}
