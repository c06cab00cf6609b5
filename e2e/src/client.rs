//! gRPC with a bearer token.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use berth_proto::v1::{
    Liveness, Node, SignInRequest, WatchNodesRequest, auth_service_client::AuthServiceClient,
    container_service_client::ContainerServiceClient, node_service_client::NodeServiceClient,
    watch_nodes_response,
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::demo::{Demo, User};

/// Between two looks at something that tells nobody when it changes.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Session {
    pub containers: ContainerServiceClient<InterceptedService<Channel, Bearer>>,
    pub nodes: NodeServiceClient<InterceptedService<Channel, Bearer>>,
    pub auth: AuthServiceClient<InterceptedService<Channel, Bearer>>,
}

/// Connects at the first call, and again whenever the connection is lost.
pub fn channel(demo: &Demo) -> Result<Channel> {
    let authority = std::fs::read(&demo.ca_file)
        .with_context(|| format!("{} cannot be read", demo.ca_file.display()))?;
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
    let endpoint = Endpoint::from_shared(demo.url.clone())?
        .tls_config(tls)?
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_secs(5));
    Ok(endpoint.connect_lazy())
}

pub async fn sign_in(demo: &Demo, user: &User) -> Result<Session> {
    let channel = channel(demo)?;
    let response = AuthServiceClient::new(channel.clone())
        .sign_in(SignInRequest {
            account: user.name.clone(),
            password: user.password.clone(),
            device: "berth-e2e".to_owned(),
        })
        .await
        .with_context(|| format!("{} cannot sign in", user.name))?
        .into_inner();
    let bearer = Bearer(format!("Bearer {}", response.token).parse()?);
    Ok(Session {
        containers: ContainerServiceClient::with_interceptor(channel.clone(), bearer.clone()),
        nodes: NodeServiceClient::with_interceptor(channel.clone(), bearer.clone()),
        auth: AuthServiceClient::with_interceptor(channel, bearer),
    })
}

/// Waits until the controller says that it serves.
pub async fn until_serving(demo: &Demo, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        let answer = serving(demo).await;
        match answer {
            Ok(ServingStatus::Serving) => return Ok(()),
            Ok(_) | Err(_) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            Ok(status) => bail!("the controller says {} after {patience:?}", status.as_str_name()),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("no answer from {} in {patience:?}", demo.url));
            }
        }
    }
}

async fn serving(demo: &Demo) -> Result<ServingStatus> {
    // The authority's certificate appears with the controller's first start: read it at each attempt.
    let mut health = HealthClient::new(channel(demo)?);
    let answer = health.check(HealthCheckRequest::default()).await?;
    Ok(answer.into_inner().status())
}

/// Waits until a blade takes containers.
pub async fn until_a_node_is_ready(demo: &Demo, patience: Duration) -> Result<Node> {
    let mut session = sign_in(demo, demo.administrator()?).await?;
    let mut last_seen = Vec::new();
    let ready = tokio::time::timeout(patience, ready_node(&mut session, &mut last_seen)).await;
    match ready {
        Ok(node) => node,
        Err(_) => {
            let seen: Vec<String> = last_seen
                .iter()
                .map(|node| {
                    let liveness = node.liveness().as_str_name();
                    format!("{} is {liveness} {}", node.name, node.problems.join("; "))
                })
                .collect();
            let seen = if seen.is_empty() { "none has joined".to_owned() } else { seen.join(", ") };
            bail!("no blade is ready after {patience:?}: {seen}")
        }
    }
}

async fn ready_node(session: &mut Session, last_seen: &mut Vec<Node>) -> Result<Node> {
    loop {
        let mut changes =
            session.nodes.watch_nodes(WatchNodesRequest::default()).await?.into_inner();
        while let Ok(Some(change)) = changes.message().await {
            if change.kind() == watch_nodes_response::Kind::Snapshot {
                last_seen.clear();
            }
            for node in change.nodes {
                if node.liveness() == Liveness::Ready && node.problems.is_empty() {
                    return Ok(node);
                }
                last_seen.retain(|seen| seen.id != node.id);
                last_seen.push(node);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
