//! Links that open one port of a container to whoever has them. Pure commands over a transaction.

use std::{sync::Arc, time::Duration};

use berth_core::{
    container::{Container, DesiredPhase},
    id::ShareLinkId,
    share::{self, ShareLink},
};

use crate::{
    authz::Actor,
    containers::{self, Selector},
    error::{Error, Kind, Precondition, Quota},
    state::State,
    transaction::Transaction,
};

/// A link that is to be made.
#[derive(Debug, Clone)]
pub struct NewLink {
    pub id: ShareLinkId,
    pub port: u16,
    pub token_sha256: [u8; 32],
    pub lifetime: Duration,
}

pub fn create(
    transaction: &mut Transaction,
    actor: &Actor,
    selector: &Selector,
    new: NewLink,
) -> Result<Arc<ShareLink>, Error> {
    let container = containers::find(transaction.state(), actor, selector)?;
    if container.desired == DesiredPhase::Removed {
        return Err(Error::FailedPrecondition(Precondition::BeingDeleted));
    }
    let (container, now) = (container.id, transaction.now());
    let live = transaction.state().share_links_of(container).filter(|link| link.expires_at > now);
    if live.count() >= share::PER_CONTAINER {
        let limit = u64::try_from(share::PER_CONTAINER).unwrap_or(u64::MAX);
        return Err(Error::QuotaExceeded { subject: Quota::LinksPerContainer, limit });
    }
    let NewLink { id, port, token_sha256, lifetime } = new;
    let link = ShareLink {
        id,
        container,
        port,
        token_sha256,
        created_by: actor.user.id,
        created_at: now,
        expires_at: now + lifetime,
    };
    transaction.put_share_link(link.clone());
    Ok(Arc::new(link))
}

/// Of a container that the actor may reach; an id alone opens nothing.
pub fn delete(
    transaction: &mut Transaction,
    actor: &Actor,
    selector: &Selector,
    id: &str,
) -> Result<(), Error> {
    let container = containers::find(transaction.state(), actor, selector)?.id;
    let missing = || Error::not_found(Kind::ShareLink, id);
    let link: ShareLinkId = id.parse().map_err(|_| missing())?;
    let found = transaction.state().share_links.get(&link);
    found.filter(|link| link.container == container).ok_or_else(missing)?;
    transaction.remove_share_link(link);
    Ok(())
}

/// The container and the port that a token opens now.
pub fn opened<'a>(
    state: &'a State,
    token_sha256: &[u8; 32],
    now: berth_core::clock::Timestamp,
) -> Option<(&'a Arc<ShareLink>, &'a Arc<Container>)> {
    let link = state.share_link_by_token(token_sha256)?;
    live(state, link, now).map(|container| (link, container))
}

/// The container that a link opens, unless its time is over.
pub fn live<'a>(
    state: &'a State,
    link: &ShareLink,
    now: berth_core::clock::Timestamp,
) -> Option<&'a Arc<Container>> {
    // The one who made it may have been suspended since: then nobody answers for it.
    let answered = state.users.get(&link.created_by).is_some_and(|user| !user.suspended);
    let container = state.containers.get(&link.container)?;
    let owned = state.users.get(&container.owner).is_some_and(|user| !user.suspended);
    (answered && owned && link.expires_at > now).then_some(container)
}

/// Links that have ended by themselves.
pub fn forget_expired_links(transaction: &mut Transaction) {
    let now = transaction.now();
    let expired: Vec<ShareLinkId> = transaction
        .state()
        .share_links
        .values()
        .filter(|link| link.expires_at <= now)
        .map(|link| link.id)
        .collect();
    expired.into_iter().for_each(|id| transaction.remove_share_link(id));
}
