//! Blades, for administrators.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use berth_app::{
    authz::Access,
    error::{Error, Kind},
    nodes::{self, Disposition},
    sign_in,
    state::State,
    transaction::Transaction,
};
use berth_core::{
    clock::Timestamp,
    id::NodeId,
    join::JoinString,
    node::{Availability, Node},
    text::Language,
    violation::{Problem, Violation},
};
use berth_proto::{
    convert::{
        self,
        node::{View, desired_phase, observed_phase},
        timestamp,
    },
    v1::{self, node_service_server::NodeService},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{
    Api,
    caller::{Caller, answer},
    container::account,
    page, text,
    watch::{self, nodes::Nodes},
};

const JOIN_LIFETIME_DEFAULT: Duration = Duration::from_secs(3600);
/// Long enough to walk to the machine.
const JOIN_LIFETIME_MINIMUM: Duration = Duration::from_secs(60);
/// A secret that waits in somebody's notes should not wait for ever.
const JOIN_LIFETIME_MAXIMUM: Duration = Duration::from_secs(7 * 24 * 3600);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl NodeService for Api {
    type WatchNodesStream = ReceiverStream<Result<v1::WatchNodesResponse, Status>>;

    async fn list_nodes(
        &self,
        request: Request<v1::ListNodesRequest>,
    ) -> Answer<v1::ListNodesResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let (committed, now) = (self.committed(), self.0.clock.now());
            let state = &committed.state;
            let mut rows: Vec<&Arc<Node>> = state.nodes.values().collect();
            rows.sort_by(|a, b| a.name.cmp(&b.name));
            let total_size = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            let (size, token) = (message.page_size, message.page_token);
            let own = |text: &str| Some(text.to_owned());
            let (rows, next_page_token) =
                page::cut(rows, size, &token, |node| node.name.clone(), own, String::clone)?;
            let show = |node: &Arc<Node>| self::message(state, node, caller.language, now);
            let nodes = rows.into_iter().map(show).collect();
            Ok(v1::ListNodesResponse { nodes, next_page_token, total_size })
        })
        .await
    }

    async fn get_node(&self, request: Request<v1::GetNodeRequest>) -> Answer<v1::Node> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let id = nodes::find(&self.committed().state, &message.name)?.id;
            self.show_node(&caller, id)
        })
        .await
    }

    async fn watch_nodes(
        &self,
        request: Request<v1::WatchNodesRequest>,
    ) -> Answer<Self::WatchNodesStream> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let subject = Nodes::new(caller.language, Arc::clone(&self.0.clock));
            Ok(watch::start(self, caller, Access::Administrator, &message.resume_token, subject))
        })
        .await
    }

    async fn create_join_token(
        &self,
        request: Request<v1::CreateJoinTokenRequest>,
    ) -> Answer<v1::CreateJoinTokenResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let lifetime = join_lifetime(message.lifetime.as_ref())?;
            let token = sign_in::new_token("berth_j_")?;
            let hash = sign_in::hash(&token);
            let command = move |transaction: &mut Transaction| {
                Ok(nodes::add_join_token(transaction, hash, lifetime))
            };
            let expires_at = self.0.writer.apply(command).await?;
            tracing::info!(user.account = %caller.actor()?.user.account, "join token made");
            let controller = self.0.join.agents_address.clone();
            let join = JoinString { controller, ca_sha256: self.0.join.ca_sha256, token };
            let expire_time = Some(timestamp(expires_at));
            Ok(v1::CreateJoinTokenResponse { join_string: join.to_string(), expire_time })
        })
        .await
    }

    async fn cordon_node(&self, request: Request<v1::CordonNodeRequest>) -> Answer<v1::Node> {
        answer(request, |caller: Arc<Caller>, message| async move {
            self.set_availability(&caller, message.name, Availability::Cordoned).await
        })
        .await
    }

    async fn uncordon_node(&self, request: Request<v1::UncordonNodeRequest>) -> Answer<v1::Node> {
        answer(request, |caller: Arc<Caller>, message| async move {
            self.set_availability(&caller, message.name, Availability::Active).await
        })
        .await
    }

    async fn delete_node(
        &self,
        request: Request<v1::DeleteNodeRequest>,
    ) -> Answer<v1::DeleteNodeResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let disposition = if message.force {
                Disposition::ForgetContainers
            } else {
                Disposition::RefuseIfInUse
            };
            let name = message.name.clone();
            let command =
                move |transaction: &mut Transaction| nodes::delete(transaction, &name, disposition);
            self.0.writer.apply(command).await?;
            let account = &caller.actor()?.user.account;
            tracing::info!(user.account = %account, node.name = message.name, "blade forgotten");
            Ok(v1::DeleteNodeResponse {})
        })
        .await
    }

    async fn get_desired(
        &self,
        request: Request<v1::GetDesiredRequest>,
    ) -> Answer<v1::GetDesiredResponse> {
        answer(request, |_, message: v1::GetDesiredRequest| async move {
            let committed = self.committed();
            let id = nodes::find(&committed.state, &message.name)?.id;
            let set = committed.state.desired_set(id);
            let lines = set.containers.values().map(|container| v1::DesiredLine {
                container_id: container.id.to_string(),
                incarnation: container.incarnation,
                phase: desired_phase(container.phase).to_owned(),
                restart_nonce: container.restart_nonce,
                not_after: Some(timestamp(container.not_after)),
            });
            Ok(v1::GetDesiredResponse {
                cluster_epoch: set.epoch.to_string(),
                generation: set.generation,
                containers: lines.collect(),
            })
        })
        .await
    }

    async fn get_observed(
        &self,
        request: Request<v1::GetObservedRequest>,
    ) -> Answer<v1::GetObservedResponse> {
        answer(request, |_, message: v1::GetObservedRequest| async move {
            let committed = self.committed();
            let node = nodes::find(&committed.state, &message.name)?;
            let lines = committed.state.containers_on(node.id).filter_map(|container| {
                let observed = container.observed.as_ref()?;
                let fault = observed.fault.as_ref().map(|f| format!("{:?}: {}", f.kind, f.detail));
                Some(v1::ObservedLine {
                    container_id: container.id.to_string(),
                    incarnation: observed.incarnation,
                    phase: observed_phase(observed.phase).to_owned(),
                    fault: fault.unwrap_or_default(),
                })
            });
            let reconciled_generation = node.reconciled_generation;
            Ok(v1::GetObservedResponse { reconciled_generation, containers: lines.collect() })
        })
        .await
    }
}

impl Api {
    async fn set_availability(
        &self,
        caller: &Caller,
        name: String,
        availability: Availability,
    ) -> Result<v1::Node, Error> {
        let command = move |transaction: &mut Transaction| {
            nodes::set_availability(transaction, &name, availability)
        };
        let id = self.0.writer.apply(command).await?;
        self.show_node(caller, id)
    }

    fn show_node(&self, caller: &Caller, id: NodeId) -> Result<v1::Node, Error> {
        let committed = self.committed();
        let node = committed
            .state
            .nodes
            .get(&id)
            .ok_or_else(|| Error::not_found(Kind::Node, id.to_string()))?;
        Ok(message(&committed.state, node, caller.language, self.0.clock.now()))
    }
}

/// A blade's row as its message, with what is lent on it.
pub(crate) fn message(state: &State, node: &Node, language: Language, now: Timestamp) -> v1::Node {
    let mut lent = BTreeMap::new();
    let mut containers = 0;
    for container in state.containers_on(node.id) {
        containers += 1;
        let held = container.placement.as_ref().filter(|_| container.admitted);
        for gpu in held.iter().flat_map(|placement| &placement.gpus) {
            let owner = account(state, container.owner);
            lent.insert(gpu, format!("{owner}-{}", container.name));
        }
    }
    let used = state.usage(node.id).resources;
    let problems = text::problems(language, node, now);
    convert::node::node(View { node, used, lent, containers, problems })
}

fn join_lifetime(asked: Option<&prost_types::Duration>) -> Result<Duration, Error> {
    let Some(asked) = asked else { return Ok(JOIN_LIFETIME_DEFAULT) };
    let seconds = u64::try_from(convert::seconds(asked)).unwrap_or(0);
    let lifetime = Duration::from_secs(seconds);
    let problem = if lifetime < JOIN_LIFETIME_MINIMUM {
        Problem::TooSmall { minimum: format!("{} s", JOIN_LIFETIME_MINIMUM.as_secs()) }
    } else if lifetime > JOIN_LIFETIME_MAXIMUM {
        Problem::TooLarge { maximum: format!("{} h", JOIN_LIFETIME_MAXIMUM.as_secs() / 3600) }
    } else {
        return Ok(lifetime);
    };
    Err(Error::InvalidArgument { violations: vec![Violation::new("lifetime", problem)] })
}
