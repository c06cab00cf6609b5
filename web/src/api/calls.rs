//! One function per call that the console makes.

use berth_proto::{method, v1::*};

use super::{
    error::Error,
    transport::{
        Retry::{Never, Once},
        unary,
    },
    watch::{Kind, Part, Watched},
};

pub(crate) async fn sign_in(account: String, password: String) -> Result<SignInResponse, Error> {
    let request = SignInRequest { account, password, device: String::new() };
    unary(method::AUTH_SIGN_IN, &request, Once).await
}

pub(crate) async fn sign_out() -> Result<SignOutResponse, Error> {
    unary(method::AUTH_SIGN_OUT, &SignOutRequest {}, Once).await
}

pub(crate) async fn get_self() -> Result<GetSelfResponse, Error> {
    unary(method::AUTH_GET_SELF, &GetSelfRequest {}, Once).await
}

/// Its `request_id` makes it safe to send again.
pub(crate) async fn create_container(request: &CreateContainerRequest) -> Result<Container, Error> {
    unary(method::CONTAINER_CREATE_CONTAINER, request, Once).await
}

pub(crate) async fn get_container(name: String, owner: String) -> Result<Container, Error> {
    let request = GetContainerRequest { name, owner };
    unary(method::CONTAINER_GET_CONTAINER, &request, Once).await
}

/// All of the caller's own: a person has few.
pub(crate) async fn list_own_containers() -> Result<Vec<Container>, Error> {
    let request = ListContainersRequest { page_size: 500, ..Default::default() };
    let answer: ListContainersResponse =
        unary(method::CONTAINER_LIST_CONTAINERS, &request, Once).await?;
    Ok(answer.containers)
}

/// What it is to be, in the fields that `fields` names. Sent again it changes nothing more.
pub(crate) async fn update_container(
    container: Container,
    fields: &[&str],
    how: Update,
) -> Result<Container, Error> {
    let paths = fields.iter().map(|&field| field.to_owned()).collect();
    let request = UpdateContainerRequest {
        container: Some(container),
        update_mask: Some(prost_types::FieldMask { paths }),
        allow_recreation: how == Update::Anew,
        validate_only: false,
    };
    unary(method::CONTAINER_UPDATE_CONTAINER, &request, Once).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Update {
    /// Refused where it takes another container.
    InPlace,
    Anew,
}

pub(crate) async fn explain_placement(
    container: CreateContainerRequest,
) -> Result<ExplainPlacementResponse, Error> {
    let request = ExplainPlacementRequest { container: Some(container) };
    unary(method::CONTAINER_EXPLAIN_PLACEMENT, &request, Once).await
}

pub(crate) async fn start_container(
    name: String,
    owner: String,
    with: Start,
) -> Result<Container, Error> {
    let request = StartContainerRequest { name, owner, with_shell: with == Start::WithShell };
    unary(method::CONTAINER_START_CONTAINER, &request, Once).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    AsItIs,
    WithShell,
}

pub(crate) async fn stop_container(name: String, owner: String) -> Result<Container, Error> {
    let request = StopContainerRequest { name, owner };
    unary(method::CONTAINER_STOP_CONTAINER, &request, Once).await
}

pub(crate) async fn restart_container(name: String, owner: String) -> Result<Container, Error> {
    let request = RestartContainerRequest { name, owner };
    unary(method::CONTAINER_RESTART_CONTAINER, &request, Once).await
}

pub(crate) async fn delete_container(
    name: String,
    owner: String,
) -> Result<DeleteContainerResponse, Error> {
    let request = DeleteContainerRequest { name, owner };
    unary(method::CONTAINER_DELETE_CONTAINER, &request, Once).await
}

/// `seconds` from now.
pub(crate) async fn extend_lease(
    name: String,
    owner: String,
    seconds: i64,
) -> Result<Container, Error> {
    let lease = Some(prost_types::Duration { seconds, nanos: 0 });
    let request = ExtendLeaseRequest { name, owner, lease };
    unary(method::CONTAINER_EXTEND_LEASE, &request, Once).await
}

pub(crate) async fn cordon_node(name: String) -> Result<Node, Error> {
    unary(method::NODE_CORDON_NODE, &CordonNodeRequest { name }, Once).await
}

pub(crate) async fn uncordon_node(name: String) -> Result<Node, Error> {
    unary(method::NODE_UNCORDON_NODE, &UncordonNodeRequest { name }, Once).await
}

pub(crate) async fn delete_node(
    name: String,
    containers: ItsContainers,
) -> Result<DeleteNodeResponse, Error> {
    let force = containers == ItsContainers::Forget;
    unary(method::NODE_DELETE_NODE, &DeleteNodeRequest { name, force }, Once).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItsContainers {
    /// The call fails while there are any.
    MustBeGone,
    Forget,
}

/// Not made twice: each makes another token.
pub(crate) async fn create_join_token(seconds: i64) -> Result<CreateJoinTokenResponse, Error> {
    let lifetime = Some(prost_types::Duration { seconds, nanos: 0 });
    unary(method::NODE_CREATE_JOIN_TOKEN, &CreateJoinTokenRequest { lifetime }, Never).await
}

impl Watched for WatchContainersResponse {
    type Request = WatchContainersRequest;
    type Item = Container;
    const METHOD: &'static str = method::CONTAINER_WATCH_CONTAINERS;

    fn take(self) -> Part<Container> {
        use watch_containers_response::Kind as Wire;
        let kind = match self.kind() {
            Wire::Snapshot => Kind::Snapshot,
            Wire::Change => Kind::Change,
            Wire::Bookmark | Wire::Unspecified => Kind::Bookmark,
        };
        Part {
            kind,
            items: self.containers,
            removed: self.removed_ids,
            last: self.last,
            resume_token: self.resume_token,
        }
    }
}

impl Watched for WatchNodesResponse {
    type Request = WatchNodesRequest;
    type Item = Node;
    const METHOD: &'static str = method::NODE_WATCH_NODES;

    fn take(self) -> Part<Node> {
        use watch_nodes_response::Kind as Wire;
        let kind = match self.kind() {
            Wire::Snapshot => Kind::Snapshot,
            Wire::Change => Kind::Change,
            Wire::Bookmark | Wire::Unspecified => Kind::Bookmark,
        };
        Part {
            kind,
            items: self.nodes,
            removed: self.removed_ids,
            last: self.last,
            resume_token: self.resume_token,
        }
    }
}
