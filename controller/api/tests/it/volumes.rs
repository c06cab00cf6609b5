//! Homes and volumes, as their owners meet them.

use berth_core::{
    clock::Clock as _,
    figures::Report,
    space::{Space, Taker},
};
use berth_proto::v1::{self, file_service_client::FileServiceClient};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::world::{Bearer, Who, World, request};

fn create(name: &str, scope: v1::VolumeScope) -> v1::CreateVolumeRequest {
    v1::CreateVolumeRequest { name: name.into(), scope: scope.into() }
}

fn mount(name: &str, path: &str) -> v1::VolumeMount {
    v1::VolumeMount { name: name.into(), path: path.into(), read_only: true }
}

fn field(status: &tonic::Status) -> String {
    let details = status.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    assert_eq!(violations.len(), 1, "{violations:?}");
    violations[0].field.clone()
}

#[tokio::test]
async fn a_volume_s_life() {
    let world = World::new().await;
    let mut volumes = world.volumes(Who::Ann).await;
    // Without a wish: where every blade sees it.
    let made = volumes.create_volume(create("data", v1::VolumeScope::Unspecified)).await;
    let made = made.unwrap().into_inner();
    assert_eq!((made.owner.as_str(), made.scope()), ("ann", v1::VolumeScope::Shared));
    assert_eq!((made.used_bytes, made.limit_bytes), (None, 0), "not counted yet, and without end");
    volumes.create_volume(create("fast", v1::VolumeScope::Node)).await.unwrap();

    let mut ann = world.containers(Who::Ann).await;
    let wanted = v1::CreateContainerRequest {
        volumes: vec![mount("data", "/data"), mount("fast", "/srv/fast")],
        ..request("box")
    };
    let container = ann.create_container(wanted).await.unwrap().into_inner();
    assert_eq!(container.volumes, [mount("data", "/data"), mount("fast", "/srv/fast")]);
    assert_eq!(container.home_path, "/home/ann");
    assert_eq!(container.home_scope(), v1::HomeScope::Shared);
    assert_eq!(container.run_as(), v1::RunAs::Account);
    let list = volumes.list_volumes(v1::ListVolumesRequest::default()).await.unwrap().into_inner();
    let names: Vec<_> = list.volumes.iter().map(|volume| volume.name.as_str()).collect();
    assert_eq!(names, ["data", "fast"]);
    assert_eq!(list.volumes[0].containers, ["box"]);
    assert_eq!(list.volumes[1].node, "blade-1", "where its container is");

    let delete = v1::DeleteVolumeRequest { name: "data".into(), ..Default::default() };
    let refused = volumes.delete_volume(delete).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("Delete the container first"), "{refused}");
}

#[tokio::test]
async fn mistakes_are_named() {
    let world = World::new().await;
    let mut volumes = world.volumes(Who::Ann).await;
    for name in ["", "Data", "a/b", "..", &"x".repeat(300)] {
        let status = volumes.create_volume(create(name, v1::VolumeScope::Node)).await.unwrap_err();
        assert_eq!(field(&status), "name", "{name}");
    }
    let unknown = v1::CreateVolumeRequest { name: "data".into(), scope: 9 };
    assert_eq!(field(&volumes.create_volume(unknown).await.unwrap_err()), "scope");
    volumes.create_volume(create("data", v1::VolumeScope::Node)).await.unwrap();
    let again = volumes.create_volume(create("data", v1::VolumeScope::Node)).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);

    let mut ann = world.containers(Who::Ann).await;
    for (volumes, expected) in [
        (vec![mount("data", "/proc/x")], "volumes[0].path"),
        (vec![mount("data", "data")], "volumes[0].path"),
        (vec![mount("data", "/a"), mount("data", "/a")], "volumes[1].path"),
        (vec![mount("data", "/a"), mount("other", "/b")], "volumes[1].name"),
    ] {
        let wanted = v1::CreateContainerRequest { volumes, ..request("box") };
        let status = ann.create_container(wanted.clone()).await.unwrap_err();
        assert_eq!(field(&status), expected);
        // What would be refused is not explained either.
        let explain = v1::ExplainPlacementRequest { container: Some(wanted) };
        let status = ann.explain_placement(explain).await.unwrap_err();
        assert_eq!(field(&status), expected);
    }
    let unknown = v1::CreateContainerRequest { run_as: 9, ..request("box") };
    assert_eq!(field(&ann.create_container(unknown).await.unwrap_err()), "run_as");
}

#[tokio::test]
async fn the_home_needs_no_container() {
    let world = World::new().await;
    let mut volumes = world.volumes(Who::Ann).await;
    let home = volumes.get_home(v1::GetHomeRequest::default()).await.unwrap().into_inner();
    assert_eq!((home.path.as_str(), home.scope()), ("/home/ann", v1::VolumeScope::Shared));
    assert!(home.uid >= 1000 && home.uid == home.gid && home.node.is_empty());
    let stat = |owner: &str| v1::StatRequest {
        owner: owner.into(),
        name: String::new(),
        path: "/hello".into(),
    };
    for (who, owner, code) in [
        (Who::Ann, "", Code::Ok),
        (Who::Ann, "ann", Code::Ok),
        (Who::Root, "ann", Code::Ok),
        (Who::Ben, "ann", Code::NotFound),
        (Who::Ben, "nobody-at-all", Code::NotFound),
    ] {
        let mut files =
            FileServiceClient::with_interceptor(world.channel(), Bearer(world.token(who).await));
        // Ann has signed in, so there is such a person.
        let answer = files.stat(stat(owner)).await;
        assert_eq!(answer.map_or_else(|status| status.code(), |_| Code::Ok), code, "{who:?}");
    }
}

/// The blade of these tests counts 4096 bytes in every home.
#[tokio::test]
async fn what_was_too_full_is_counted_anew_before_a_refusal() {
    for (limit, expected) in [(4095, Code::FailedPrecondition), (4096, Code::Ok)] {
        let world = World::with_small_homes(limit).await;
        let mut ann = world.containers(Who::Ann).await;
        let id = ann.create_container(request("box")).await.unwrap().into_inner().id;
        world.report_running(&id).await;
        let (homes, uid) = {
            let state = &world.handle.committed().state;
            let homes = state.nodes.values().next().unwrap().inventory.storage.homes.clone();
            let user = state.containers.values().next().unwrap().spec.holder.clone();
            (homes.unwrap().id, user.unwrap().posix.uid)
        };
        let space = vec![Space { taker: Taker::Home(homes, uid), bytes: 1 << 40 }];
        let report = Report { space, ..Report::default() };
        let committed = world.handle.committed();
        world.figures.record(&committed.state, world.node, &report, world.clock.now());
        let restart = v1::RestartContainerRequest { name: "box".into(), ..Default::default() };
        let restarted = ann.restart_container(restart).await.map(|_| ());
        let another = ann.create_container(request("another")).await.map(|_| ());
        for answer in [restarted, another] {
            assert_eq!(answer.map_or_else(|status| status.code(), |()| Code::Ok), expected);
        }
        let mut volumes = world.volumes(Who::Ann).await;
        let home = volumes.get_home(v1::GetHomeRequest::default()).await.unwrap().into_inner();
        assert_eq!((home.used_bytes, home.limit_bytes), (Some(4096), limit));
        // What is there is not touched, and can be stopped.
        let stop = v1::StopContainerRequest { name: "box".into(), ..Default::default() };
        ann.stop_container(stop).await.unwrap();
    }
}
