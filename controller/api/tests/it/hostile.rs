//! What a stranger may send: the server answers with a status, and goes on.

use std::time::Duration;

use berth_proto::v1;
use prost::Message as _;
use tonic::{
    Code, Request,
    codec::CompressionEncoding,
    metadata::{MetadataMap, MetadataValue},
};
use tonic_types::StatusExt as _;

use crate::{
    raw::first_answer,
    world::{Who, World, request},
};

async fn metadata(world: &World, who: Who) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    let token = world.token(who).await.unwrap();
    metadata.insert("authorization", format!("Bearer {token}").parse().unwrap());
    metadata
}

const CREATE: &str = "/berth.v1.ContainerService/CreateContainer";

#[tokio::test]
async fn messages_that_are_none() {
    let world = World::new().await;
    let metadata = metadata(&world, Who::Ann).await;
    for message in [vec![0xff; 100], vec![0x0a, 0xff], vec![0x08], vec![0x0a, 0x02, 0xc3, 0x28]] {
        let status = first_answer(world.channel(), CREATE, message.clone(), metadata.clone())
            .await
            .unwrap_err();
        let code = status.code();
        assert!(matches!(code, Code::Internal | Code::InvalidArgument), "{message:?} {status:?}");
    }
    assert!(world.handle.committed().state.containers.is_empty());
    // Fields that we do not know yet are no mistake.
    let mut newer = request("box").encode_to_vec();
    newer.extend([0xfa, 0x07, 0x01, b'x']);
    first_answer(world.channel(), CREATE, newer, metadata).await.unwrap();
}

#[tokio::test]
async fn a_hundred_megabytes() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await.max_encoding_message_size(200 << 20);
    let huge = v1::CreateContainerRequest { image: "x".repeat(100 << 20), ..request("box") };
    let status = ann.create_container(huge).await.unwrap_err();
    // Refused by its length before it is read; the connection may be gone before all of it was sent.
    let refused = [
        Code::OutOfRange,
        Code::ResourceExhausted,
        Code::Internal,
        Code::Unknown,
        Code::Unavailable,
    ];
    assert!(refused.contains(&status.code()), "{status:?}");
    let mut ann = world.containers(Who::Ann).await;
    ann.create_container(request("box")).await.unwrap();
    assert_eq!(world.handle.committed().state.containers.len(), 1);
}

#[tokio::test]
async fn compressed_bombs_are_not_opened() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await.send_compressed(CompressionEncoding::Gzip);
    let bomb = v1::CreateContainerRequest { image: "x".repeat(50 << 20), ..request("box") };
    let status = ann.create_container(bomb).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
}

#[tokio::test]
async fn no_time_at_all() {
    let world = World::new().await;
    let mut metadata = metadata(&world, Who::Ann).await;
    metadata.insert("grpc-timeout", MetadataValue::from_static("0n"));
    let message = request("box").encode_to_vec();
    let status = first_answer(world.channel(), CREATE, message, metadata).await.unwrap_err();
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status:?}");
    let mut ann = world.containers(Who::Ann).await;
    ann.list_containers(v1::ListContainersRequest::default()).await.unwrap();
}

#[tokio::test]
async fn callers_that_hang_up() {
    let world = World::new().await;
    let ann = world.containers(Who::Ann).await;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..300_u64 {
        let mut ann = ann.clone();
        calls.spawn(async move {
            let patience = Duration::from_micros(n * 20);
            let name = format!("box-{n}");
            let _ = tokio::time::timeout(patience, ann.create_container(request(&name))).await;
            let watch = ann.watch_containers(v1::WatchContainersRequest::default());
            let _ = tokio::time::timeout(patience, watch).await;
        });
    }
    while calls.join_next().await.is_some() {}
    let mut ann = world.containers(Who::Ann).await;
    let list = ann.list_containers(v1::ListContainersRequest::default()).await.unwrap();
    assert!(list.into_inner().total_size <= 5);
    let state = world.handle.committed();
    assert_eq!(state.state.usage(world.node), state.state.usage_recounted(world.node));
}

#[tokio::test]
async fn calls_that_do_not_exist() {
    let world = World::new().await;
    for path in [
        "/berth.v1.ContainerService/Nothing",
        "/berth.v1.Nothing/Get",
        "/berth.agent.v1.AgentService/Enroll",
        "/",
        "/containers",
    ] {
        let answer = first_answer(world.channel(), path, Vec::new(), MetadataMap::new()).await;
        let status = answer.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{path}: {status:?}");
        assert_eq!(status.get_error_details().error_info().unwrap().reason, "UNIMPLEMENTED");
    }
}

#[tokio::test]
async fn strangers_may_ask_what_there_is() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };

    let world = World::new().await;
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(world.channel())
        .server_reflection_info(Request::new(tokio_stream::once(ask)))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    for name in ["berth.v1.AuthService", "berth.v1.ContainerService", "berth.v1.NodeService"] {
        assert!(names.iter().any(|listed| listed == name), "{names:?}");
        let service = name.to_owned();
        let mut health = HealthClient::new(world.channel());
        let answer = health.check(HealthCheckRequest { service }).await.unwrap().into_inner();
        assert_eq!(answer.status, 1);
    }
}
