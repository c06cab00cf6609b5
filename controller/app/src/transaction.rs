//! One batch of commands over the state: what they touched, and what that means for the blades.

use std::sync::Arc;

use berth_core::{
    account::{Session, User},
    clock::Timestamp,
    container::{Container, DesiredPhase},
    desired::DesiredContainer,
    id::{ContainerId, NodeId, SessionId, ShareLinkId, UserId, VolumeId},
    join::JoinToken,
    node::{Node, Trouble},
    share::ShareLink,
    volume::Volume,
};
use imbl::OrdSet;

use crate::{
    placement,
    ports::{ChangeSet, Changes},
    state::{State, desired_of},
};

/// Commands see and change the state through this; it remembers which rows they touched. Cheap to clone, like the state:
/// the copy is what a failed command is undone with.
#[derive(Clone)]
pub struct Transaction {
    state: State,
    now: Timestamp,
    touched: Touched,
    /// Something was freed, or a blade changed: those who wait may have a place now.
    room_appeared: bool,
    /// Blades whose desired set differs from before.
    stale: OrdSet<NodeId>,
}

#[derive(Clone, Default)]
struct Touched {
    users: OrdSet<UserId>,
    sessions: OrdSet<SessionId>,
    join_tokens: OrdSet<[u8; 32]>,
    nodes: OrdSet<NodeId>,
    containers: OrdSet<ContainerId>,
    share_links: OrdSet<ShareLinkId>,
    volumes: OrdSet<VolumeId>,
    /// Shown differently without any row changed: a blade fell silent.
    shown_nodes: OrdSet<NodeId>,
    shown_containers: OrdSet<ContainerId>,
}

/// What a batch did, ready for the store and for those who watch.
pub(crate) struct Outcome {
    pub(crate) state: State,
    pub(crate) changes: ChangeSet,
    pub(crate) containers: OrdSet<ContainerId>,
    pub(crate) nodes: OrdSet<NodeId>,
}

impl Transaction {
    pub fn new(state: State, now: Timestamp) -> Self {
        Self { state, now, touched: Touched::default(), room_appeared: false, stale: OrdSet::new() }
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn put_user(&mut self, user: User) {
        self.touched.users.insert(user.id);
        self.state.put_user(Arc::new(user));
    }

    pub fn put_session(&mut self, session: Session) {
        self.touched.sessions.insert(session.id);
        self.state.put_session(Arc::new(session));
    }

    pub fn remove_session(&mut self, id: SessionId) {
        self.touched.sessions.insert(id);
        self.state.remove_session(id);
    }

    pub fn put_join_token(&mut self, token: JoinToken) {
        self.touched.join_tokens.insert(token.token_sha256);
        self.state.join_tokens.insert(token.token_sha256, Arc::new(token));
    }

    pub fn remove_join_token(&mut self, sha256: [u8; 32]) {
        self.touched.join_tokens.insert(sha256);
        self.state.join_tokens.remove(&sha256);
    }

    pub fn put_node(&mut self, node: Node) {
        let old = self.state.nodes.get(&node.id).cloned();
        if old.as_deref() == Some(&node) {
            return;
        }
        if old.as_ref().is_none_or(|old| offers_more(old, &node)) {
            self.room_appeared = true;
        }
        if old.as_ref().is_none_or(|old| stored_part(old) != stored_part(&node)) {
            self.touched.nodes.insert(node.id);
        }
        if old.as_ref().is_some_and(|old| old.liveness != node.liveness || old.name != node.name) {
            let shown = self.state.containers_on(node.id).map(|container| container.id);
            self.touched.shown_containers.extend(shown);
        }
        self.touched.shown_nodes.insert(node.id);
        self.state.nodes.insert(node.id, Arc::new(node));
    }

    pub fn remove_node(&mut self, id: NodeId) {
        self.touched.nodes.insert(id);
        self.touched.shown_nodes.insert(id);
        self.state.nodes.remove(&id);
    }

    pub fn put_container(&mut self, mut container: Container) {
        let old = self.state.containers.get(&container.id).cloned();
        if old.as_deref() == Some(&container) {
            return;
        }
        let before = old.as_deref().and_then(desired_of);
        let after = desired_of(&container);
        if before != after {
            self.stale.extend(before.iter().chain(&after).map(|(node, _)| *node));
        }
        self.note_stop(before.as_ref(), after.as_ref(), &container);
        let gave_back = old.as_ref().is_some_and(|old| old.admitted && !container.admitted);
        let wants_place =
            container.is_waiting() && !old.as_ref().is_some_and(|old| old.is_waiting());
        // With less, what waits may fit, and what runs leaves room for others.
        let leaving =
            |container: &Container| container.placement.as_ref().and_then(|p| p.leaving.clone());
        let other_size = old
            .as_ref()
            .is_some_and(|old| old.spec != container.spec || leaving(old) != leaving(&container));
        self.room_appeared |= gave_back || wants_place || other_size;
        container.revision = self.state.revision + 1;
        self.touched.containers.insert(container.id);
        self.state.put_container(Arc::new(container));
    }

    /// Remembers the generation by which its blade is told not to run it any more.
    fn note_stop(
        &mut self,
        before: Option<&(NodeId, DesiredContainer)>,
        after: Option<&(NodeId, DesiredContainer)>,
        container: &Container,
    ) {
        let runs = |told: Option<&(NodeId, DesiredContainer)>| {
            told.is_some_and(|(_, told)| told.phase == DesiredPhase::Running)
        };
        match after {
            Some((node, _)) if container.admitted && !runs(after) => {
                // Never told to run, as far as is known: one of a ledger's, which may be about to stop.
                if runs(before) || self.state.stopped_in(container.id).is_none() {
                    let generation = self.state.nodes.get(node).map_or(0, |n| n.desired_generation);
                    // `finish` makes one new generation of the whole batch.
                    self.state.set_stopped_in(container.id, Some(generation + 1));
                }
            }
            Some(_) | None => self.state.set_stopped_in(container.id, None),
        }
    }

    pub fn remove_container(&mut self, id: ContainerId) {
        let Some(old) = self.state.containers.get(&id).cloned() else { return };
        self.stale.extend(desired_of(&old).map(|(node, _)| node));
        self.room_appeared = true;
        self.touched.containers.insert(id);
        // One of the same name that follows it is another one.
        let links: Vec<_> = self.state.share_links_of(id).map(|link| link.id).collect();
        links.into_iter().for_each(|link| self.remove_share_link(link));
        self.state.remove_container(id);
    }

    pub fn put_volume(&mut self, volume: Volume) {
        self.touched.volumes.insert(volume.id);
        self.state.put_volume(Arc::new(volume));
    }

    pub fn remove_volume(&mut self, id: VolumeId) {
        self.touched.volumes.insert(id);
        self.state.remove_volume(id);
    }

    pub fn put_share_link(&mut self, link: ShareLink) {
        self.touched.share_links.insert(link.id);
        self.state.put_share_link(Arc::new(link));
    }

    pub fn remove_share_link(&mut self, id: ShareLinkId) {
        self.touched.share_links.insert(id);
        self.state.remove_share_link(id);
    }

    /// The reasons that are shown to those who wait; not a stored change.
    pub(crate) fn explain_waiting(&mut self, mut container: Container) {
        container.revision = self.state.revision + 1;
        self.touched.shown_containers.insert(container.id);
        self.state.put_container(Arc::new(container));
    }

    /// Ends the batch: places those who wait, and gives every blade whose set changed one new generation, however many
    /// commands changed it.
    pub(crate) fn finish(mut self) -> Option<Outcome> {
        if std::mem::take(&mut self.room_appeared) {
            placement::place_waiting(&mut self);
        }
        for id in std::mem::take(&mut self.stale) {
            // A blade whose ledger is ahead is not caught up with by counting: it would take an old order for a new one.
            if let Some(node) = self.state.nodes.get(&id)
                && !node.troubles.contains(&Trouble::LedgerAhead)
            {
                let mut node = Node::clone(node);
                node.desired_generation += 1;
                self.put_node(node);
            }
        }
        let touched = self.touched;
        let nothing_stored = touched.users.is_empty()
            && touched.sessions.is_empty()
            && touched.join_tokens.is_empty()
            && touched.nodes.is_empty()
            && touched.containers.is_empty()
            && touched.share_links.is_empty()
            && touched.volumes.is_empty();
        if nothing_stored && touched.shown_nodes.is_empty() && touched.shown_containers.is_empty() {
            return None;
        }
        let mut state = self.state;
        state.revision += u64::from(!nothing_stored);
        let changes = ChangeSet {
            revision: state.revision,
            users: changes(touched.users, |id| state.users.get(id).cloned()),
            sessions: changes(touched.sessions, |id| state.sessions.get(id).cloned()),
            join_tokens: changes(touched.join_tokens, |hash| state.join_tokens.get(hash).cloned()),
            nodes: changes(touched.nodes.clone(), |id| state.nodes.get(id).cloned()),
            containers: changes(touched.containers.clone(), |id| state.containers.get(id).cloned()),
            share_links: changes(touched.share_links, |id| state.share_links.get(id).cloned()),
            volumes: changes(touched.volumes, |id| state.volumes.get(id).cloned()),
        };
        let containers = touched.containers.union(touched.shown_containers);
        let nodes = touched.nodes.union(touched.shown_nodes);
        Some(Outcome { state, changes, containers, nodes })
    }
}

impl Outcome {
    /// Something has to be made durable before anybody may hear of it.
    pub(crate) fn must_commit(&self) -> bool {
        let c = &self.changes;
        !(c.users.is_empty()
            && c.sessions.is_empty()
            && c.join_tokens.is_empty()
            && c.nodes.is_empty()
            && c.containers.is_empty()
            && c.share_links.is_empty()
            && c.volumes.is_empty())
    }
}

fn changes<K: Ord + Clone, V>(
    touched: OrdSet<K>,
    get: impl Fn(&K) -> Option<Arc<V>>,
) -> Changes<K, V> {
    let mut changes = Changes::default();
    for key in touched {
        match get(&key) {
            Some(row) => changes.upserts.push(row),
            None => changes.deletes.push(key),
        }
    }
    changes
}

/// A node without what is never stored.
fn stored_part(node: &Node) -> Node {
    Node {
        liveness: Default::default(),
        liveness_since: Timestamp::default(),
        troubles: Default::default(),
        ..node.clone()
    }
}

fn offers_more(old: &Node, new: &Node) -> bool {
    old.liveness != new.liveness
        || old.troubles != new.troubles
        || old.spoke_in != new.spoke_in
        || old.availability != new.availability
        || old.inventory != new.inventory
        || old.excluded_ports != new.excluded_ports
}
