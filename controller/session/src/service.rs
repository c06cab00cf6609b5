//! The gRPC surface towards agents.

use std::{pin::Pin, sync::Arc};

use berth_app::{
    figures::Figures,
    nodes::{self, EnrolError, Enrolment},
    sign_in,
    writer::{Handle, chain},
};
use berth_core::{
    clock::Clock,
    id::{IdSource, NodeId},
};
use berth_proto::agent::v1::{
    self as wire,
    agent_service_server::{AgentService, AgentServiceServer},
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    authority::{AuthorityError, CertificateAuthority},
    listener::Peer,
    registry::{Registry, Timing},
    relay::Rendezvous,
    run::{Runner, outbox},
    turns::Entrance,
};

/// What this controller speaks.
const PROTOCOL: u32 = 1;
/// A desired set of 10,000 containers is 15 MiB; protocol.md allows 64 MiB.
const MESSAGE_MAXIMUM: usize = 64 << 20;

#[derive(Clone)]
pub struct AgentServer {
    pub handle: Handle,
    pub registry: Registry,
    pub relays: Rendezvous,
    pub timing: Timing,
    pub authority: Arc<dyn CertificateAuthority>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdSource>,
    /// Where what blades see of their use goes.
    pub figures: Figures,
}

impl AgentServer {
    pub fn into_service(self) -> AgentServiceServer<Self> {
        AgentServiceServer::new(self)
            .max_decoding_message_size(MESSAGE_MAXIMUM)
            .max_encoding_message_size(MESSAGE_MAXIMUM)
    }

    /// Whose certificate the call was made with; its node must still exist.
    fn identify<T>(&self, request: &Request<T>) -> Result<NodeId, Status> {
        let node = request
            .extensions()
            .get::<Peer>()
            .and_then(|peer| peer.node)
            .ok_or_else(|| Status::unauthenticated("a node's certificate is needed"))?;
        if self.handle.committed().state.nodes.contains_key(&node) {
            Ok(node)
        } else {
            Err(Status::permission_denied("this node was deleted"))
        }
    }

    async fn issue(&self, request: &[u8], node: NodeId) -> Result<Vec<u8>, Status> {
        let issued =
            self.authority.issue_node(request, node, self.clock.now()).map_err(authority_status)?;
        let expires_at = issued.expires_at;
        self.handle
            .apply(move |transaction| {
                nodes::certificate_issued(transaction, node, expires_at);
                Ok(())
            })
            .await
            .map_err(unavailable)?;
        tracing::info!(node.id = %node, "certificate issued");
        Ok(issued.certificate)
    }
}

#[tonic::async_trait]
impl AgentService for AgentServer {
    async fn enroll(
        &self,
        request: Request<wire::EnrollRequest>,
    ) -> Result<Response<wire::EnrollResponse>, Status> {
        let request = request.into_inner();
        let enrolment = Enrolment {
            token_sha256: sign_in::hash(&request.token),
            public_key_sha256: self
                .authority
                .public_key_sha256(&request.certificate_request)
                .map_err(authority_status)?,
            node_name: request.node_name,
            id: NodeId::new(self.ids.next()),
        };
        let node = self
            .handle
            .apply(move |transaction| Ok(nodes::enrol(transaction, &enrolment)))
            .await
            .map_err(unavailable)?
            .map_err(|error| match error {
                EnrolError::Token => Status::permission_denied(error.to_string()),
                EnrolError::Name => Status::invalid_argument(error.to_string()),
                EnrolError::NameTaken => Status::already_exists(error.to_string()),
            })?;
        let certificate = self.issue(&request.certificate_request, node).await?;
        Ok(Response::new(wire::EnrollResponse {
            certificate,
            ca_certificate: self.authority.certificate(),
            cluster_id: self.handle.committed().state.cluster.to_string(),
            node_id: node.to_string(),
        }))
    }

    async fn renew(
        &self,
        request: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::RenewResponse>, Status> {
        let node = self.identify(&request)?;
        let certificate = self.issue(&request.into_inner().certificate_request, node).await?;
        Ok(Response::new(wire::RenewResponse {
            certificate,
            ca_certificate: self.authority.certificate(),
        }))
    }

    type SessionStream =
        Pin<Box<dyn Stream<Item = Result<wire::ControllerMessage, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<wire::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let node = self.identify(&request)?;
        let mut inbound = request.into_inner();
        let (outbox, outgoing) = outbox();
        let runner = Runner {
            node,
            handle: self.handle.clone(),
            registry: self.registry.clone(),
            timing: self.timing,
            outbox,
            figures: self.figures.clone(),
            clock: Arc::clone(&self.clock),
        };
        // The response's headers leave now, the greeting is read beside them: an agent may wait for the one before the other.
        tokio::spawn(async move {
            let greeting =
                tokio::time::timeout(runner.timing.unreachable_after, inbound.message()).await;
            let Ok(Ok(Some(wire::AgentMessage {
                body: Some(wire::agent_message::Body::Hello(hello)),
            }))) = greeting
            else {
                drop(
                    runner
                        .outbox
                        .send(Err(Status::invalid_argument("a session begins with Hello")))
                        .await,
                );
                return;
            };
            if hello.protocol_min > PROTOCOL || hello.protocol_max < PROTOCOL {
                let goodbye = wire::Goodbye {
                    reason: wire::goodbye::Reason::AgentTooOld.into(),
                    detail: format!("protocol {PROTOCOL} is spoken here"),
                };
                let body = Some(wire::controller_message::Body::Goodbye(goodbye));
                drop(runner.outbox.send(Ok(wire::ControllerMessage { body })).await);
                return;
            }
            let (entrance, seat, ended) =
                runner.registry.enter(node, &hello.instance_id, runner.outbox.clone());
            if entrance == Entrance::InTurns {
                runner.found_two().await;
            }
            runner.run(seat, ended, inbound, hello).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }

    type RelayStream = Pin<Box<dyn Stream<Item = Result<wire::RelayFrame, Status>> + Send>>;

    async fn relay(
        &self,
        request: Request<Streaming<wire::RelayFrame>>,
    ) -> Result<Response<Self::RelayStream>, Status> {
        let node = self.identify(&request)?;
        let frames = self.relays.join(node, request.into_inner()).await?;
        Ok(Response::new(Box::pin(frames)))
    }
}

fn authority_status(error: AuthorityError) -> Status {
    match error {
        AuthorityError::Request => Status::invalid_argument(error.to_string()),
        AuthorityError::Issue(_) => {
            tracing::error!(error = %chain(&error), "no certificate was issued");
            Status::internal("the certificate could not be made")
        }
    }
}

fn unavailable(error: berth_app::error::Error) -> Status {
    tracing::warn!(error = %chain(&error), "an agent's call failed");
    Status::unavailable("try again")
}
