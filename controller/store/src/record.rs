//! What the stores need to know of an entity, whatever they keep it in.

use std::{collections::BTreeMap, sync::Arc};

use berth_core::{
    account::{Session, User},
    clock::Timestamp,
    container::Container,
    id::{ContainerId, NodeId, SessionId, ShareLinkId, UserId, VolumeId},
    join::JoinToken,
    node::{Liveness, Node},
    share::ShareLink,
    volume::Volume,
};

pub(crate) trait Record: Clone {
    type Key: Ord + Clone;

    fn key(&self) -> Self::Key;

    /// As it comes back from a store: without what is only known while the controller runs.
    fn at_rest(&self) -> Self {
        self.clone()
    }
}

/// A row may stand in a batch more than once, and the last one counts. PostgreSQL refuses a statement that writes a row
/// twice.
pub(crate) fn last_of_each<R: Record>(rows: &[Arc<R>]) -> BTreeMap<R::Key, &R> {
    rows.iter().map(|row| (row.key(), row.as_ref())).collect()
}

impl Record for User {
    type Key = UserId;

    fn key(&self) -> UserId {
        self.id
    }
}

impl Record for Session {
    type Key = SessionId;

    fn key(&self) -> SessionId {
        self.id
    }
}

impl Record for JoinToken {
    type Key = [u8; 32];

    fn key(&self) -> [u8; 32] {
        self.token_sha256
    }
}

impl Record for ShareLink {
    type Key = ShareLinkId;

    fn key(&self) -> ShareLinkId {
        self.id
    }
}

impl Record for Volume {
    type Key = VolumeId;

    fn key(&self) -> VolumeId {
        self.id
    }
}

impl Record for Node {
    type Key = NodeId;

    fn key(&self) -> NodeId {
        self.id
    }

    fn at_rest(&self) -> Self {
        Self {
            liveness: Liveness::default(),
            liveness_since: Timestamp::default(),
            troubles: Default::default(),
            ..self.clone()
        }
    }
}

impl Record for Container {
    type Key = ContainerId;

    fn key(&self) -> ContainerId {
        self.id
    }

    fn at_rest(&self) -> Self {
        Self { waiting: None, revision: 0, ..self.clone() }
    }
}
