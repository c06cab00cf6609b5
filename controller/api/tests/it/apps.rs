//! Addresses below the site's domain, links to them, and ports of the blade.

use std::time::Duration;

use berth_proto::v1;
use tonic::{Code, Status};

use crate::world::{NOW, Who, World, request};

fn link(port: u32, seconds: Option<i64>) -> v1::CreateShareLinkRequest {
    v1::CreateShareLinkRequest {
        name: "box".into(),
        owner: String::new(),
        port,
        lifetime: seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
    }
}

async fn with_box() -> (World, v1::Container) {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let container = ann.create_container(request("box")).await.unwrap().into_inner();
    (world, container)
}

async fn listed(world: &World, who: Who) -> Result<Vec<v1::ShareLink>, Status> {
    let owner = if who == Who::Ann { "" } else { "ann" };
    let list =
        v1::ListShareLinksRequest { name: "box".into(), owner: owner.into(), ..Default::default() };
    let answer = world.apps(who).await.list_share_links(list).await?;
    Ok(answer.into_inner().share_links)
}

#[tokio::test]
async fn a_container_tells_its_addresses() {
    let (world, container) = with_box().await;
    let template = &container.app_url_template;
    assert!(template.starts_with("https://{port}-box-"), "{template}");
    assert!(template.ends_with(".apps.test:8443/"), "{template}");
    let [endpoint] = container.endpoints.as_slice() else { panic!("{container:?}") };
    assert_eq!(endpoint.url, template.replace("{port}", "8888"));
    // The same again for another container of the name.
    let mut ann = world.containers(Who::Ann).await;
    let delete = v1::DeleteContainerRequest { name: "box".into(), owner: String::new() };
    ann.delete_container(delete).await.unwrap();
    world.report_removed(&container.id).await;
    let again = ann.create_container(request("box")).await.unwrap().into_inner();
    assert_ne!(again.id, container.id);
    assert_eq!(&again.app_url_template, template);
    // And another one for somebody else's.
    let mut ben = world.containers(Who::Ben).await;
    let bens = ben.create_container(request("box")).await.unwrap().into_inner();
    assert_ne!(&bens.app_url_template, template);
}

#[tokio::test]
async fn a_site_without_names() {
    let world = World::without_names().await;
    let mut ann = world.containers(Who::Ann).await;
    let container = ann.create_container(request("box")).await.unwrap().into_inner();
    assert_eq!(container.app_url_template, "");
    let [endpoint] = container.endpoints.as_slice() else { panic!("{container:?}") };
    assert_eq!(endpoint.url, format!("http://192.0.2.1:{}/", endpoint.host_port));
    let status = world.apps(Who::Ann).await.create_share_link(link(80, None)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    // What is not theirs is not there, before anything else is said.
    let status = world.apps(Who::Ben).await.create_share_link(link(80, None)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn only_named_ports_get_one_of_the_blade() {
    let (world, _) = with_box().await;
    let mut ann = world.containers(Who::Ann).await;
    // The site leaves it to the request.
    let quiet = v1::CreateContainerRequest { published_ports: vec![], ..request("quiet") };
    let quiet = ann.create_container(quiet).await.unwrap().into_inner();
    assert_eq!((quiet.endpoints[0].host_port, quiet.endpoints[0].host.as_str()), (0, ""));
    let asked = v1::CreateContainerRequest {
        guest_ports: vec![8888, 6006],
        published_ports: vec![6006],
        ..request("two")
    };
    let two = ann.create_container(asked).await.unwrap().into_inner();
    let of = |port| two.endpoints.iter().find(|e| e.guest_port == port).unwrap();
    assert_eq!(of(8888).host_port, 0);
    assert_eq!(of(6006).host, "192.0.2.1");
    assert!(of(6006).host_port >= 1024 && of(6006).url.starts_with("https://6006-two-"));
    let wrong = v1::CreateContainerRequest { published_ports: vec![80], ..request("three") };
    let status = ann.create_container(wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("published_ports[0]"), "{}", status.message());
}

#[tokio::test]
async fn a_link_is_made_listed_and_taken_back() {
    let (world, container) = with_box().await;
    let mut ann = world.apps(Who::Ann).await;
    let made = ann.create_share_link(link(8888, Some(3600))).await.unwrap().into_inner();
    let host = container.app_url_template.replace("{port}", "8888");
    let token = made.url.strip_prefix(&format!("{host}link/")).expect("at the port's own host");
    assert!(token.starts_with("berth_l_") && token.len() > 40, "{token}");
    let shown = made.share_link.unwrap();
    assert_eq!(
        (shown.container.as_str(), shown.port, shown.creator.as_str()),
        ("box", 8888, "ann")
    );
    let seconds = NOW.0 / 1000;
    assert_eq!(shown.create_time.unwrap().seconds, seconds);
    assert_eq!(shown.expire_time.unwrap().seconds, seconds + 3600);

    assert_eq!(listed(&world, Who::Ann).await.unwrap(), std::slice::from_ref(&shown));
    assert_eq!(listed(&world, Who::Root).await.unwrap(), std::slice::from_ref(&shown));
    assert_eq!(listed(&world, Who::Ben).await.unwrap_err().code(), Code::NotFound);
    let delete = |owner: &str| v1::DeleteShareLinkRequest {
        name: "box".into(),
        owner: owner.into(),
        id: shown.id.clone(),
    };
    // By its id alone nobody takes it back, not even at a container of their own.
    let mut ben = world.containers(Who::Ben).await;
    ben.create_container(request("box")).await.unwrap();
    for owner in ["", "ann"] {
        let mut ben = world.apps(Who::Ben).await;
        let status = ben.delete_share_link(delete(owner)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{owner}");
    }
    ann.delete_share_link(delete("")).await.unwrap();
    assert!(listed(&world, Who::Ann).await.unwrap().is_empty());
    assert_eq!(ann.delete_share_link(delete("")).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn links_end_by_themselves_and_with_their_container() {
    let (world, container) = with_box().await;
    let mut ann = world.apps(Who::Ann).await;
    let first = ann.create_share_link(link(80, None)).await.unwrap().into_inner();
    let expires = first.share_link.unwrap().expire_time.unwrap().seconds;
    assert_eq!(expires, NOW.0 / 1000 + 24 * 3600);
    world.clock.advance(Duration::from_secs(24 * 3600));
    world.forget_tokens();
    assert!(listed(&world, Who::Ann).await.unwrap().is_empty());

    let mut ann = world.apps(Who::Ann).await;
    ann.create_share_link(link(80, None)).await.unwrap();
    let mut containers = world.containers(Who::Ann).await;
    let delete = v1::DeleteContainerRequest { name: "box".into(), owner: String::new() };
    containers.delete_container(delete).await.unwrap();
    let late = ann.create_share_link(link(80, None)).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition);
    world.report_removed(&container.id).await;
    assert!(world.handle.committed().state.share_links.is_empty());
}

#[tokio::test]
async fn links_that_are_not_made() {
    let (world, _) = with_box().await;
    let mut ann = world.apps(Who::Ann).await;
    for (request, field) in [
        (link(0, None), "port"),
        (link(70_000, None), "port"),
        (link(80, Some(0)), "lifetime"),
        (link(80, Some(-1)), "lifetime"),
        (link(80, Some(48 * 3600 + 1)), "lifetime"),
        (link(80, Some(i64::MAX)), "lifetime"),
    ] {
        let status = ann.create_share_link(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        assert!(status.message().starts_with(field), "{}", status.message());
    }
    for _ in 0..20 {
        ann.create_share_link(link(80, None)).await.unwrap();
    }
    let status = ann.create_share_link(link(80, None)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(listed(&world, Who::Ann).await.unwrap().len(), 20);
}
