//! Everything the controller knows, in memory.
//!
//! The maps are persistent (imbl): a clone shares all but what is changed later. So a snapshot for readers costs nothing,
//! a failed command is undone by putting the clone back, and so is a whole batch whose commit failed.

use std::{collections::BTreeSet, sync::Arc};

use berth_core::{
    account::{AccountName, Session, User},
    clock::Timestamp,
    container::DesiredPhase,
    container::{Container, ContainerName},
    desired::{DesiredContainer, DesiredSet, EngineSpec},
    id::{ClusterId, ContainerId, Epoch, NodeId, RequestId, SessionId, UserId},
    join::JoinToken,
    node::Node,
};
use berth_scheduler::{ClusterSnapshot, NodeSnapshot, Usage};
use imbl::{OrdMap, OrdSet};

use crate::ports::Records;

#[derive(Debug, Clone)]
pub struct State {
    pub cluster: ClusterId,
    pub epoch: Epoch,
    pub revision: u64,
    pub users: OrdMap<UserId, Arc<User>>,
    pub sessions: OrdMap<SessionId, Arc<Session>>,
    pub join_tokens: OrdMap<[u8; 32], Arc<JoinToken>>,
    pub nodes: OrdMap<NodeId, Arc<Node>>,
    pub containers: OrdMap<ContainerId, Arc<Container>>,

    // Indexes, kept by the `put_` and `remove_` functions alone.
    accounts: OrdMap<AccountName, UserId>,
    session_tokens: OrdMap<[u8; 32], SessionId>,
    names: OrdMap<(UserId, ContainerName), ContainerId>,
    requests: OrdMap<(UserId, RequestId), ContainerId>,
    by_node: OrdMap<NodeId, OrdSet<ContainerId>>,
    lease_ends: OrdSet<(Timestamp, ContainerId)>,
    /// First come, first served.
    waiting: OrdSet<(Timestamp, ContainerId)>,
    usage: OrdMap<NodeId, Arc<Usage>>,
    /// The generation in which a container that still holds its place was told not to run.
    stopped_in: OrdMap<ContainerId, u64>,
}

impl State {
    /// After a start. Liveness begins as unknown: nothing was heard yet.
    pub fn restore(records: Records) -> Self {
        let mut state = Self {
            cluster: records.cluster,
            epoch: records.epoch,
            revision: records.revision,
            users: OrdMap::new(),
            sessions: OrdMap::new(),
            join_tokens: OrdMap::new(),
            nodes: OrdMap::new(),
            containers: OrdMap::new(),
            accounts: OrdMap::new(),
            session_tokens: OrdMap::new(),
            names: OrdMap::new(),
            requests: OrdMap::new(),
            by_node: OrdMap::new(),
            lease_ends: OrdSet::new(),
            waiting: OrdSet::new(),
            usage: OrdMap::new(),
            stopped_in: OrdMap::new(),
        };
        records.users.into_iter().for_each(|user| state.put_user(Arc::new(user)));
        records.sessions.into_iter().for_each(|session| state.put_session(Arc::new(session)));
        for token in records.join_tokens {
            state.join_tokens.insert(token.token_sha256, Arc::new(token));
        }
        for node in records.nodes {
            state.nodes.insert(node.id, Arc::new(node));
        }
        for container in records.containers {
            // In which it was is not stored; the latest is late enough.
            if let Some((node, desired)) = desired_of(&container)
                && container.admitted
                && desired.phase != DesiredPhase::Running
            {
                let generation = state.nodes.get(&node).map_or(0, |node| node.desired_generation);
                state.stopped_in.insert(container.id, generation);
            }
            state.put_container(Arc::new(container));
        }
        state
    }

    // === reading ===

    pub fn user_by_account(&self, account: &AccountName) -> Option<&Arc<User>> {
        self.users.get(self.accounts.get(account)?)
    }

    pub fn session_by_token(&self, sha256: &[u8; 32]) -> Option<&Arc<Session>> {
        self.sessions.get(self.session_tokens.get(sha256)?)
    }

    pub fn container_by_name(
        &self,
        owner: UserId,
        name: &ContainerName,
    ) -> Option<&Arc<Container>> {
        self.containers.get(self.names.get(&(owner, name.clone()))?)
    }

    pub fn container_by_request(
        &self,
        owner: UserId,
        request: RequestId,
    ) -> Option<&Arc<Container>> {
        self.containers.get(self.requests.get(&(owner, request))?)
    }

    pub fn node_by_name(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes.values().find(|node| node.name == name)
    }

    /// In the order of their names.
    pub fn containers_of(&self, owner: UserId) -> impl Iterator<Item = &Arc<Container>> {
        let first = (owner, ContainerName::lowest());
        self.names
            .range(first..)
            .take_while(move |((user, _), _)| *user == owner)
            .filter_map(|(_, id)| self.containers.get(id))
    }

    pub fn containers_on(&self, node: NodeId) -> impl Iterator<Item = &Arc<Container>> {
        self.by_node.get(&node).into_iter().flatten().filter_map(|id| self.containers.get(id))
    }

    pub fn waiting(&self) -> impl Iterator<Item = ContainerId> {
        self.waiting.iter().map(|(_, id)| *id)
    }

    /// Those whose lease ended at or before `moment`.
    pub fn leases_ended(&self, moment: Timestamp) -> impl Iterator<Item = &Arc<Container>> {
        self.lease_ends
            .iter()
            .take_while(move |(ends_at, _)| *ends_at <= moment)
            .filter_map(|(_, id)| self.containers.get(id))
    }

    /// `None` for one that is told to run, or that holds no place.
    pub(crate) fn stopped_in(&self, id: ContainerId) -> Option<u64> {
        self.stopped_in.get(&id).copied()
    }

    pub fn usage(&self, node: NodeId) -> Usage {
        self.usage.get(&node).map(|usage| Usage::clone(usage)).unwrap_or_default()
    }

    /// What `node` is to run, all of it.
    pub fn desired_set(&self, node: NodeId) -> DesiredSet {
        let generation = self.nodes.get(&node).map_or(0, |node| node.desired_generation);
        let containers = self
            .containers_on(node)
            .filter_map(|container| desired_of(container))
            .map(|(_, desired)| (desired.id, desired))
            .collect();
        DesiredSet { epoch: self.epoch, generation, containers }
    }

    /// For the scheduler. `nothing` stands for the usage of blades on which nothing is set aside.
    pub fn cluster_snapshot<'a>(&'a self, nothing: &'a Usage) -> ClusterSnapshot<'a> {
        let nodes = self
            .nodes
            .values()
            .map(|node| NodeSnapshot {
                node,
                used: self.usage.get(&node.id).map_or(nothing, |used| used),
            })
            .collect();
        ClusterSnapshot { nodes }
    }

    // === writing ===

    pub(crate) fn put_user(&mut self, user: Arc<User>) {
        if let Some(old) = self.users.get(&user.id) {
            self.accounts.remove(&old.account);
        }
        self.accounts.insert(user.account.clone(), user.id);
        self.users.insert(user.id, user);
    }

    pub(crate) fn put_session(&mut self, session: Arc<Session>) {
        self.session_tokens.insert(session.token_sha256, session.id);
        self.sessions.insert(session.id, session);
    }

    pub(crate) fn remove_session(&mut self, id: SessionId) {
        if let Some(old) = self.sessions.remove(&id) {
            self.session_tokens.remove(&old.token_sha256);
        }
    }

    pub(crate) fn put_container(&mut self, container: Arc<Container>) {
        self.unindex(container.id);
        let id = container.id;
        self.names.insert((container.owner, container.name.clone()), id);
        if let Some(request) = container.request_id {
            self.requests.insert((container.owner, request), id);
        }
        if let Some(placement) = &container.placement {
            self.by_node.entry(placement.node).or_default().insert(id);
            self.account(&container, Direction::Take);
        }
        self.lease_ends.insert((container.lease_ends_at, id));
        if container.is_waiting() {
            self.waiting.insert((container.created_at, id));
        }
        self.containers.insert(id, container);
    }

    pub(crate) fn set_stopped_in(&mut self, id: ContainerId, generation: Option<u64>) {
        match generation {
            Some(generation) => self.stopped_in.insert(id, generation),
            None => self.stopped_in.remove(&id),
        };
    }

    pub(crate) fn remove_container(&mut self, id: ContainerId) {
        self.unindex(id);
        self.stopped_in.remove(&id);
        self.containers.remove(&id);
    }

    fn unindex(&mut self, id: ContainerId) {
        let Some(old) = self.containers.get(&id).cloned() else { return };
        self.names.remove(&(old.owner, old.name.clone()));
        if let Some(request) = old.request_id {
            self.requests.remove(&(old.owner, request));
        }
        if let Some(placement) = &old.placement {
            if let Some(here) = self.by_node.get_mut(&placement.node) {
                here.remove(&id);
            }
            self.account(&old, Direction::GiveBack);
        }
        self.lease_ends.remove(&(old.lease_ends_at, id));
        self.waiting.remove(&(old.created_at, id));
    }

    /// The one place where usage is added up.
    fn account(&mut self, container: &Container, direction: Direction) {
        let Some(placement) = &container.placement else { return };
        let entry = self.usage.entry(placement.node).or_default();
        let usage = Arc::make_mut(entry);
        let ports = placement.ports.iter().map(|port| port.host);
        match direction {
            Direction::Take => usage.ports.extend(ports),
            Direction::GiveBack => ports.for_each(|port| {
                usage.ports.remove(&port);
            }),
        }
        if container.admitted {
            let resources = container.spec.resources;
            match direction {
                Direction::Take => {
                    usage.resources = usage.resources.plus(resources);
                    usage.gpus.extend(placement.gpus.iter().cloned());
                }
                Direction::GiveBack => {
                    usage.resources = usage.resources.less(resources);
                    placement.gpus.iter().for_each(|gpu| {
                        usage.gpus.remove(gpu);
                    });
                }
            }
        }
    }

    /// What `usage` must be, added up from nothing: for tests and for the invariants of the simulation.
    pub fn usage_recounted(&self, node: NodeId) -> Usage {
        let mut usage = Usage::default();
        for container in self.containers.values() {
            let Some(placement) = container.placement.as_ref().filter(|p| p.node == node) else {
                continue;
            };
            usage.ports.extend(placement.ports.iter().map(|port| port.host));
            if container.admitted {
                usage.resources = usage.resources.plus(container.spec.resources);
                usage.gpus.extend(placement.gpus.iter().cloned());
            }
        }
        usage
    }

    /// GPUs that are set aside more than once: always empty.
    pub fn gpus_lent_twice(&self) -> BTreeSet<(NodeId, String)> {
        let mut seen = BTreeSet::new();
        let mut twice = BTreeSet::new();
        for container in self.containers.values().filter(|container| container.admitted) {
            if let Some(placement) = &container.placement {
                for gpu in &placement.gpus {
                    let key = (placement.node, gpu.as_str().to_owned());
                    if !seen.insert(key.clone()) {
                        twice.insert(key);
                    }
                }
            }
        }
        twice
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Take,
    GiveBack,
}

/// What a container's blade is told; `None` while it has no blade.
pub(crate) fn desired_of(container: &Container) -> Option<(NodeId, DesiredContainer)> {
    let placement = container.placement.as_ref()?;
    let spec = &container.spec;
    let phase = match container.desired {
        DesiredPhase::Running if container.admitted => DesiredPhase::Running,
        // Wants to run, but its room is not set aside: not yet.
        DesiredPhase::Running | DesiredPhase::Stopped => DesiredPhase::Stopped,
        DesiredPhase::Removed => DesiredPhase::Removed,
    };
    let desired = DesiredContainer {
        id: container.id,
        incarnation: container.incarnation,
        phase,
        restart_nonce: container.restart_nonce,
        not_after: container.lease_ends_at,
        spec: EngineSpec {
            image: spec.image.clone(),
            command: spec.command.clone(),
            environment: spec.environment.clone(),
            ports: placement.ports.clone(),
            gpus: placement.gpus.clone(),
            resources: spec.resources,
            tty: spec.tty,
            stdin: spec.stdin,
            user: container.owner,
            hostname: container.name.to_string(),
            runtime: spec.runtime,
        },
    };
    Some((placement.node, desired))
}
