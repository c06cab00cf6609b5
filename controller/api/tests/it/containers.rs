//! What people do with containers.

use std::time::Duration;

use berth_proto::v1::{self, Phase, ReasonCode};
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::world::{NOW, Who, World, request};

fn named(name: &str) -> v1::GetContainerRequest {
    v1::GetContainerRequest { name: name.into(), owner: String::new() }
}

#[tokio::test]
async fn a_life() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let made = ann.create_container(request("box")).await.unwrap().into_inner();
    assert_eq!((made.name.as_str(), made.full_name.as_str()), ("box", "ann-box"));
    assert_eq!((made.owner.as_str(), made.node.as_str()), ("ann", "blade-1"));
    assert_eq!(made.phase(), Phase::Starting);
    assert_eq!(made.reason.as_ref().unwrap().code(), ReasonCode::SentToNode);
    assert_eq!(made.cpu_millis, 1000);
    assert_eq!(made.lease_end_time.unwrap().seconds, NOW.0 / 1000 + 8 * 3600);
    assert_eq!(made.delete_time.unwrap().seconds, NOW.0 / 1000 + 80 * 3600);
    let endpoint = &made.endpoints[0];
    assert_eq!((endpoint.guest_port, endpoint.host.as_str()), (8888, "192.0.2.1"));
    assert!(endpoint.host_port > 0 && endpoint.url.starts_with("https://8888-box-"));

    world.report_running(&made.id).await;
    let running = ann.get_container(named("box")).await.unwrap().into_inner();
    assert_eq!((running.phase(), running.reason), (Phase::Running, None));
    assert!(running.start_time.is_some());

    let stop = v1::StopContainerRequest { name: "box".into(), owner: String::new() };
    let stopping = ann.stop_container(stop).await.unwrap().into_inner();
    assert_eq!(stopping.phase(), Phase::Stopping);
    let start = v1::StartContainerRequest { name: "box".into(), ..Default::default() };
    let started = ann.start_container(start).await.unwrap().into_inner();
    assert_eq!(started.phase(), Phase::Starting);
    assert!(started.generation > made.generation);
    let shell =
        v1::StartContainerRequest { name: "box".into(), with_shell: true, ..Default::default() };
    let shell = ann.start_container(shell).await.unwrap().into_inner();
    assert_eq!((shell.command, shell.tty), (vec!["sh".to_owned()], true));

    let lease = Some(prost_types::Duration { seconds: 3600, nanos: 0 });
    let extend = v1::ExtendLeaseRequest { name: "box".into(), owner: String::new(), lease };
    let extended = ann.extend_lease(extend).await.unwrap().into_inner();
    assert_eq!(extended.lease_end_time.unwrap().seconds, NOW.0 / 1000 + 3600);

    let delete = v1::DeleteContainerRequest { name: "box".into(), owner: String::new() };
    ann.delete_container(delete).await.unwrap();
    let deleting = ann.get_container(named("box")).await.unwrap().into_inner();
    assert_eq!(deleting.phase(), Phase::Deleting);
    let start = v1::StartContainerRequest { name: "box".into(), ..Default::default() };
    let status = ann.start_container(start).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    world.report_removed(&made.id).await;
    let status = ann.get_container(named("box")).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn the_same_request_makes_one_container() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let mut asked = request("box");
    asked.request_id = "0190a5c2-7a5b-7c3d-8e4f-123456789abc".into();
    let first = ann.create_container(asked.clone()).await.unwrap().into_inner();
    let second = ann.create_container(asked.clone()).await.unwrap().into_inner();
    assert_eq!(first.id, second.id);
    // It is the caller's id: another's is another request.
    let mut ben = world.containers(Who::Ben).await;
    let other = ben.create_container(asked.clone()).await.unwrap().into_inner();
    assert_ne!(other.id, first.id);
    asked.request_id = String::new();
    let status = ann.create_container(asked).await.unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists);
    let details = status.get_error_details();
    assert_eq!(details.resource_info().unwrap().resource_type, "berth.v1.Container");
    assert_eq!(world.handle.committed().state.containers.len(), 2);
}

#[tokio::test]
async fn five_and_no_more() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    for n in 0..5 {
        ann.create_container(request(&format!("box-{n}"))).await.unwrap();
    }
    let status = ann.create_container(request("box-5")).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "QUOTA_EXCEEDED");
    assert_eq!(details.quota_failure().unwrap().violations[0].subject, "containers_per_person");
}

#[tokio::test]
async fn pages() {
    let world = World::new().await;
    for who in [Who::Ann, Who::Ben] {
        let mut client = world.containers(who).await;
        for n in [2, 0, 1] {
            client.create_container(request(&format!("box-{n}"))).await.unwrap();
        }
    }
    let mut root = world.containers(Who::Root).await;
    let mut asked =
        v1::ListContainersRequest { page_size: 4, owner: "-".into(), ..Default::default() };
    let first = root.list_containers(asked.clone()).await.unwrap().into_inner();
    assert_eq!(first.total_size, 6);
    // Somebody comes before the place where the next page begins: nobody is told of twice.
    world.containers(Who::Ann).await.create_container(request("box")).await.unwrap();
    asked.page_token = first.next_page_token;
    let second = root.list_containers(asked).await.unwrap().into_inner();
    assert_eq!(second.next_page_token, "");
    let names: Vec<String> =
        first.containers.into_iter().chain(second.containers).map(|row| row.full_name).collect();
    let expected = ["ann-box-0", "ann-box-1", "ann-box-2", "ben-box-0", "ben-box-1", "ben-box-2"];
    assert_eq!(names, expected);

    let mut ann = world.containers(Who::Ann).await;
    let own = ann.list_containers(v1::ListContainersRequest::default()).await.unwrap().into_inner();
    assert_eq!(own.total_size, 4);
    for bad in ["x", "!!", "AAAA", "YW5u", "\u{202e}"] {
        let asked = v1::ListContainersRequest { page_token: bad.into(), ..Default::default() };
        let status = ann.list_containers(asked).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{bad}");
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "page_token");
    }
    let everybody = v1::ListContainersRequest { owner: "-".into(), ..Default::default() };
    let status = ann.list_containers(everybody).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let huge = v1::ListContainersRequest { page_size: u32::MAX, ..Default::default() };
    assert_eq!(ann.list_containers(huge).await.unwrap().into_inner().containers.len(), 4);
}

#[tokio::test]
async fn explanations() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let ask = |change: fn(&mut v1::CreateContainerRequest)| {
        let mut container = request("");
        change(&mut container);
        v1::ExplainPlacementRequest { container: Some(container) }
    };
    let fits = ann.explain_placement(ask(|_| {})).await.unwrap().into_inner();
    assert_eq!((fits.starts_now, fits.node.as_str()), (true, "blade-1"));
    assert_eq!(fits.message, "It would start now, on blade-1.");
    assert!(fits.verdicts[0].score > 0 && fits.verdicts[0].rejections.is_empty());

    let mut japanese = Request::new(ask(|container| container.gpus = 2));
    japanese.metadata_mut().insert("accept-language", "ja,en;q=0.5".parse().unwrap());
    let does_not = ann.explain_placement(japanese).await.unwrap().into_inner();
    assert!(!does_not.starts_now);
    assert!(does_not.message.contains("GPUが不足"), "{}", does_not.message);
    assert_eq!(does_not.verdicts[0].rejections.len(), 1);
    assert_eq!(world.handle.committed().state.containers.len(), 0);
}

#[tokio::test]
async fn it_waits_with_reasons_and_keeps_to_its_lease() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let asked = v1::CreateContainerRequest { gpus: 2, ..request("big") };
    let waiting = ann.create_container(asked).await.unwrap().into_inner();
    assert_eq!(waiting.phase(), Phase::Pending);
    let reason = waiting.reason.unwrap();
    assert_eq!(reason.code(), ReasonCode::WaitingForRoom);
    assert!(reason.message.contains("blade-1: 1 of 1 GPUs free, 2 asked"), "{}", reason.message);
    assert!(waiting.endpoints.is_empty());

    world.clock.advance(Duration::from_secs(9 * 3600));
    // The session has ended meanwhile.
    world.forget_tokens();
    let mut ann = world.containers(Who::Ann).await;
    let start = v1::StartContainerRequest { name: "big".into(), ..Default::default() };
    let status = ann.start_container(start).await.unwrap_err();
    let details = status.get_error_details();
    assert_eq!(details.precondition_failure().unwrap().violations[0].r#type, "LEASE_ENDED");
}
