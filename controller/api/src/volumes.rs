//! Homes and named volumes.

use std::{sync::Arc, time::Duration};

use berth_app::{
    authz::Actor,
    containers,
    error::{Error, Precondition},
    homes, space,
    state::State,
    volumes::{self, Selector},
};
use berth_core::{
    id::VolumeId,
    node::Node,
    relay::{Frame, OperationKind, Target},
    space::{Fill, Taker},
    storage::{Enforcement, Holder, Scope},
    violation::{Problem, Violation},
    volume::{Volume, VolumeName, VolumeState},
};
use berth_proto::{
    convert,
    v1::{self, volume_service_server::VolumeService},
};
use tokio::time::timeout;
use tonic::{Request, Response, Status};

use crate::{
    Api,
    caller::{Caller, answer},
    container,
    exec::At,
};

/// Somebody waits; a home with a million files takes seconds.
const RECOUNT: Duration = Duration::from_secs(30);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl VolumeService for Api {
    async fn create_volume(&self, request: Request<v1::CreateVolumeRequest>) -> Answer<v1::Volume> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let actor = caller.actor()?.clone();
            let name = VolumeName::check("name", &message.name)
                .map_err(|violations| Error::InvalidArgument { violations })?;
            let scope = scope(&self.committed().state, message.scope)?;
            let (id, rules) = (VolumeId::new(self.0.ids.next()), self.0.rules.clone());
            self.0
                .writer
                .apply(move |transaction| {
                    volumes::create(transaction, &actor, id, name, scope, &rules)
                })
                .await?;
            self.volume(&caller, id)
        })
        .await
    }

    async fn get_volume(&self, request: Request<v1::GetVolumeRequest>) -> Answer<v1::Volume> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let selector = Selector { owner: message.owner, name: message.name };
            let state = &self.committed().state;
            let volume = volumes::find(state, caller.actor()?, &selector)?;
            Ok(self.message(state, volume))
        })
        .await
    }

    async fn list_volumes(
        &self,
        request: Request<v1::ListVolumesRequest>,
    ) -> Answer<v1::ListVolumesResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let state = &self.committed().state;
            let owner = container::owner_or_missing(state, caller.actor()?, &message.owner)?;
            let mut volumes: Vec<_> =
                state.volumes_of(owner).map(|volume| self.message(state, volume)).collect();
            volumes.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(v1::ListVolumesResponse { volumes })
        })
        .await
    }

    async fn delete_volume(
        &self,
        request: Request<v1::DeleteVolumeRequest>,
    ) -> Answer<v1::DeleteVolumeResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let actor: Actor = caller.actor()?.clone();
            let selector = Selector { owner: message.owner, name: message.name };
            self.0
                .writer
                .apply(move |transaction| volumes::delete(transaction, &actor, &selector))
                .await?;
            Ok(v1::DeleteVolumeResponse {})
        })
        .await
    }

    async fn get_home(&self, request: Request<v1::GetHomeRequest>) -> Answer<v1::Home> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let state = &self.committed().state;
            let (holder, node) = homes::find(state, caller.actor()?, &message.owner)?;
            let node = state.nodes.get(&node);
            let kept = node.and_then(|node| node.inventory.storage.homes.as_ref());
            let scope = kept.map_or(Scope::Local, |homes| homes.scope);
            Ok(v1::Home {
                path: holder.home(),
                scope: scope_message(scope).into(),
                node: node_of(scope, node.map(|node| &**node)),
                uid: holder.posix.uid,
                gid: holder.posix.gid,
                used_bytes: kept.and_then(|homes| {
                    self.0.figures.space(Taker::Home(homes.id, holder.posix.uid))
                }),
                limit_bytes: self.0.rules.space.home.unwrap_or(0),
                limit_enforced: kept
                    .is_some_and(|homes| homes.enforcement == Enforcement::Enforced),
            })
        })
        .await
    }
}

impl Api {
    /// A container that fills what is full already is not started. What was too full when it was counted last is counted
    /// anew: its owner may have made room since.
    pub(crate) async fn refuse_over_quota(
        &self,
        caller: &Caller,
        selector: &containers::Selector,
    ) -> Result<(), Error> {
        let committed = self.committed();
        let state = &committed.state;
        let container = containers::find(state, caller.actor()?, selector)?;
        let counted = |taker| self.0.figures.space(taker);
        for taker in space::over(state, &counted, &self.0.rules.space, container) {
            let at = match (taker, &container.spec.holder, &container.placement) {
                (Taker::Home(..), Some(holder), Some(placement)) => {
                    At { target: Target::Home(holder.clone()), node: placement.node }
                }
                (Taker::Volume(id), Some(holder), Some(placement)) => {
                    let scope = state.volumes.get(&id).map_or(Scope::Local, |volume| volume.scope);
                    let target = Target::Volume { id, scope, holder: holder.clone() };
                    At { target, node: placement.node }
                }
                (Taker::Layer(id), _, Some(placement)) => At::container(id, placement.node),
                (Taker::Home(..) | Taker::Volume(_) | Taker::Layer(_), _, _) => continue,
            };
            self.recount(taker, &at).await;
        }
        space::refuse_over(state, &counted, &self.0.rules.space, container)
    }

    /// Where a new one would be is not known yet; whoever has filled a home anywhere makes room first.
    pub(crate) async fn refuse_full_home(&self, caller: &Caller) -> Result<(), Error> {
        let user = &caller.actor()?.user;
        let committed = self.committed();
        let is_over = |taker| {
            let bytes = self.0.figures.space(taker);
            bytes.is_some_and(|bytes| self.0.rules.space.fill(taker, bytes) >= Fill::Over)
        };
        for node in committed.state.nodes.values() {
            let Some(store) = &node.inventory.storage.homes else { continue };
            let taker = Taker::Home(store.id, user.posix.uid);
            if store.enforcement == Enforcement::Metered && is_over(taker) {
                let holder = Holder { account: user.account.clone(), posix: user.posix };
                self.recount(taker, &At { target: Target::Home(holder), node: node.id }).await;
                if is_over(taker) {
                    return Err(Error::FailedPrecondition(Precondition::OverQuota));
                }
            }
        }
        Ok(())
    }

    /// What cannot be counted now stays as it was counted last.
    async fn recount(&self, taker: Taker, at: &At) {
        if !self.0.figures.may_ask(taker, self.0.clock.now()) {
            return;
        }
        let asked = async {
            let mut relay = self.relay(at, OperationKind::Measure).await.ok()?;
            let answer = relay.from.recv().await?;
            if let Frame::Position(bytes) = answer { Some(bytes) } else { None }
        };
        match timeout(RECOUNT, asked).await {
            Ok(Some(bytes)) => self.0.figures.set_space(taker, bytes, self.0.clock.now()),
            Ok(None) | Err(_) => tracing::info!(relay.target = %at.target, "not counted anew"),
        }
    }

    fn volume(&self, caller: &Caller, id: VolumeId) -> Result<v1::Volume, Error> {
        let state = &self.committed().state;
        let selector = Selector { owner: String::new(), name: id.to_string() };
        volumes::find(state, caller.actor()?, &selector).map(|volume| self.message(state, volume))
    }
}

impl Api {
    fn message(&self, state: &State, volume: &Volume) -> v1::Volume {
        let node = volume.place.as_ref().and_then(|place| place.node);
        let node = node.and_then(|node| state.nodes.get(&node));
        v1::Volume {
            id: volume.id.to_string(),
            name: volume.name.to_string(),
            owner: container::account(state, volume.owner).to_owned(),
            scope: scope_message(volume.scope).into(),
            node: node.map(|node| node.name.clone()).unwrap_or_default(),
            create_time: Some(convert::timestamp(volume.created_at)),
            containers: volumes::containers_with(state, volume)
                .map(|container| container.name.to_string())
                .collect(),
            deleting: volume.state == VolumeState::Deleting,
            used_bytes: self.0.figures.space(Taker::Volume(volume.id)),
            limit_bytes: self.0.rules.space.volume.unwrap_or(0),
        }
    }
}

/// Without a wish: shared, where the site has that.
fn scope(state: &State, scope: i32) -> Result<Scope, Error> {
    let shared = state.nodes.values().any(|node| node.inventory.storage.shared().is_some());
    match v1::VolumeScope::try_from(scope) {
        Ok(v1::VolumeScope::Unspecified) if shared => Ok(Scope::Shared),
        Ok(v1::VolumeScope::Unspecified | v1::VolumeScope::Node) => Ok(Scope::Local),
        Ok(v1::VolumeScope::Shared) => Ok(Scope::Shared),
        Err(_) => Err(Error::InvalidArgument {
            violations: vec![Violation::new("scope", Problem::UnknownValue)],
        }),
    }
}

fn scope_message(scope: Scope) -> v1::VolumeScope {
    match scope {
        Scope::Shared => v1::VolumeScope::Shared,
        Scope::Local => v1::VolumeScope::Node,
    }
}

fn node_of(scope: Scope, node: Option<&Node>) -> String {
    match scope {
        Scope::Shared => String::new(),
        Scope::Local => node.map(|node| node.name.clone()).unwrap_or_default(),
    }
}
