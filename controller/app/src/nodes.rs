//! Blades: how they join, and what administrators do with them.

use std::{sync::Arc, time::Duration};

use berth_core::{
    clock::Timestamp,
    container::Container,
    create::is_label,
    id::NodeId,
    join::{JoinToken, UsedBy},
    node::{Availability, Inventory, Liveness, Node, Trouble},
};

use crate::{
    error::{Error, Kind, Precondition},
    state::State,
    transaction::Transaction,
};

/// By name or id.
pub fn find<'a>(state: &'a State, name: &str) -> Result<&'a Arc<Node>, Error> {
    let found = match name.parse::<NodeId>() {
        Ok(id) => state.nodes.get(&id),
        Err(_) => state.node_by_name(name),
    };
    found.ok_or_else(|| Error::not_found(Kind::Node, name))
}

pub fn add_join_token(
    transaction: &mut Transaction,
    token_sha256: [u8; 32],
    lifetime: Duration,
) -> Timestamp {
    let expires_at = transaction.now() + lifetime;
    transaction.put_join_token(JoinToken { token_sha256, expires_at, used_by: None });
    expires_at
}

/// What an agent asks with its token.
#[derive(Debug, Clone)]
pub struct Enrolment {
    pub token_sha256: [u8; 32],
    pub public_key_sha256: [u8; 32],
    pub node_name: String,
    /// The id for a new node.
    pub id: NodeId,
}

/// Why a blade may not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolError {
    #[error("the join token is unknown, used or expired")]
    Token,
    #[error("a node's name has letters, digits, '.', '_' and '-', at most 63")]
    Name,
    #[error("a node of this name exists already")]
    NameTaken,
}

/// Spends the token and makes the node. The same key with the same token gets the same node again: the answer may have
/// been lost.
pub fn enrol(transaction: &mut Transaction, enrolment: &Enrolment) -> Result<NodeId, EnrolError> {
    let state = transaction.state();
    let token = state.join_tokens.get(&enrolment.token_sha256).ok_or(EnrolError::Token)?;
    if token.expires_at <= transaction.now() {
        return Err(EnrolError::Token);
    }
    if let Some(used_by) = &token.used_by {
        let same = used_by.public_key_sha256 == enrolment.public_key_sha256;
        return if same && state.nodes.contains_key(&used_by.node) {
            Ok(used_by.node)
        } else {
            Err(EnrolError::Token)
        };
    }
    let name = &enrolment.node_name;
    if name.is_empty() || !is_label(name) || name.contains('/') {
        return Err(EnrolError::Name);
    }
    if state.node_by_name(name).is_some() {
        return Err(EnrolError::NameTaken);
    }
    let mut token = JoinToken::clone(token);
    token.used_by =
        Some(UsedBy { node: enrolment.id, public_key_sha256: enrolment.public_key_sha256 });
    let (now, epoch) = (transaction.now(), transaction.state().epoch);
    transaction.put_join_token(token);
    transaction.put_node(Node {
        id: enrolment.id,
        name: name.clone(),
        joined_at: now,
        certificate_expires_at: now,
        availability: Availability::Active,
        desired_generation: 1,
        inventory: Inventory::default(),
        agent_version: String::new(),
        reconciled_generation: 0,
        orphans: 0,
        // Nothing is on it that could be unknown.
        spoke_in: Some(epoch),
        excluded_ports: Default::default(),
        liveness: Liveness::Unknown,
        liveness_since: now,
        troubles: Default::default(),
    });
    Ok(enrolment.id)
}

pub fn certificate_issued(transaction: &mut Transaction, id: NodeId, expires_at: Timestamp) {
    if let Some(node) = transaction.state().nodes.get(&id) {
        let mut node = Node::clone(node);
        node.certificate_expires_at = expires_at;
        transaction.put_node(node);
    }
}

pub fn set_availability(
    transaction: &mut Transaction,
    name: &str,
    availability: Availability,
) -> Result<NodeId, Error> {
    let mut node = Node::clone(find(transaction.state(), name)?);
    node.availability = availability;
    if availability == Availability::Active {
        // Somebody has looked. If it goes on, it is found again.
        node.troubles.remove(&Trouble::TwoAgents);
    }
    let id = node.id;
    transaction.put_node(node);
    Ok(id)
}

/// Forgets a blade: from then on its certificate opens nothing. Its containers are forgotten with it only by force,
/// because whatever runs there is then nobody's.
pub fn delete(
    transaction: &mut Transaction,
    name: &str,
    disposition: Disposition,
) -> Result<(), Error> {
    let id = find(transaction.state(), name)?.id;
    let containers: Vec<Arc<Container>> = transaction.state().containers_on(id).cloned().collect();
    match disposition {
        Disposition::RefuseIfInUse if !containers.is_empty() => {
            return Err(Error::FailedPrecondition(Precondition::NodeHasContainers));
        }
        Disposition::RefuseIfInUse | Disposition::ForgetContainers => {}
    }
    for container in containers {
        transaction.remove_container(container.id);
    }
    transaction.remove_node(id);
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    RefuseIfInUse,
    ForgetContainers,
}

/// Tokens that nobody can use any more.
pub fn forget_expired_tokens(transaction: &mut Transaction) {
    let now = transaction.now();
    let expired: Vec<[u8; 32]> = transaction
        .state()
        .join_tokens
        .values()
        .filter(|token| token.expires_at <= now)
        .map(|token| token.token_sha256)
        .collect();
    for sha256 in expired {
        transaction.remove_join_token(sha256);
    }
}
