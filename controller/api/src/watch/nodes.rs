use std::{collections::BTreeSet, sync::Arc};

use berth_app::{state::State, writer::Committed};
use berth_core::{clock::Clock, id::NodeId, text::Language};
use berth_proto::v1;

use super::{Kind, Part, Subject};
use crate::node::message;

pub(crate) struct Nodes {
    language: Language,
    clock: Arc<dyn Clock>,
}

impl Nodes {
    pub(crate) fn new(language: Language, clock: Arc<dyn Clock>) -> Self {
        Self { language, clock }
    }
}

impl Subject for Nodes {
    type Id = NodeId;
    type Row = v1::Node;
    type Response = v1::WatchNodesResponse;

    /// A blade's message also tells what is lent on it, so its containers' changes are its own. (One that is gone changed its
    /// blade's desired set, and with it the row.)
    fn touched_since(committed: &Committed, sequence: u64) -> Option<BTreeSet<NodeId>> {
        let mut nodes = committed.nodes_since(sequence)?;
        let containers = committed.containers_since(sequence)?;
        nodes.extend(containers.iter().filter_map(|id| {
            let placement = committed.state.containers.get(id)?.placement.as_ref()?;
            Some(placement.node)
        }));
        Some(nodes)
    }

    fn all(&mut self, state: &State) -> Vec<v1::Node> {
        let now = self.clock.now();
        state.nodes.values().map(|node| message(state, node, self.language, now)).collect()
    }

    fn changed(
        &mut self,
        state: &State,
        touched: &BTreeSet<NodeId>,
    ) -> Option<(Vec<v1::Node>, Vec<String>)> {
        let now = self.clock.now();
        let (mut rows, mut removed) = (Vec::new(), Vec::new());
        for id in touched {
            match state.nodes.get(id) {
                Some(node) => rows.push(message(state, node, self.language, now)),
                // Only administrators come here, and they may know every blade.
                None => removed.push(id.to_string()),
            }
        }
        Some((rows, removed))
    }

    fn response(part: Part<v1::Node>) -> v1::WatchNodesResponse {
        use v1::watch_nodes_response::Kind as Wire;
        let kind = match part.kind {
            Kind::Snapshot => Wire::Snapshot,
            Kind::Change => Wire::Change,
            Kind::Bookmark => Wire::Bookmark,
        };
        v1::WatchNodesResponse {
            kind: kind.into(),
            nodes: part.rows,
            removed_ids: part.removed,
            last: part.last,
            resume_token: part.token,
        }
    }
}
