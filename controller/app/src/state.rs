//! Everything the controller knows, in memory.
//!
//! The maps are persistent (imbl): a clone shares all but what is changed later. So a snapshot for readers costs nothing,
//! a failed command is undone by putting the clone back, and so is a whole batch whose commit failed.

use std::{collections::BTreeSet, sync::Arc};

use berth_core::{
    account::{AccountName, Session, User},
    app_host::AppKey,
    clock::Timestamp,
    container::DesiredPhase,
    container::{Container, ContainerName},
    desired::{Belongings, DesiredContainer, DesiredSet, EngineSpec, EngineVolume},
    id::{
        ClusterId, ContainerId, Epoch, NodeId, RequestId, SessionId, ShareLinkId, UserId, VolumeId,
    },
    join::JoinToken,
    node::Node,
    share::ShareLink,
    volume::{Volume, VolumeMount, VolumeName},
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
    pub share_links: OrdMap<ShareLinkId, Arc<ShareLink>>,
    pub volumes: OrdMap<VolumeId, Arc<Volume>>,

    // Indexes, kept by the `put_` and `remove_` functions alone.
    accounts: OrdMap<AccountName, UserId>,
    session_tokens: OrdMap<[u8; 32], SessionId>,
    names: OrdMap<(UserId, ContainerName), ContainerId>,
    requests: OrdMap<(UserId, RequestId), ContainerId>,
    app_hosts: OrdMap<AppKey, ContainerId>,
    share_tokens: OrdMap<[u8; 32], ShareLinkId>,
    links_of: OrdSet<(ContainerId, ShareLinkId)>,
    volume_names: OrdMap<(UserId, VolumeName), VolumeId>,
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
            share_links: OrdMap::new(),
            volumes: OrdMap::new(),
            accounts: OrdMap::new(),
            session_tokens: OrdMap::new(),
            names: OrdMap::new(),
            requests: OrdMap::new(),
            app_hosts: OrdMap::new(),
            share_tokens: OrdMap::new(),
            links_of: OrdSet::new(),
            volume_names: OrdMap::new(),
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
        records.volumes.into_iter().for_each(|volume| state.put_volume(Arc::new(volume)));
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
        records.share_links.into_iter().for_each(|link| state.put_share_link(Arc::new(link)));
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

    /// The container behind a host name.
    pub fn container_by_host(&self, key: &AppKey) -> Option<&Arc<Container>> {
        self.containers.get(self.app_hosts.get(key)?)
    }

    pub fn share_link_by_token(&self, sha256: &[u8; 32]) -> Option<&Arc<ShareLink>> {
        self.share_links.get(self.share_tokens.get(sha256)?)
    }

    /// The oldest first, ended ones too.
    pub fn share_links_of(&self, container: ContainerId) -> impl Iterator<Item = &Arc<ShareLink>> {
        let first = (container, ShareLinkId::new(uuid::Uuid::nil()));
        self.links_of
            .range(first..)
            .take_while(move |(of, _)| *of == container)
            .filter_map(|(_, id)| self.share_links.get(id))
    }

    pub fn volume_by_name(&self, owner: UserId, name: &VolumeName) -> Option<&Arc<Volume>> {
        self.volumes.get(self.volume_names.get(&(owner, name.clone()))?)
    }

    /// A person has a few.
    pub fn volumes_of(&self, owner: UserId) -> impl Iterator<Item = &Arc<Volume>> {
        self.volumes.values().filter(move |volume| volume.owner == owner)
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
        let host = AppKey::of(container.owner, &container.name);
        self.app_hosts.entry(host).or_insert(id);
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

    pub(crate) fn put_share_link(&mut self, link: Arc<ShareLink>) {
        self.share_tokens.insert(link.token_sha256, link.id);
        self.links_of.insert((link.container, link.id));
        self.share_links.insert(link.id, link);
    }

    pub(crate) fn remove_share_link(&mut self, id: ShareLinkId) {
        if let Some(old) = self.share_links.remove(&id) {
            self.share_tokens.remove(&old.token_sha256);
            self.links_of.remove(&(old.container, id));
        }
    }

    pub(crate) fn put_volume(&mut self, volume: Arc<Volume>) {
        self.volume_names.insert((volume.owner, volume.name.clone()), volume.id);
        self.volumes.insert(volume.id, volume);
    }

    pub(crate) fn remove_volume(&mut self, id: VolumeId) {
        if let Some(old) = self.volumes.remove(&id) {
            self.volume_names.remove(&(old.owner, old.name.clone()));
        }
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
        let host = AppKey::of(old.owner, &old.name);
        if self.app_hosts.get(&host) == Some(&id) {
            self.app_hosts.remove(&host);
        }
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
            let (resources, gpus) = container.set_aside();
            match direction {
                Direction::Take => {
                    usage.resources = usage.resources.plus(resources);
                    usage.gpus.extend(gpus);
                }
                Direction::GiveBack => {
                    usage.resources = usage.resources.less(resources);
                    gpus.iter().for_each(|gpu| {
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
                let (resources, gpus) = container.set_aside();
                usage.resources = usage.resources.plus(resources);
                usage.gpus.extend(gpus);
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
                for gpu in container.set_aside().1 {
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

fn engine_volume(mount: &VolumeMount) -> EngineVolume {
    EngineVolume {
        id: mount.volume,
        scope: mount.scope,
        path: mount.path.clone(),
        access: mount.access,
    }
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
            belongings: spec.holder.clone().map(|holder| Belongings {
                holder,
                run_as: spec.run_as,
                home: placement.home,
                volumes: spec.volumes.iter().map(engine_volume).collect(),
            }),
        },
    };
    Some((placement.node, desired))
}
