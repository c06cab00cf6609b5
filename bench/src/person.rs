//! Somebody who is signed in, with an open watch on their containers.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use berth_proto::v1::{
    Capacity, CreateJoinTokenRequest, DeleteContainerRequest, ListNodesRequest, Liveness, Node,
    Phase, SignInRequest, WatchContainersRequest, auth_service_client::AuthServiceClient,
    container_service_client::ContainerServiceClient, exec_service_client::ExecServiceClient,
    node_service_client::NodeServiceClient,
};
use tokio::sync::mpsc;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

/// Longer than anything that is measured.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

pub(crate) type As = InterceptedService<Channel, Bearer>;

/// One connection, kept alive, for everybody.
pub(crate) async fn connect(url: &str, authority: &Path) -> Result<Channel> {
    let authority = std::fs::read(authority)
        .with_context(|| format!("{} cannot be read", authority.display()))?;
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
    let endpoint = Endpoint::from_shared(url.to_owned())?.tls_config(tls)?.tcp_nodelay(true);
    endpoint.connect().await.context("the controller does not answer")
}

pub(crate) async fn sign_in(channel: &Channel, account: &str, password: &str) -> Result<Bearer> {
    let request = SignInRequest {
        account: account.to_owned(),
        password: password.to_owned(),
        device: "berth-bench".to_owned(),
    };
    let answer = AuthServiceClient::new(channel.clone()).sign_in(request).await?.into_inner();
    Ok(Bearer(format!("Bearer {}", answer.token).parse()?))
}

// === the administrator ===

pub(crate) struct Administrator {
    nodes: NodeServiceClient<As>,
}

impl Administrator {
    pub(crate) async fn sign_in(channel: &Channel, password: &str) -> Result<Self> {
        let bearer = sign_in(channel, "admin", password).await?;
        Ok(Self { nodes: NodeServiceClient::with_interceptor(channel.clone(), bearer) })
    }

    pub(crate) async fn join_string(&mut self) -> Result<String> {
        let answer = self.nodes.create_join_token(CreateJoinTokenRequest::default()).await?;
        Ok(answer.into_inner().join_string)
    }

    /// Waits until the blade has room: what others had there is taken for used until the agent looks again.
    pub(crate) async fn until_there_is_room(&mut self, cpu_millis: u32) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let node = self.ready_node().await?;
            let millis = |capacity: Option<Capacity>| capacity.map_or(0, |it| it.cpu_millis);
            let free = millis(node.offered).saturating_sub(millis(node.used));
            if free >= cpu_millis {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the blade has room for {free} thousandths of a core, not {cpu_millis}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The only blade, when it takes containers.
    pub(crate) async fn ready_node(&mut self) -> Result<Node> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let nodes = self.nodes.list_nodes(ListNodesRequest::default()).await?.into_inner();
            let node = nodes.nodes.into_iter().next();
            if let Some(node) = &node
                && node.liveness() == Liveness::Ready
                && node.problems.is_empty()
                && node.offered.is_some_and(|offered| offered.cpu_millis > 0)
            {
                return Ok(node.clone());
            }
            if Instant::now() > deadline {
                bail!("the blade is not ready: {node:?}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

// === somebody who borrows ===

/// What the watch said, and when it was read.
enum Told {
    Shown { name: String, id: String, phase: Phase, reason: String, at: Instant },
    Gone { id: String },
    Broken(Status),
}

pub(crate) type ExecClient = ExecServiceClient<As>;

pub(crate) struct Person {
    containers: ContainerServiceClient<As>,
    exec: ExecClient,
    told: mpsc::UnboundedReceiver<Told>,
    ids: HashMap<String, String>,
}

/// Containers that did not come to run, with what was said of them.
pub(crate) type Lost = Vec<(String, String)>;

impl Person {
    pub(crate) async fn sign_in(channel: &Channel, account: &str, password: &str) -> Result<Self> {
        let bearer = sign_in(channel, account, password).await?;
        let exec = ExecServiceClient::with_interceptor(channel.clone(), bearer.clone());
        let mut containers = ContainerServiceClient::with_interceptor(channel.clone(), bearer);
        let mut watch =
            containers.watch_containers(WatchContainersRequest::default()).await?.into_inner();
        let (sender, told) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let message = watch.message().await;
                let at = Instant::now();
                let message = match message {
                    Ok(Some(message)) => message,
                    Ok(None) => break,
                    Err(status) => {
                        let _ = sender.send(Told::Broken(status));
                        break;
                    }
                };
                for container in message.containers {
                    let phase = container.phase();
                    let reason = container.reason.map(|reason| reason.message).unwrap_or_default();
                    let (name, id) = (container.name, container.id);
                    // Nobody listens any more: the process is about to end.
                    let _ = sender.send(Told::Shown { name, id, phase, reason, at });
                }
                for id in message.removed_ids {
                    let _ = sender.send(Told::Gone { id });
                }
            }
        });
        Ok(Self { containers, exec, told, ids: HashMap::new() })
    }

    /// For calls beside this one's waiting.
    pub(crate) fn client(&self) -> ContainerServiceClient<As> {
        self.containers.clone()
    }

    pub(crate) fn exec(&self) -> ExecClient {
        self.exec.clone()
    }

    /// When the last of them was seen running, and those that were not. Cancel-safe as long as nobody cares what was told
    /// meanwhile.
    pub(crate) async fn until_running(&mut self, names: &[String]) -> Result<(Instant, Lost)> {
        let mut missing: HashSet<&str> = names.iter().map(String::as_str).collect();
        let mut lost = Lost::new();
        let mut last = Instant::now();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !missing.is_empty() {
            let Ok(told) = tokio::time::timeout_at(deadline, self.told.recv()).await else {
                let late = |name: &&str| ((*name).to_owned(), format!("not in {PATIENCE:?}"));
                lost.extend(missing.iter().map(late));
                break;
            };
            match told.context("the watch ended")? {
                Told::Shown { name, id, phase, reason, at } => {
                    self.ids.insert(name.clone(), id);
                    match phase {
                        Phase::Running if missing.remove(name.as_str()) => last = at,
                        Phase::Failed | Phase::Stopped if missing.remove(name.as_str()) => {
                            lost.push((name, reason));
                        }
                        _ => {}
                    }
                }
                Told::Gone { .. } => {}
                Told::Broken(status) => return Err(status.into()),
            }
        }
        Ok((last, lost))
    }

    /// Deletes them all at once and waits until the watch has shown all of them gone.
    pub(crate) async fn remove(&mut self, names: &[String]) -> Result<()> {
        let calls = names.iter().map(|name| {
            let mut containers = self.containers.clone();
            let name = name.clone();
            tokio::spawn(async move {
                let request = DeleteContainerRequest { name, owner: String::new() };
                containers.delete_container(request).await
            })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await??;
        }
        let mut missing: HashSet<String> =
            names.iter().filter_map(|name| self.ids.remove(name)).collect();
        let gone = async {
            while !missing.is_empty() {
                match self.told.recv().await.context("the watch ended")? {
                    Told::Gone { id } => {
                        missing.remove(&id);
                    }
                    Told::Shown { .. } => {}
                    Told::Broken(status) => return Err(status.into()),
                }
            }
            Ok(())
        };
        tokio::time::timeout(PATIENCE, gone).await.context("containers were not removed")?
    }
}
