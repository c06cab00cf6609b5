//! How a blade becomes one of ours, over real connections: the join string, the certificate, its renewal and its end.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use berth_agent::{
    connect::{self, Dial},
    identity,
    join::{self, JoinError, Renewal},
};
use berth_app::{
    figures::Figures,
    nodes::{self, Disposition},
    ports::Store as _,
    sign_in,
    state::State,
    writer::{self, Handle},
};
use berth_core::{
    clock::{Clock, Timestamp},
    id::{Epoch, IdSource, NodeId},
    join::JoinString,
};
use berth_proto::agent::v1::{
    AgentMessage, Heartbeat, agent_message, agent_service_client::AgentServiceClient,
};
use berth_session::{
    AgentServer, CertificateAuthority as _, Registry, Rendezvous, Timing, listener,
};
use berth_sim::authority::{CONTROLLER, authority};
use berth_store::MemoryStore;
use sha2::{Digest as _, Sha256};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Code;
use uuid::Uuid;

struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_millis()).unwrap())
    }
}

struct Random;

impl IdSource for Random {
    fn next(&self) -> Uuid {
        Uuid::from_u128(rand::random())
    }
}

pub(crate) struct Controller {
    pub(crate) handle: Handle,
    pub(crate) dial: Dial,
    pub(crate) figures: Figures,
}

pub(crate) async fn controller() -> Controller {
    let store = MemoryStore::default();
    let records =
        store.load(berth_sim::authority::CLUSTER, Epoch::new(Uuid::from_u128(2))).await.unwrap();
    let clock: Arc<dyn Clock> = Arc::new(Now);
    let (handle, writer) =
        writer::new(State::restore(records), Arc::new(store), Arc::clone(&clock));
    tokio::spawn(writer.run());
    let registry = Registry::new();
    let figures = Figures::default();
    let server = AgentServer {
        handle: handle.clone(),
        relays: Rendezvous::new(registry.clone()),
        registry,
        timing: Timing::default(),
        authority: Arc::clone(authority()) as Arc<_>,
        clock,
        ids: Arc::new(Random),
        figures: figures.clone(),
    };
    let listening = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listening.local_addr().unwrap();
    let tls = listener::tls(authority().server(), authority().der()).unwrap();
    let serving =
        listener::serve(server, tls, TcpListenerStream::new(listening), std::future::pending());
    tokio::spawn(serving);
    Controller { handle, dial: dial(address), figures }
}

/// The certificate is for a name; the test's controller has a port of its own.
fn dial(address: SocketAddr) -> Dial {
    let tcp = connect::tcp();
    Arc::new(move |_| tcp(address.to_string()))
}

impl Controller {
    pub(crate) async fn token(&self, token: &'static str, lifetime: Duration) -> JoinString {
        let sha256 = sign_in::hash(token);
        self.handle
            .apply(move |transaction| Ok(nodes::add_join_token(transaction, sha256, lifetime)))
            .await
            .unwrap();
        JoinString {
            controller: format!("{CONTROLLER}:8444"),
            ca_sha256: Sha256::digest(authority().certificate()).into(),
            token: token.to_owned(),
        }
    }
}

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

fn refused(error: &JoinError) -> Code {
    match error {
        JoinError::Refused(status) => status.code(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_token_lets_one_blade_in_and_a_lost_answer_can_be_asked_again() {
    let controller = controller().await;
    let string = controller.token("once", HOUR).await;
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let joined = join::join(first.path(), &string, "blade-1", &controller.dial).await.unwrap();
    // The same blade, the same key: the answer may have been lost.
    let again = join::join(first.path(), &string, "blade-1", &controller.dial).await.unwrap();
    assert_eq!(joined.node, again.node);
    assert_eq!(controller.handle.committed().state.nodes.len(), 1);
    // Another key: the token is spent.
    let stranger =
        join::join(second.path(), &string, "blade-2", &controller.dial).await.unwrap_err();
    assert_eq!(refused(&stranger), Code::PermissionDenied);
    // Another token, and a name that is taken.
    let string = controller.token("twice", HOUR).await;
    let taken = join::join(second.path(), &string, "blade-1", &controller.dial).await.unwrap_err();
    assert_eq!(refused(&taken), Code::AlreadyExists);
    join::join(second.path(), &string, "blade-2", &controller.dial).await.unwrap();
}

#[tokio::test]
async fn an_expired_or_unknown_token_and_another_controller_are_refused() {
    let controller = controller().await;
    let directory = tempfile::tempdir().unwrap();
    let expired = controller.token("late", Duration::ZERO).await;
    let error =
        join::join(directory.path(), &expired, "blade", &controller.dial).await.unwrap_err();
    assert_eq!(refused(&error), Code::PermissionDenied);
    let unknown = JoinString { token: "guessed".into(), ..expired.clone() };
    let error =
        join::join(directory.path(), &unknown, "blade", &controller.dial).await.unwrap_err();
    assert_eq!(refused(&error), Code::PermissionDenied);
    let string = controller.token("good", HOUR).await;
    let elsewhere = JoinString { ca_sha256: [7; 32], ..string };
    let error =
        join::join(directory.path(), &elsewhere, "blade", &controller.dial).await.unwrap_err();
    assert!(matches!(error, JoinError::Connect(_)), "{error}");
    assert!(controller.handle.committed().state.nodes.is_empty());
}

#[tokio::test]
async fn a_certificate_is_renewed_in_time_and_worth_nothing_after_the_node_was_deleted() {
    let controller = controller().await;
    let string = controller.token("once", HOUR).await;
    let directory = tempfile::tempdir().unwrap();
    let joined = join::join(directory.path(), &string, "blade", &controller.dial).await.unwrap();
    let early = Timestamp(joined.renew_at().unwrap().0 - 1);
    let due = joined.renew_at().unwrap();
    let renew = |now| join::renew_if_due(directory.path(), &controller.dial, now);
    assert_eq!(renew(early).await.unwrap(), Renewal::NotDue);
    assert_eq!(renew(due).await.unwrap(), Renewal::Renewed);
    let renewed = identity::load(directory.path()).unwrap().membership;
    assert_eq!(renewed.node, joined.node);

    controller
        .handle
        .apply(|transaction| nodes::delete(transaction, "blade", Disposition::RefuseIfInUse))
        .await
        .unwrap();
    assert_eq!(refused(&renew(due).await.unwrap_err()), Code::PermissionDenied);
}

#[tokio::test]
async fn without_a_certificate_there_is_no_session() {
    let controller = controller().await;
    let tls = connect::pinned_tls(Sha256::digest(authority().certificate()).into()).unwrap();
    let channel =
        connect::channel(&format!("{CONTROLLER}:8444"), tls, &controller.dial).await.unwrap();
    let heartbeat = agent_message::Body::Heartbeat(Heartbeat { seq: 1 });
    let messages = tokio_stream::iter([AgentMessage { body: Some(heartbeat) }]);
    let status = AgentServiceClient::new(channel).session(messages).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    // A certificate of our authority for a node that never joined is no better.
    let identity = authority().identity(NodeId::new(Uuid::from_u128(99))).unwrap();
    let channel = connect::channel(
        &format!("{CONTROLLER}:8444"),
        connect::mutual_tls(&identity).unwrap(),
        &controller.dial,
    )
    .await
    .unwrap();
    let heartbeat = agent_message::Body::Heartbeat(Heartbeat { seq: 1 });
    let messages = tokio_stream::iter([AgentMessage { body: Some(heartbeat) }]);
    let status = AgentServiceClient::new(channel).session(messages).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}
