//! What containers use, as their owners and administrators see it.

use std::time::Duration;

use berth_app::ports::History as _;
use berth_core::{
    figures::{
        BladeFigures, Figures, GpuFigures, Report, RollUp, Storage, Subject, Traffic, Width,
    },
    id::ContainerId,
};
use berth_proto::v1::{self, usage_service_client::UsageServiceClient};
use tonic::{Code, Status, Streaming};

use crate::world::{Bearer, Client, NOW, Who, World, request};

async fn usage(world: &World, who: Who) -> UsageServiceClient<Client> {
    let token = world.token(who).await;
    UsageServiceClient::with_interceptor(world.channel(), Bearer(token))
}

fn look(cpu_millis: u32) -> Figures {
    Figures {
        cpu_millis,
        memory_bytes: 100 << 20,
        network: Traffic { r#in: 1, out: 2 },
        disk: Traffic { r#in: 3, out: 4 },
        processes: 5,
        gpu: None,
    }
}

/// The blade says what these use.
fn say(world: &World, containers: &[(&str, Figures)]) {
    let containers = containers.iter().map(|(id, figures)| (id.parse().unwrap(), *figures));
    let report = Report {
        blade: BladeFigures {
            figures: look(9000),
            storage: Storage { used_bytes: 30, total_bytes: 100 },
        },
        containers: containers.collect(),
        space: Vec::new(),
    };
    let committed = world.handle.committed();
    let now = berth_core::clock::Clock::now(world.clock.as_ref());
    world.figures.record(&committed.state, world.node, &report, now);
}

async fn lent(world: &World, who: Who, asked: v1::CreateContainerRequest) -> String {
    world.containers(who).await.create_container(asked).await.unwrap().into_inner().id
}

fn asked(owner: &str, name: &str) -> v1::GetFiguresRequest {
    v1::GetFiguresRequest { owner: owner.into(), name: name.into(), ..Default::default() }
}

async fn first(
    world: &World,
    who: Who,
    request: v1::WatchFiguresRequest,
) -> Result<v1::WatchFiguresResponse, Status> {
    let mut stream = usage(world, who).await.watch_figures(request).await?.into_inner();
    Ok(stream.message().await?.unwrap())
}

fn watched(owner: &str, name: &str, node: &str) -> v1::WatchFiguresRequest {
    v1::WatchFiguresRequest { owner: owner.into(), name: name.into(), node: node.into() }
}

#[tokio::test]
async fn the_last_hour_as_it_was_seen() {
    let world = World::new().await;
    let gpu = v1::CreateContainerRequest { gpus: 1, ..request("box") };
    let id = lent(&world, Who::Ann, gpu).await;
    let held = GpuFigures { percent: Some(80), memory_bytes: 7 << 30, power_milliwatts: None };
    for millis in [100, 200, 300] {
        say(&world, &[(&id, Figures { gpu: Some(held), ..look(millis) })]);
        world.clock.advance(Duration::from_secs(5));
    }
    let mut ann = usage(&world, Who::Ann).await;
    let answer = ann.get_figures(asked("", "box")).await.unwrap().into_inner();
    assert_eq!(answer.resolution(), v1::Resolution::Look);
    let limits = answer.limits.unwrap();
    assert_eq!((limits.cpu_millis, limits.memory_bytes), (1000, 1 << 30));
    assert_eq!(limits.gpu_memory_bytes, 139 << 30);
    let seconds = |point: &v1::Point| point.time.unwrap().seconds - NOW.0 / 1000;
    let seen: Vec<_> =
        answer.points.iter().map(|p| (seconds(p), p.mean.as_ref().unwrap().cpu_millis)).collect();
    assert_eq!(seen, [(0, 100), (5, 200), (10, 300)]);
    let point = &answer.points[2];
    assert_eq!(point.peak, None);
    let figures = point.mean.unwrap();
    assert_eq!((figures.network_in, figures.network_out), (1, 2));
    assert_eq!((figures.disk_read, figures.disk_write, figures.processes), (3, 4, 5));
    let gpu = figures.gpu.unwrap();
    assert_eq!((gpu.percent, gpu.memory_bytes, gpu.power_milliwatts), (Some(80), 7 << 30, None));

    let window = Some(prost_types::Duration { seconds: 7, nanos: 0 });
    let short = v1::GetFiguresRequest { window, ..asked("", "box") };
    assert_eq!(ann.get_figures(short).await.unwrap().into_inner().points.len(), 1);
}

#[tokio::test]
async fn what_is_written_and_what_is_not_yet() {
    let world = World::new().await;
    let id: ContainerId = lent(&world, Who::Ann, request("box")).await.parse().unwrap();
    let subject = Subject::Container(id);
    let width = Width::FiveMinutes;
    let begin = width.begin(NOW);
    let old = RollUp {
        begin: berth_core::clock::Timestamp(begin.0 - 600_000),
        looks: 60,
        mean: look(50),
        peak: look(70),
    };
    world.history.record(width, &[(subject, old)]).await.unwrap();
    world.history.record(Width::Hour, &[(subject, old)]).await.unwrap();
    for millis in [100, 300] {
        say(&world, &[(&id.to_string(), look(millis))]);
        world.clock.advance(Duration::from_secs(5));
    }
    let mut ann = usage(&world, Who::Ann).await;
    let day = Some(prost_types::Duration { seconds: 86_400, nanos: 0 });
    let answer =
        ann.get_figures(v1::GetFiguresRequest { window: day, ..asked("", "box") }).await.unwrap();
    let answer = answer.into_inner();
    assert_eq!(answer.resolution(), v1::Resolution::FiveMinutes);
    let cpu = |figures: Option<v1::Figures>| figures.unwrap().cpu_millis;
    let rows: Vec<_> = answer.points.iter().map(|p| (cpu(p.mean), cpu(p.peak))).collect();
    assert_eq!(rows, [(50, 70), (200, 300)]);

    let month = Some(prost_types::Duration { seconds: 30 * 86_400, nanos: 0 });
    let answer =
        ann.get_figures(v1::GetFiguresRequest { window: month, ..asked("", "box") }).await.unwrap();
    let answer = answer.into_inner();
    assert_eq!((answer.resolution(), answer.points.len()), (v1::Resolution::Hour, 1));

    let longer = Some(prost_types::Duration { seconds: 30 * 86_400 + 1, nanos: 0 });
    let refused = v1::GetFiguresRequest { window: longer, ..asked("", "box") };
    assert_eq!(ann.get_figures(refused).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn whose_figures() {
    let world = World::new().await;
    let anns = lent(&world, Who::Ann, request("box")).await;
    let bens = lent(&world, Who::Ben, request("box")).await;
    say(&world, &[(&anns, look(100)), (&bens, look(200))]);

    let of = |response: v1::WatchFiguresResponse| -> Vec<(String, String, u32)> {
        assert!(response.last);
        let row = |row: v1::ContainerFigures| {
            assert_eq!((row.node.as_str(), row.limits.unwrap().cpu_millis), ("blade-1", 1000));
            (row.owner, row.name, row.figures.unwrap().cpu_millis)
        };
        response.containers.into_iter().map(row).collect()
    };
    let anns_row = ("ann".to_owned(), "box".to_owned(), 100);
    let bens_row = ("ben".to_owned(), "box".to_owned(), 200);
    let own = first(&world, Who::Ann, watched("", "", "")).await.unwrap();
    assert_eq!(own.nodes, []);
    assert_eq!(of(own), std::slice::from_ref(&anns_row));
    let one = first(&world, Who::Root, watched("ben", "box", "")).await.unwrap();
    assert_eq!(of(one), std::slice::from_ref(&bens_row));
    for all in [watched("-", "", ""), watched("", "", "blade-1")] {
        let all = first(&world, Who::Root, all).await.unwrap();
        let blade = &all.nodes[0];
        assert_eq!((blade.name.as_str(), blade.limits.unwrap().cpu_millis), ("blade-1", 16_000));
        assert_eq!(blade.figures.unwrap().cpu_millis, 9000);
        assert_eq!((blade.storage_used_bytes, blade.storage_total_bytes), (30, 100));
        assert_eq!(of(all), [anns_row.clone(), bens_row.clone()]);
    }
    // The administrator has none.
    assert_eq!(of(first(&world, Who::Root, watched("", "", "")).await.unwrap()), []);

    for (asked, code) in [
        (watched("-", "", ""), Code::PermissionDenied),
        (watched("", "", "blade-1"), Code::PermissionDenied),
        (watched("ben", "", ""), Code::NotFound),
        (watched("ben", "box", ""), Code::NotFound),
        (watched("", &bens, ""), Code::NotFound),
    ] {
        assert_eq!(first(&world, Who::Ann, asked).await.unwrap_err().code(), code);
    }
    let mut ann = usage(&world, Who::Ann).await;
    for foreign in [asked("ben", "box"), asked("", &bens)] {
        assert_eq!(ann.get_figures(foreign).await.unwrap_err().code(), Code::NotFound);
    }
    let node = v1::GetNodeFiguresRequest { name: "blade-1".into(), ..Default::default() };
    let refused = ann.get_node_figures(node.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let mut root = usage(&world, Who::Root).await;
    let blade = root.get_node_figures(node).await.unwrap().into_inner();
    assert_eq!(blade.points.len(), 1);
    assert_eq!(root.get_figures(asked("ben", "box")).await.unwrap().into_inner().points.len(), 1);
}

#[tokio::test]
async fn what_is_silent_is_left_out() {
    let world = World::new().await;
    let id = lent(&world, Who::Ann, request("box")).await;
    say(&world, &[(&id, look(100))]);
    world.clock.advance(Duration::from_secs(15));
    assert_eq!(first(&world, Who::Ann, watched("", "", "")).await.unwrap().containers.len(), 1);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(first(&world, Who::Ann, watched("", "", "")).await.unwrap().containers, []);
    // Its past is not.
    let mut ann = usage(&world, Who::Ann).await;
    assert_eq!(ann.get_figures(asked("", "box")).await.unwrap().into_inner().points.len(), 1);
}

/// Whatever its agent says, a blade's containers are those that were placed there.
#[tokio::test]
async fn a_blade_speaks_of_its_own_alone() {
    let world = World::new().await;
    let big = v1::CreateContainerRequest { gpus: 2, ..request("big") };
    // Placed nowhere.
    let waiting = lent(&world, Who::Ann, big).await;
    say(&world, &[(&waiting, look(1)), ("0190a5c2-7a5b-7c3d-8e4f-123456789abc", look(1))]);
    let mut root = usage(&world, Who::Root).await;
    let answer = root.get_figures(asked("ann", "big")).await.unwrap().into_inner();
    assert_eq!(answer.points, []);
    assert_eq!(first(&world, Who::Root, watched("-", "", "")).await.unwrap().containers, []);
}

async fn until_the_end(mut stream: Streaming<v1::WatchFiguresResponse>) -> Status {
    loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("ended without a word"),
            Err(status) => return status,
        }
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let world = World::new().await;
    let mut ann = usage(&world, Who::Ann).await;
    let stream = ann.watch_figures(watched("", "", "")).await.unwrap().into_inner();
    let token = world.token(Who::Ann).await;
    world.auth(token).sign_out(v1::SignOutRequest::default()).await.unwrap();
    let status = tokio::time::timeout(Duration::from_secs(20), until_the_end(stream)).await;
    assert_eq!(status.unwrap().code(), Code::Unauthenticated);
}
