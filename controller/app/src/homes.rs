//! Where somebody's home can be got at, without any container.

use std::time::Duration;

use berth_core::{
    container::Container,
    id::NodeId,
    node::{Liveness, Node},
    storage::{Holder, HomeMount, Scope},
};

use crate::{
    authz::Actor,
    containers,
    error::{Error, Kind, Precondition},
    state::State,
};

/// A blade is often back after this.
const LATER: Duration = Duration::from_secs(5);

/// Whose home `owner` names (empty: the actor's own), and a blade that has it.
pub fn find(state: &State, actor: &Actor, owner: &str) -> Result<(Holder, NodeId), Error> {
    let missing = || Error::not_found(Kind::User, owner);
    let user = containers::owner(state, actor, owner).ok_or_else(missing)?;
    let user = state.users.get(&user).ok_or_else(missing)?;
    let holder = Holder { account: user.account.clone(), posix: user.posix };
    let with_homes = || state.nodes.values().filter(|node| node.inventory.storage.homes.is_some());
    let answering = with_homes().filter(|node| node.liveness == Liveness::Ready);
    let used = last_used(state.containers_of(user.id).map(|container| &**container));
    let best = answering.min_by_key(|node| preference(node, used));
    match (best, with_homes().next()) {
        (Some(node), _) => Ok((holder, node.id)),
        (None, Some(_)) => Err(Error::Unavailable { retry_after: LATER }),
        (None, None) => Err(Error::FailedPrecondition(Precondition::NoHomes)),
    }
}

/// The blade where a container of theirs had its home last.
fn last_used<'a>(containers: impl Iterator<Item = &'a Container>) -> Option<NodeId> {
    containers
        .filter_map(|container| Some((container.created_at, container.placement.as_ref()?)))
        .filter(|(_, placement)| placement.home != HomeMount::None)
        .max_by_key(|(created_at, placement)| (*created_at, placement.node))
        .map(|(_, placement)| placement.node)
}

/// A shared home is the same everywhere. Of homes that are each blade's own, the one that was used last is meant.
fn preference(node: &Node, used: Option<NodeId>) -> (bool, bool, &str) {
    let shared =
        node.inventory.storage.homes.as_ref().is_some_and(|homes| homes.scope == Scope::Shared);
    (Some(node.id) != used, !shared, &node.name)
}
