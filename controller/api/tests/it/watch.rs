//! Watch streams.

use std::time::Duration;

use berth_proto::v1::{
    self, WatchContainersRequest, WatchContainersResponse, watch_containers_response::Kind,
};
use tonic::{Code, Streaming};

use crate::world::{Who, World, request};

type Stream = Streaming<WatchContainersResponse>;

async fn next(stream: &mut Stream) -> WatchContainersResponse {
    tokio::time::timeout(Duration::from_secs(10), stream.message()).await.unwrap().unwrap().unwrap()
}

/// The next that tells something.
async fn told(stream: &mut Stream) -> WatchContainersResponse {
    loop {
        let response = next(stream).await;
        if response.kind() != Kind::Bookmark {
            return response;
        }
    }
}

async fn watch(world: &World, who: Who, request: WatchContainersRequest) -> Stream {
    world.containers(who).await.watch_containers(request).await.unwrap().into_inner()
}

async fn create(world: &World, who: Who, name: &str) -> String {
    world.containers(who).await.create_container(request(name)).await.unwrap().into_inner().id
}

#[tokio::test]
async fn snapshot_changes_and_removal() {
    let world = World::new().await;
    let first = create(&world, Who::Ann, "first").await;
    create(&world, Who::Ben, "other").await;
    let mut stream = watch(&world, Who::Ann, WatchContainersRequest::default()).await;
    let snapshot = next(&mut stream).await;
    assert_eq!((snapshot.kind(), snapshot.last), (Kind::Snapshot, true));
    assert_eq!(snapshot.containers.len(), 1);
    assert_eq!(snapshot.containers[0].id, first);

    // Ben's doings are not Ann's business: the next that she hears is her own.
    let other = create(&world, Who::Ben, "second").await;
    let second = create(&world, Who::Ann, "second").await;
    let change = told(&mut stream).await;
    assert_eq!((change.kind(), change.containers[0].id.as_str()), (Kind::Change, second.as_str()));

    let delete =
        |name: &str| v1::DeleteContainerRequest { name: name.into(), ..Default::default() };
    world.containers(Who::Ben).await.delete_container(delete("second")).await.unwrap();
    world.report_removed(&other).await;
    world.containers(Who::Ann).await.delete_container(delete("second")).await.unwrap();
    world.report_removed(&second).await;
    let mut removed = Vec::new();
    while removed.is_empty() {
        removed = told(&mut stream).await.removed_ids;
    }
    assert_eq!(removed, [second]);
}

#[tokio::test]
async fn it_goes_on_where_it_was_cut_off() {
    let world = World::new().await;
    create(&world, Who::Ann, "first").await;
    let mut stream = watch(&world, Who::Ann, WatchContainersRequest::default()).await;
    let token = next(&mut stream).await.resume_token;
    drop(stream);
    let second = create(&world, Who::Ann, "second").await;

    let resume =
        |token: &str| WatchContainersRequest { resume_token: token.into(), ..Default::default() };
    let mut stream = watch(&world, Who::Ann, resume(&token)).await;
    let change = told(&mut stream).await;
    assert_eq!((change.kind(), change.containers.len()), (Kind::Change, 1));
    assert_eq!(change.containers[0].id, second);
    let token = change.resume_token;
    drop(stream);

    // Nothing changed meanwhile: a sign of life at once.
    let mut stream = watch(&world, Who::Ann, resume(&token)).await;
    assert_eq!(next(&mut stream).await.kind(), Kind::Bookmark);
    drop(stream);

    // Something is gone meanwhile, and whose it was nobody knows any more: everything is told anew.
    let delete = v1::DeleteContainerRequest { name: "second".into(), ..Default::default() };
    world.containers(Who::Ann).await.delete_container(delete).await.unwrap();
    world.report_removed(&second).await;
    let mut stream = watch(&world, Who::Ann, resume(&token)).await;
    let snapshot = told(&mut stream).await;
    assert_eq!((snapshot.kind(), snapshot.containers.len()), (Kind::Snapshot, 1));

    // Tokens of another life, and what is none.
    for token in ["1-1", "x", "2a-99999", "-", "\u{202e}"] {
        let mut stream = watch(&world, Who::Ann, resume(token)).await;
        assert_eq!(told(&mut stream).await.kind(), Kind::Snapshot, "{token}");
    }
}

#[tokio::test]
async fn one_container_and_everybodys() {
    let world = World::new().await;
    create(&world, Who::Ann, "first").await;
    create(&world, Who::Ann, "second").await;
    create(&world, Who::Ben, "third").await;
    let named = |owner: &str, name: &str| WatchContainersRequest {
        owner: owner.into(),
        name: name.into(),
        ..Default::default()
    };
    let mut stream = watch(&world, Who::Ann, named("", "second")).await;
    let snapshot = next(&mut stream).await;
    assert_eq!(snapshot.containers.len(), 1);
    assert_eq!(snapshot.containers[0].name, "second");
    let mut stream = watch(&world, Who::Root, named("-", "")).await;
    assert_eq!(next(&mut stream).await.containers.len(), 3);
    let mut stream = watch(&world, Who::Root, named("ben", "")).await;
    assert_eq!(next(&mut stream).await.containers.len(), 1);

    let mut ann = world.containers(Who::Ann).await;
    for (owner, name, code) in [
        ("-", "", Code::PermissionDenied),
        ("ben", "", Code::NotFound),
        ("ben", "third", Code::NotFound),
        ("", "nothing", Code::NotFound),
    ] {
        let status = ann.watch_containers(named(owner, name)).await.unwrap_err();
        assert_eq!(status.code(), code, "{owner} {name}");
    }
}

#[tokio::test]
async fn large_snapshots_come_in_parts() {
    let world = World::new().await;
    // Made beside the API, which allows five a person.
    for n in 0..450_u32 {
        create_directly(&world, n).await;
    }
    let everybody = WatchContainersRequest { owner: "-".into(), ..Default::default() };
    let mut stream = watch(&world, Who::Root, everybody).await;
    let (mut rows, mut parts) = (0, 0);
    loop {
        let part = next(&mut stream).await;
        rows += part.containers.len();
        parts += 1;
        assert_eq!(part.resume_token.is_empty(), !part.last);
        if part.last {
            break;
        }
    }
    assert_eq!((rows, parts), (450, 3));
}

async fn create_directly(world: &World, n: u32) {
    use berth_app::{authz::Actor, containers};
    use berth_core::{create, id::ContainerId};

    world.token(Who::Ann).await;
    let request = create::CreateRequest {
        name: format!("box-{n}"),
        image: "hello".into(),
        runtime: Some(Default::default()),
        run_as: Some(Default::default()),
        ..Default::default()
    };
    let limits = create::Limits {
        default_resources: berth_core::resources::Resources::new(10, 16 << 20),
        maximum_resources: berth_core::resources::Resources::new(10, 16 << 20),
        maximum_gpus: 0,
        default_lease: Duration::from_secs(3600),
        maximum_lease: Duration::from_secs(3600),
        raw_ports: Default::default(),
    };
    let new = create::check(&request, &limits).unwrap();
    let rules = containers::Rules {
        containers_per_person: 1000,
        volumes_per_person: 3,
        space: berth_core::space::SpaceLimits { home: None, volume: None, layer: None },
        grace: Duration::ZERO,
    };
    let id = ContainerId::new(uuid::Uuid::from_u128(u128::from(n)));
    let apply = world.handle.apply(move |transaction| {
        let session = transaction.state().sessions.values().next().unwrap().clone();
        let user = transaction.state().users[&session.user].clone();
        containers::create(transaction, &Actor { user, session: session.id }, id, new, &rules)
    });
    apply.await.unwrap();
}

/// Time runs ahead whenever everybody waits: five seconds pass at once.
#[tokio::test(start_paused = true)]
async fn it_ends_with_the_session() {
    let world = World::new().await;
    let token = world.token(Who::Ann).await;
    let mut client = v1::container_service_client::ContainerServiceClient::with_interceptor(
        world.channel(),
        crate::world::Bearer(token.clone()),
    );
    let stream = client.watch_containers(WatchContainersRequest::default()).await;
    let mut stream = stream.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().kind(), Kind::Snapshot);
    world.auth(token).sign_out(v1::SignOutRequest {}).await.unwrap();
    // Not even a change is told to somebody who has signed out.
    world.forget_tokens();
    create(&world, Who::Ann, "later").await;
    let status = loop {
        match stream.message().await {
            Ok(response) => assert_eq!(response.unwrap().kind(), Kind::Bookmark),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn it_shows_that_it_lives_and_ends_with_the_process() {
    let world = World::new().await;
    let mut stream = watch(&world, Who::Ann, WatchContainersRequest::default()).await;
    assert_eq!(stream.message().await.unwrap().unwrap().kind(), Kind::Snapshot);
    let bookmark = stream.message().await.unwrap().unwrap();
    assert_eq!(bookmark.kind(), Kind::Bookmark);
    assert!(!bookmark.resume_token.is_empty());
    world.stopping.send_replace(true);
    // Signs of life that were under way, and then a clean end.
    while let Some(response) = stream.message().await.unwrap() {
        assert_eq!(response.kind(), Kind::Bookmark);
    }
}

#[tokio::test]
async fn blades() {
    use v1::watch_nodes_response::Kind as NodesKind;
    let world = World::new().await;
    let mut root = world.nodes(Who::Root).await;
    let stream = root.watch_nodes(v1::WatchNodesRequest::default()).await;
    let mut stream = stream.unwrap().into_inner();
    let snapshot = stream.message().await.unwrap().unwrap();
    assert_eq!((snapshot.kind(), snapshot.nodes.len()), (NodesKind::Snapshot, 1));
    create(&world, Who::Ann, "box").await;
    let change = stream.message().await.unwrap().unwrap();
    assert_eq!((change.kind(), change.nodes[0].containers), (NodesKind::Change, 1));
    let delete = v1::DeleteNodeRequest { name: "blade-1".into(), force: true };
    root.delete_node(delete).await.unwrap();
    let gone = loop {
        let change = stream.message().await.unwrap().unwrap();
        if !change.removed_ids.is_empty() {
            break change.removed_ids;
        }
    };
    assert_eq!(gone, [world.node.to_string()]);
}
