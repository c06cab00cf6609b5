//! Named volumes. Pure commands over a transaction, and what the scheduler is told of them.

use std::{collections::BTreeMap, sync::Arc};

use berth_core::{
    container::{Container, ContainerSpec},
    desired::Belongings,
    id::{NodeId, StoreId, UserId, VolumeId},
    node::Node,
    storage::{Holder, Scope},
    violation::{Problem, Violation},
    volume::{NewMount, Volume, VolumeMount, VolumeName, VolumePlace, VolumeState},
};
use berth_scheduler::VolumeNeed;

use crate::{
    authz::Actor,
    containers::{self, Rules},
    error::{Error, Kind, Precondition, Quota},
    state::State,
    transaction::Transaction,
};

/// Which volume is meant: its owner (empty: the caller), and its name or id.
#[derive(Debug, Clone)]
pub struct Selector {
    pub owner: String,
    pub name: String,
}

/// What belongs to others does not exist for a student.
pub fn find<'a>(
    state: &'a State,
    actor: &Actor,
    selector: &Selector,
) -> Result<&'a Arc<Volume>, Error> {
    let missing = || Error::not_found(Kind::Volume, selector.name.clone());
    let found = match selector.name.parse::<VolumeId>() {
        Ok(id) => state.volumes.get(&id),
        Err(_) => {
            let owner = containers::owner(state, actor, &selector.owner).ok_or_else(missing)?;
            let name = VolumeName::parse(&selector.name).ok_or_else(missing)?;
            state.volume_by_name(owner, &name)
        }
    };
    found.filter(|volume| actor.may_reach(volume.owner)).ok_or_else(missing)
}

pub fn create(
    transaction: &mut Transaction,
    actor: &Actor,
    id: VolumeId,
    name: VolumeName,
    scope: Scope,
    rules: &Rules,
) -> Result<VolumeId, Error> {
    let state = transaction.state();
    let owner = &actor.user;
    if state.volume_by_name(owner.id, &name).is_some() {
        return Err(Error::AlreadyExists { kind: Kind::Volume, name: name.to_string() });
    }
    if state.volumes_of(owner.id).count() >= rules.volumes_per_person {
        let limit = u64::try_from(rules.volumes_per_person).unwrap_or(u64::MAX);
        return Err(Error::QuotaExceeded { subject: Quota::VolumesPerPerson, limit });
    }
    let place = match scope {
        Scope::Shared => {
            Some(VolumePlace { store: shared_store(state).ok_or_else(unavailable)?, node: None })
        }
        // Where the first container that wants it is placed.
        Scope::Local => {
            let keeps = |node: &Arc<Node>| node.inventory.storage.volumes.is_some();
            state.nodes.values().any(keeps).then_some(()).ok_or_else(unavailable)?;
            None
        }
    };
    let holder = Holder { account: owner.account.clone(), posix: owner.posix };
    let created_at = transaction.now();
    let owner = owner.id;
    transaction.put_volume(Volume {
        id,
        owner,
        name,
        scope,
        holder,
        created_at,
        place,
        state: VolumeState::Active,
    });
    Ok(id)
}

fn unavailable() -> Error {
    Error::InvalidArgument { violations: vec![Violation::new("scope", Problem::Unavailable)] }
}

/// The share that most blades see; sites have one.
fn shared_store(state: &State) -> Option<StoreId> {
    let mut blades: BTreeMap<StoreId, usize> = BTreeMap::new();
    for node in state.nodes.values() {
        if let Some(shared) = node.inventory.storage.shared() {
            *blades.entry(shared.id).or_default() += 1;
        }
    }
    let most = |a: &(StoreId, usize), b: &(StoreId, usize)| a.1.cmp(&b.1).then(b.0.cmp(&a.0));
    blades.into_iter().max_by(most).map(|(store, _)| store)
}

/// Its files go with it. What a container has is not deleted.
pub fn delete(
    transaction: &mut Transaction,
    actor: &Actor,
    selector: &Selector,
) -> Result<(), Error> {
    let volume = Volume::clone(find(transaction.state(), actor, selector)?);
    if containers_with(transaction.state(), &volume).next().is_some() {
        return Err(Error::FailedPrecondition(Precondition::VolumeInUse));
    }
    match (&volume.place, volume.state) {
        // No blade has ever made it.
        (None, _) => transaction.remove_volume(volume.id),
        (Some(_), VolumeState::Active) => {
            transaction.put_volume(Volume { state: VolumeState::Deleting, ..volume });
        }
        (Some(_), VolumeState::Deleting) => {}
    }
    Ok(())
}

/// Its blade says that nothing is left of it.
pub fn deleted(transaction: &mut Transaction, id: VolumeId) {
    let deleting = |volume: &Arc<Volume>| volume.state == VolumeState::Deleting;
    if transaction.state().volumes.get(&id).is_some_and(deleting) {
        transaction.remove_volume(id);
    }
}

/// Also those that are being deleted: until their blade has let go, it is in use.
pub fn containers_with<'a>(
    state: &'a State,
    volume: &Volume,
) -> impl Iterator<Item = &'a Arc<Container>> {
    let id = volume.id;
    state
        .containers_of(volume.owner)
        .filter(move |container| container.open_volumes().contains(&id))
}

/// The volumes that a request names, by their ids. Only the owner's own.
pub fn resolve(
    state: &State,
    owner: UserId,
    requested: &[NewMount],
) -> Result<Vec<VolumeMount>, Error> {
    let mut violations = Vec::new();
    let mut mounts = Vec::new();
    for (index, wanted) in requested.iter().enumerate() {
        let mut wrong = |problem| {
            violations.push(Violation::new(format!("volumes[{index}].name"), problem));
        };
        match state.volume_by_name(owner, &wanted.name) {
            None => wrong(Problem::NoSuchVolume),
            Some(volume) if volume.state == VolumeState::Deleting => wrong(Problem::VolumeDeleting),
            Some(volume) => mounts.push(VolumeMount {
                volume: volume.id,
                scope: volume.scope,
                path: wanted.path.clone(),
                access: wanted.access,
            }),
        }
    }
    if violations.is_empty() { Ok(mounts) } else { Err(Error::InvalidArgument { violations }) }
}

/// As a blade's orders have them.
pub(crate) fn of_engine(belongings: &Belongings) -> impl Iterator<Item = VolumeMount> {
    belongings.volumes.iter().map(|volume| VolumeMount {
        volume: volume.id,
        scope: volume.scope,
        path: volume.path.clone(),
        access: volume.access,
    })
}

/// What a blade must have for a container with these volumes.
pub(crate) fn needs(state: &State, spec: &ContainerSpec) -> Vec<VolumeNeed> {
    let need = |mount: &VolumeMount| match state.volumes.get(&mount.volume) {
        Some(volume) => match &volume.place {
            Some(place) => VolumeNeed::Store(place.store),
            None => VolumeNeed::AnyLocal,
        },
        // Lost with a database; its blade has the container, and decides.
        None => VolumeNeed::AnyLocal,
    };
    spec.volumes.iter().map(need).collect()
}

/// A volume that was nowhere yet is from now on where its container is.
pub(crate) fn bind(transaction: &mut Transaction, spec: &ContainerSpec, node: NodeId) {
    for mount in &spec.volumes {
        let state = transaction.state();
        let local = state.nodes.get(&node).and_then(|node| node.inventory.storage.volumes.as_ref());
        let (Some(volume), Some(local)) = (state.volumes.get(&mount.volume), local) else {
            continue;
        };
        if volume.place.is_none() {
            let place = Some(VolumePlace { store: local.id, node: Some(node) });
            let volume = Volume { place, ..Volume::clone(volume) };
            transaction.put_volume(volume);
        }
    }
}

/// Those that nobody wants any more, each with a blade that can take it away; `None` while none answers.
pub fn to_delete(state: &State) -> Vec<(Arc<Volume>, Option<NodeId>)> {
    let has = |node: &&Arc<Node>, volume: &Volume| {
        let there = |place: &VolumePlace| node.inventory.storage.has(place.store);
        node.liveness == berth_core::node::Liveness::Ready
            && volume.place.as_ref().is_some_and(there)
    };
    state
        .volumes
        .values()
        .filter(|volume| volume.state == VolumeState::Deleting)
        .map(|volume| {
            let node = state.nodes.values().find(|node| has(node, volume));
            (Arc::clone(volume), node.map(|node| node.id))
        })
        .collect()
}
