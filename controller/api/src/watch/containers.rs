use std::collections::BTreeSet;

use berth_app::{state::State, writer::Committed};
use berth_core::{
    container::Container,
    id::{ContainerId, UserId},
};
use berth_proto::v1;

use super::{Kind, Part, Subject};
use crate::container::{Telling, message};

pub(crate) struct Containers {
    /// `None`: everybody's.
    owner: Option<UserId>,
    only: Option<ContainerId>,
    telling: Telling,
    /// What this stream has shown, and so may speak of when it is gone.
    shown: BTreeSet<ContainerId>,
    /// Whether `shown` is all that the caller knows. Not so after a resumption: the stream before this one showed the rest.
    complete: bool,
}

impl Containers {
    pub(crate) fn new(owner: Option<UserId>, only: Option<ContainerId>, telling: Telling) -> Self {
        Self { owner, only, telling, shown: BTreeSet::new(), complete: false }
    }

    fn sees(&self, container: &Container) -> bool {
        match (self.only, self.owner) {
            (Some(only), _) => container.id == only,
            (None, Some(owner)) => container.owner == owner,
            (None, None) => true,
        }
    }
}

impl Subject for Containers {
    type Id = ContainerId;
    type Row = v1::Container;
    type Response = v1::WatchContainersResponse;

    fn touched_since(committed: &Committed, sequence: u64) -> Option<BTreeSet<ContainerId>> {
        committed.containers_since(sequence)
    }

    fn all(&mut self, state: &State) -> Vec<v1::Container> {
        let seen: Vec<_> =
            state.containers.values().filter(|container| self.sees(container)).collect();
        self.shown = seen.iter().map(|container| container.id).collect();
        self.complete = true;
        seen.into_iter().map(|row| message(state, row, &self.telling)).collect()
    }

    fn changed(
        &mut self,
        state: &State,
        touched: &BTreeSet<ContainerId>,
    ) -> Option<(Vec<v1::Container>, Vec<String>)> {
        let (mut rows, mut removed) = (Vec::new(), Vec::new());
        for id in touched {
            match state.containers.get(id) {
                Some(container) if self.sees(container) => {
                    self.shown.insert(*id);
                    rows.push(message(state, container, &self.telling));
                }
                // Somebody else's.
                Some(_) => {}
                None if self.shown.remove(id) => removed.push(id.to_string()),
                None if self.complete => {}
                // Gone while the caller was away. Only its owner may hear so, and whose it was is no longer known.
                None => return None,
            }
        }
        Some((rows, removed))
    }

    fn response(part: Part<v1::Container>) -> v1::WatchContainersResponse {
        use v1::watch_containers_response::Kind as Wire;
        let kind = match part.kind {
            Kind::Snapshot => Wire::Snapshot,
            Kind::Change => Wire::Change,
            Kind::Bookmark => Wire::Bookmark,
        };
        v1::WatchContainersResponse {
            kind: kind.into(),
            containers: part.rows,
            removed_ids: part.removed,
            last: part.last,
            resume_token: part.token,
        }
    }
}
