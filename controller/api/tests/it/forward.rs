//! Connections to ports inside containers, as their callers meet them.

use berth_proto::v1::{
    self, connect_request, connect_response, forward_service_client::ForwardServiceClient,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::world::{Bearer, Who, World, request};

struct Line {
    say: mpsc::Sender<v1::ConnectRequest>,
    hear: Streaming<v1::ConnectResponse>,
}

impl Line {
    async fn open(world: &World, who: Who, port: u32) -> Result<Self, Status> {
        let token = world.token(who).await;
        let mut client = ForwardServiceClient::with_interceptor(world.channel(), Bearer(token));
        let (say, messages) = mpsc::channel(8);
        let (owner, name) = ("ann".to_owned(), "box".to_owned());
        let first = connect_request::Message::Connect(v1::ConnectTo { owner, name, port });
        say.send(v1::ConnectRequest { message: Some(first) }).await.unwrap();
        let hear = client.connect(ReceiverStream::new(messages)).await?.into_inner();
        Ok(Self { say, hear })
    }

    async fn says(&self, message: connect_request::Message) {
        self.say.send(v1::ConnectRequest { message: Some(message) }).await.unwrap();
    }

    async fn hears(&mut self) -> Option<connect_response::Message> {
        self.hear.message().await.unwrap().map(|response| response.message.unwrap())
    }
}

async fn running() -> World {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let id = ann.create_container(request("box")).await.unwrap().into_inner().id;
    world.report_running(&id).await;
    world
}

#[tokio::test]
async fn bytes_both_ways_and_each_end_by_itself() {
    let world = running().await;
    let mut line = Line::open(&world, Who::Ann, 80).await.unwrap();
    assert!(matches!(line.hears().await, Some(connect_response::Message::Connected(_))));
    line.says(connect_request::Message::Data("GET /".into())).await;
    assert_eq!(line.hears().await, Some(connect_response::Message::Data("GET /".into())));
    line.says(connect_request::Message::End(true)).await;
    assert_eq!(line.hears().await, Some(connect_response::Message::Data("bye".into())));
    assert_eq!(line.hears().await, Some(connect_response::Message::End(true)));
    assert_eq!(line.hears().await, None);
}

#[tokio::test]
async fn what_cannot_be_connected_says_why() {
    let world = running().await;
    for (who, port, code, words) in [
        (Who::Ann, 81, Code::FailedPrecondition, "listens"),
        (Who::Ann, 0, Code::InvalidArgument, "port: "),
        (Who::Ann, 65_536, Code::InvalidArgument, "port: "),
        (Who::Ben, 80, Code::NotFound, "box"),
        (Who::Nobody, 80, Code::Unauthenticated, "Sign in"),
    ] {
        let status = Line::open(&world, who, port).await.err().unwrap();
        assert_eq!(status.code(), code, "{port}");
        assert!(status.message().contains(words), "{}", status.message());
    }
}
