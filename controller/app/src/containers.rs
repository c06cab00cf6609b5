//! What people do with containers. Pure commands over a transaction: who may, when, and what it leads to.

use std::{sync::Arc, time::Duration};

use berth_core::{
    account::User,
    clock::Timestamp,
    container::{Container, ContainerName, ContainerSpec, DesiredPhase, StopCause},
    create::NewContainer,
    id::{ContainerId, UserId},
    space::SpaceLimits,
    storage::Holder,
    volume::VolumeMount,
};
pub use berth_scheduler::Decision;

use crate::{
    authz::Actor,
    error::{Error, Kind, Precondition, Quota},
    placement,
    state::State,
    transaction::Transaction,
    volumes,
};

/// Which container is meant: by its owner (empty: the caller) and its name, or by its id.
#[derive(Debug, Clone)]
pub struct Selector {
    pub owner: String,
    pub name: String,
}

/// The site's rules that commands apply.
#[derive(Debug, Clone)]
pub struct Rules {
    pub containers_per_person: usize,
    pub volumes_per_person: usize,
    pub space: SpaceLimits,
    /// How long a container is kept, stopped, after its lease ended.
    pub grace: Duration,
}

/// Finds a container that the actor may reach. What belongs to others does not exist for a student.
pub fn find<'a>(
    state: &'a State,
    actor: &Actor,
    selector: &Selector,
) -> Result<&'a Arc<Container>, Error> {
    let missing = || Error::not_found(Kind::Container, selector.name.clone());
    let found = match selector.name.parse::<ContainerId>() {
        Ok(id) => state.containers.get(&id),
        Err(_) => {
            let owner = owner(state, actor, &selector.owner).ok_or_else(missing)?;
            let name = ContainerName::parse(&selector.name).ok_or_else(missing)?;
            state.container_by_name(owner, &name)
        }
    };
    found.filter(|container| actor.may_reach(container.owner)).ok_or_else(missing)
}

/// The account that `text` names, if the actor may ask about it at all.
pub fn owner(state: &State, actor: &Actor, text: &str) -> Option<UserId> {
    if text.is_empty() {
        return Some(actor.user.id);
    }
    let account = berth_core::account::AccountName::parse(text)?;
    let owner = state.user_by_account(&account)?.id;
    actor.may_reach(owner).then_some(owner)
}

pub fn create(
    transaction: &mut Transaction,
    actor: &Actor,
    id: ContainerId,
    new: NewContainer,
    rules: &Rules,
) -> Result<ContainerId, Error> {
    make(transaction, actor, id, new, rules, DesiredPhase::Running)
}

/// Made, and not started: it needs no place before somebody starts it.
pub fn define(
    transaction: &mut Transaction,
    actor: &Actor,
    id: ContainerId,
    new: NewContainer,
    rules: &Rules,
) -> Result<ContainerId, Error> {
    make(transaction, actor, id, new, rules, DesiredPhase::Stopped)
}

fn make(
    transaction: &mut Transaction,
    actor: &Actor,
    id: ContainerId,
    new: NewContainer,
    rules: &Rules,
    desired: DesiredPhase,
) -> Result<ContainerId, Error> {
    let state = transaction.state();
    if let Some(request) = new.request_id
        && let Some(made) = state.container_by_request(actor.user.id, request)
    {
        return Ok(made.id);
    }
    if state.container_by_name(actor.user.id, &new.name).is_some() {
        return Err(Error::AlreadyExists { kind: Kind::Container, name: new.name.to_string() });
    }
    if state.containers_of(actor.user.id).count() >= rules.containers_per_person {
        let limit = u64::try_from(rules.containers_per_person).unwrap_or(u64::MAX);
        return Err(Error::QuotaExceeded { subject: Quota::ContainersPerPerson, limit });
    }
    let now = transaction.now();
    let volumes = volumes::resolve(transaction.state(), actor.user.id, &new.volumes)?;
    let container = Container { desired, ..draft(id, &actor.user, new, volumes, now) };
    transaction.put_container(container);
    Ok(id)
}

/// A container as it is before the scheduler has seen it.
fn draft(
    id: ContainerId,
    owner: &User,
    new: NewContainer,
    volumes: Vec<VolumeMount>,
    now: Timestamp,
) -> Container {
    let holder = Holder::of(owner);
    Container {
        id,
        owner: owner.id,
        name: new.name,
        request_id: new.request_id,
        created_at: now,
        spec: ContainerSpec { holder: Some(holder), volumes, lease: Some(new.lease), ..new.spec },
        lease_ends_at: now + new.lease,
        desired: DesiredPhase::Running,
        stop_cause: None,
        incarnation: 1,
        restart_nonce: 1,
        placement: None,
        admitted: false,
        waiting: None,
        revision: 0,
        observed: None,
    }
}

/// What the scheduler would say; nothing is kept.
pub fn explain(
    state: &State,
    actor: &Actor,
    id: ContainerId,
    new: NewContainer,
    now: Timestamp,
) -> Result<Decision, Error> {
    let volumes = volumes::resolve(state, actor.user.id, &new.volumes)?;
    Ok(placement::decide(state, &draft(id, &actor.user, new, volumes, now)))
}

pub fn start(
    transaction: &mut Transaction,
    actor: &Actor,
    selector: &Selector,
) -> Result<ContainerId, Error> {
    let mut container = startable(transaction, actor, selector)?;
    let id = container.id;
    // Running, on its way, or waiting: the wish is already there.
    if container.desired != DesiredPhase::Running {
        run_again(&mut container);
        transaction.put_container(container);
    }
    Ok(id)
}

/// For an image that ends at once: the same container with a shell and a terminal for its program. It is made anew, since
/// an engine cannot change a container's command.
pub fn start_with_shell(
    transaction: &mut Transaction,
    actor: &Actor,
    selector: &Selector,
) -> Result<ContainerId, Error> {
    let mut container = startable(transaction, actor, selector)?;
    container.spec.command = vec!["sh".to_owned()];
    container.spec.tty = true;
    container.spec.stdin = true;
    container.incarnation += 1;
    run_again(&mut container);
    let id = container.id;
    transaction.put_container(container);
    Ok(id)
}

fn startable(
    transaction: &Transaction,
    actor: &Actor,
    selector: &Selector,
) -> Result<Container, Error> {
    let container = find(transaction.state(), actor, selector)?;
    refuse_deleted(container)?;
    if container.lease_ends_at <= transaction.now() {
        return Err(Error::FailedPrecondition(Precondition::LeaseEnded));
    }
    Ok(Container::clone(container))
}

fn run_again(container: &mut Container) {
    container.desired = DesiredPhase::Running;
    container.stop_cause = None;
    container.restart_nonce += 1;
}

pub fn stop(
    transaction: &mut Transaction,
    actor: &Actor,
    selector: &Selector,
) -> Result<ContainerId, Error> {
    let mut container = Container::clone(find(transaction.state(), actor, selector)?);
    refuse_deleted(&container)?;
    let id = container.id;
    if container.desired == DesiredPhase::Running {
        container.desired = DesiredPhase::Stopped;
        container.stop_cause = Some(StopCause::ByUser);
        container.waiting = None;
        transaction.put_container(container);
    }
    Ok(id)
}

pub fn restart(
    transaction: &mut Transaction,
    actor: &Actor,
    selector: &Selector,
) -> Result<ContainerId, Error> {
    let container = find(transaction.state(), actor, selector)?;
    if container.desired != DesiredPhase::Running {
        return start(transaction, actor, selector);
    }
    let mut container = Container::clone(container);
    container.restart_nonce += 1;
    let id = container.id;
    transaction.put_container(container);
    Ok(id)
}

pub fn delete(
    transaction: &mut Transaction,
    actor: &Actor,
    selector: &Selector,
) -> Result<(), Error> {
    let container = Container::clone(find(transaction.state(), actor, selector)?);
    remove(transaction, container);
    Ok(())
}

/// Leaves a tombstone for the blade. Only what never had a blade goes at once.
pub(crate) fn remove(transaction: &mut Transaction, mut container: Container) {
    if container.placement.is_none() {
        transaction.remove_container(container.id);
    } else if container.desired != DesiredPhase::Removed {
        container.desired = DesiredPhase::Removed;
        container.waiting = None;
        transaction.put_container(container);
    }
}

pub fn extend_lease(
    transaction: &mut Transaction,
    actor: &Actor,
    selector: &Selector,
    lease: Duration,
) -> Result<ContainerId, Error> {
    let mut container = Container::clone(find(transaction.state(), actor, selector)?);
    refuse_deleted(&container)?;
    container.lease_ends_at = transaction.now() + lease;
    container.spec.lease = Some(lease);
    let id = container.id;
    transaction.put_container(container);
    Ok(id)
}

/// What the end of leases asks for: stop what has ended, remove what was kept long enough.
pub fn expire_leases(transaction: &mut Transaction, rules: &Rules) {
    let now = transaction.now();
    let ended: Vec<Container> = transaction
        .state()
        .leases_ended(now)
        .map(|container| Container::clone(container))
        .collect();
    for mut container in ended {
        if container.lease_ends_at + rules.grace <= now {
            remove(transaction, container);
        } else if container.desired == DesiredPhase::Running {
            container.desired = DesiredPhase::Stopped;
            container.stop_cause = Some(StopCause::LeaseEnded);
            container.waiting = None;
            transaction.put_container(container);
        }
    }
}

pub(crate) fn refuse_deleted(container: &Container) -> Result<(), Error> {
    match container.desired {
        DesiredPhase::Removed => Err(Error::FailedPrecondition(Precondition::BeingDeleted)),
        DesiredPhase::Running | DesiredPhase::Stopped => Ok(()),
    }
}
