//! The first words of a session, over real connections.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use berth_agent::{connect, join};
use berth_app::figures::Series;
use berth_core::{
    account::{AccountName, Role, User},
    clock::Timestamp,
    container::{DesiredPhase, RuntimeKind},
    desired::{DesiredContainer, EngineSpec},
    figures::{BladeFigures, Figures, Report, Storage, Subject, Traffic},
    id::{ContainerId, NodeId, UserId},
    image::ImageRef,
    node::{Availability, Liveness, Node, Trouble},
    resources::Resources,
    storage::Posix,
};
use berth_proto::{
    agent::v1::{
        AgentMessage, ControllerMessage, Heartbeat, Hello, Holding, Inventory, agent_message,
        agent_service_client::AgentServiceClient, controller_message,
    },
    convert::{agent as convert, usage::report_to_wire},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};
use uuid::Uuid;

use crate::joining::{Controller, HOUR, controller};

struct Blade {
    node: NodeId,
    channel: Channel,
}

struct Session {
    say: mpsc::Sender<AgentMessage>,
    hear: Streaming<ControllerMessage>,
}

async fn blade(controller: &Controller) -> Blade {
    let string = controller.token("once", HOUR).await;
    let folder = tempfile::tempdir().unwrap();
    let joined = join::join(folder.path(), &string, "blade", &controller.dial).await.unwrap();
    let identity = berth_agent::identity::load(folder.path()).unwrap();
    let tls = connect::mutual_tls(&identity).unwrap();
    let channel = connect::channel(&string.controller, tls, &controller.dial).await.unwrap();
    Blade { node: joined.node, channel }
}

impl Blade {
    async fn greets(&self, hello: Hello) -> Session {
        let (say, messages) = mpsc::channel(8);
        let inventory = Inventory {
            cpu_millis: 4000,
            memory_bytes: 8 << 30,
            port_range_start: 20_000,
            port_range_end: 20_099,
            ..Inventory::default()
        };
        let hello = Hello { protocol_min: 1, protocol_max: 1, inventory: Some(inventory), ..hello };
        let body = Some(agent_message::Body::Hello(hello));
        say.send(AgentMessage { body }).await.unwrap();
        let mut client = AgentServiceClient::new(self.channel.clone());
        let hear = client.session(ReceiverStream::new(messages)).await.unwrap().into_inner();
        Session { say, hear }
    }
}

impl Session {
    async fn hears(&mut self) -> controller_message::Body {
        self.hear.message().await.unwrap().unwrap().body.unwrap()
    }

    async fn is_welcome(&mut self) -> String {
        match self.hears().await {
            controller_message::Body::Welcome(welcome) => welcome.cluster_epoch,
            other => panic!("{other:?}"),
        }
    }
}

async fn until(controller: &Controller, node: NodeId, what: impl Fn(&Node) -> bool) {
    let mut committed = controller.handle.subscribe();
    let seen = committed.wait_for(|now| now.state.nodes.get(&node).is_some_and(|node| what(node)));
    seen.await.unwrap();
}

#[tokio::test]
async fn two_agents_with_one_identity_are_found_and_nothing_more_is_placed_there() {
    let controller = controller().await;
    let blade = blade(&controller).await;
    let mut sessions = Vec::new();
    for instance in ["a", "b", "a", "b", "a", "b"] {
        let hello = Hello { instance_id: instance.to_owned(), ..Hello::default() };
        let mut session = blade.greets(hello).await;
        session.is_welcome().await;
        sessions.push(session);
    }
    until(&controller, blade.node, |node| {
        node.availability == Availability::Cordoned && node.troubles.contains(&Trouble::TwoAgents)
    })
    .await;
    // Somebody has looked.
    let uncordoned = controller
        .handle
        .apply(|t| berth_app::nodes::set_availability(t, "blade", Availability::Active))
        .await;
    uncordoned.unwrap();
    until(&controller, blade.node, |node| node.troubles.is_empty()).await;
}

#[tokio::test]
async fn a_ledger_of_another_epoch_is_asked_for_and_told_back() {
    let controller = controller().await;
    let user = UserId::new(Uuid::from_u128(0xa));
    let person = User {
        id: user,
        account: AccountName::parse("ada").unwrap(),
        display_name: "Ada".to_owned(),
        role: Role::Student,
        posix: Posix::own_group(70_000).unwrap(),
        suspended: false,
        created_at: Timestamp(0),
    };
    let entered = controller.handle.apply(move |transaction| {
        transaction.put_user(person);
        Ok(())
    });
    entered.await.unwrap();
    let blade = blade(&controller).await;
    let epoch = Uuid::from_u128(0x01d).to_string();
    let hello = Hello {
        instance_id: "a".to_owned(),
        cluster_epoch: epoch.clone(),
        accepted_generation: 70,
        ..Hello::default()
    };
    let mut session = blade.greets(hello).await;
    assert_ne!(session.is_welcome().await, epoch);
    // Before it has said what it holds, nothing is placed over it.
    let liveness = controller.handle.committed().state.nodes[&blade.node].liveness;
    assert_eq!(liveness, Liveness::Unknown);

    let held = held(user);
    let holding = Holding {
        cluster_epoch: epoch,
        generation: 70,
        containers: vec![convert::desired_container_to_wire(&held)],
        retained: Vec::new(),
    };
    let body = Some(agent_message::Body::Holding(holding));
    session.say.send(AgentMessage { body }).await.unwrap();
    let desired = loop {
        if let controller_message::Body::Desired(desired) = session.hears().await {
            break convert::desired_from_wire(desired).unwrap();
        }
    };
    assert!(desired.generation >= 70);
    assert_eq!(desired.containers, std::slice::from_ref(&held));
    let row = controller.handle.committed().state.containers[&held.id].clone();
    assert_eq!((row.owner, row.name.as_str(), row.admitted), (user, "web", true));
}

fn held(user: UserId) -> DesiredContainer {
    DesiredContainer {
        id: ContainerId::new(Uuid::from_u128(7)),
        incarnation: 3,
        phase: DesiredPhase::Running,
        restart_nonce: 5,
        not_after: Timestamp(i64::MAX / 2_000_000 * 1000),
        spec: EngineSpec {
            image: ImageRef::parse("busybox").unwrap(),
            command: vec!["sh".to_owned()],
            environment: [("A".to_owned(), "1".to_owned())].into(),
            ports: vec![],
            gpus: vec![],
            resources: Resources::new(500, 64 << 20),
            tty: true,
            stdin: false,
            user,
            hostname: "web".to_owned(),
            runtime: RuntimeKind::Docker,
            belongings: None,
        },
    }
}

#[tokio::test]
async fn a_ledger_that_is_ahead_gets_no_orders_and_is_not_counted_up_to() {
    let controller = controller().await;
    let blade = blade(&controller).await;
    let epoch = controller.handle.committed().state.epoch.to_string();
    let hello = Hello {
        instance_id: "a".to_owned(),
        cluster_epoch: epoch,
        accepted_generation: 70,
        ..Hello::default()
    };
    let mut session = blade.greets(hello).await;
    session.is_welcome().await;
    until(&controller, blade.node, |node| node.troubles.contains(&Trouble::LedgerAhead)).await;
    assert!(controller.handle.committed().state.nodes[&blade.node].desired_generation < 70);
}

#[tokio::test]
async fn what_is_used_is_heard_and_never_answered() {
    let controller = controller().await;
    let blade = blade(&controller).await;
    let hello = Hello { instance_id: "a".to_owned(), ..Hello::default() };
    let mut session = blade.greets(hello).await;
    session.is_welcome().await;
    let figures = Figures {
        cpu_millis: 1500,
        memory_bytes: 1 << 30,
        network: Traffic { r#in: 1 << 20, out: 7 },
        processes: 99,
        ..Figures::default()
    };
    let storage = Storage { used_bytes: 5, total_bytes: 9 };
    let report = Report {
        blade: BladeFigures { figures, storage },
        // Nobody has lent it.
        containers: vec![(ContainerId::new(Uuid::from_u128(7)), figures)],
        space: vec![],
    };
    let body = Some(agent_message::Body::Figures(report_to_wire(&report)));
    session.say.send(AgentMessage { body }).await.unwrap();
    // In its order: when this is answered, that was heard.
    let body = Some(agent_message::Body::Heartbeat(Heartbeat { seq: 1 }));
    session.say.send(AgentMessage { body }).await.unwrap();
    loop {
        match session.hears().await {
            controller_message::Body::Desired(_) => {}
            controller_message::Body::HeartbeatAck(ack) if ack.seq == 1 => break,
            other => panic!("{other:?}"),
        }
    }
    let subject = |subject| match controller.figures.looks(subject, Timestamp(0)) {
        Series::Looks(looks) => looks.into_iter().map(|(_, look)| look).collect::<Vec<_>>(),
        Series::RolledUp(..) => panic!("looks were asked for"),
    };
    assert_eq!(subject(Subject::Node(blade.node)), [figures]);
    assert_eq!(subject(Subject::Container(report.containers[0].0)), []);
    assert_eq!(controller.figures.storage(blade.node), storage);
}
