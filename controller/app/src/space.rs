//! Limits of space that no file system keeps: who is over, and what is done about it. Pure, over what blades counted last.

use berth_core::{
    container::{Container, DesiredPhase, StopCause},
    id::ContainerId,
    space::{Fill, SpaceLimits, Taker},
    storage::{Enforcement, HomeMount, Scope},
    volume::Access,
};

use crate::{
    error::{Error, Precondition},
    state::State,
    transaction::Transaction,
};

/// What was counted last of something.
pub trait Counted {
    fn bytes(&self, taker: Taker) -> Option<u64>;
}

impl<F: Fn(Taker) -> Option<u64>> Counted for F {
    fn bytes(&self, taker: Taker) -> Option<u64> {
        self(taker)
    }
}

/// Everything that a container can fill and that is only counted.
fn takers(state: &State, container: &Container) -> Vec<Taker> {
    let mut takers = vec![Taker::Layer(container.id)];
    let Some(placement) = &container.placement else { return takers };
    let storage = state.nodes.get(&placement.node).map(|node| &node.inventory.storage);
    let homes = storage.and_then(|storage| storage.homes.as_ref());
    let is_counted = |enforcement| enforcement == Enforcement::Metered;
    if let (Some(homes), Some(holder)) = (homes, &container.spec.holder)
        && placement.home != HomeMount::None
        && is_counted(homes.enforcement)
    {
        takers.push(Taker::Home(homes.id, holder.posix.uid));
    }
    for mount in &container.spec.volumes {
        let store = storage.and_then(|storage| match mount.scope {
            Scope::Shared => storage.shared(),
            Scope::Local => storage.volumes.as_ref(),
        });
        if mount.access == Access::ReadWrite
            && store.is_some_and(|store| is_counted(store.enforcement))
        {
            takers.push(Taker::Volume(mount.volume));
        }
    }
    takers
}

/// What a container can fill, and is too full as it was counted last.
pub fn over(
    state: &State,
    counted: &impl Counted,
    limits: &SpaceLimits,
    container: &Container,
) -> Vec<Taker> {
    let is_over = |taker: &Taker| {
        counted.bytes(*taker).is_some_and(|bytes| limits.fill(*taker, bytes) >= Fill::Over)
    };
    takers(state, container).into_iter().filter(is_over).collect()
}

/// The worst of what a container can fill.
pub fn fill(
    state: &State,
    counted: &impl Counted,
    limits: &SpaceLimits,
    container: &Container,
) -> Fill {
    let fills = takers(state, container)
        .into_iter()
        .filter_map(|taker| Some(limits.fill(taker, counted.bytes(taker)?)));
    fills.max().unwrap_or(Fill::Fine)
}

/// Whoever is over makes room first; the page of files works without a container.
pub fn refuse_over(
    state: &State,
    counted: &impl Counted,
    limits: &SpaceLimits,
    container: &Container,
) -> Result<(), Error> {
    match fill(state, counted, limits, container) {
        Fill::Fine | Fill::NearlyFull => Ok(()),
        Fill::Over | Fill::FarOver => Err(Error::FailedPrecondition(Precondition::OverQuota)),
    }
}

/// Those that are far over, and run.
pub fn far_over(state: &State, counted: &impl Counted, limits: &SpaceLimits) -> Vec<ContainerId> {
    state
        .containers
        .values()
        .filter(|container| container.desired == DesiredPhase::Running && container.admitted)
        .filter(|container| fill(state, counted, limits, container) == Fill::FarOver)
        .map(|container| container.id)
        .collect()
}

/// Nothing is deleted: its owner makes room and starts it again.
pub fn stop(transaction: &mut Transaction, id: ContainerId) {
    let Some(container) = transaction.state().containers.get(&id) else { return };
    let mut container = Container::clone(container);
    if container.desired == DesiredPhase::Running {
        container.desired = DesiredPhase::Stopped;
        container.stop_cause = Some(StopCause::OverQuota);
        container.waiting = None;
        transaction.put_container(container);
    }
}
