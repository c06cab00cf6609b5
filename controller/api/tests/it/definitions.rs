//! Definitions over the wire: changes, secrets, presets.

use berth_core::{
    definition::{Cpu, Lease, MASK, Memory},
    preset::{Preset, Title},
    resources::GIB,
};
use berth_proto::{convert::definition, v1};
use prost_types::FieldMask;
use tonic::{Code, Request, metadata::MetadataValue};
use tonic_types::StatusExt as _;

use crate::world::{NOW, Who, World, request};

pub(crate) fn preset() -> Preset {
    Preset {
        name: "large".into(),
        title: Title { en: "Large".into(), ja: "大".into() },
        cpu: Some(Cpu(4000)),
        memory: Some(Memory(8 * GIB)),
        gpus: 1,
        image: Some("jupyter:1".into()),
        lease: Some(Lease(std::time::Duration::from_secs(7200))),
    }
}

fn update(paths: &[&str], container: v1::Container) -> v1::UpdateContainerRequest {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    v1::UpdateContainerRequest {
        container: Some(v1::Container { name: "box".into(), ..container }),
        update_mask: Some(FieldMask { paths }),
        ..Default::default()
    }
}

fn with_secret() -> v1::CreateContainerRequest {
    v1::CreateContainerRequest {
        environment: [("A".to_owned(), "1".to_owned())].into(),
        secret_environment: [("TOKEN".to_owned(), "hunter2".to_owned())].into(),
        ..request("box")
    }
}

#[tokio::test]
async fn a_change_that_loses_something_wants_consent() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let made = ann.create_container(request("box")).await.unwrap().into_inner();
    world.report_running(&made.id).await;
    let image = v1::Container { image: "alpine".into(), tty: true, ..Default::default() };
    let asked = update(&["image", "tty"], image);

    let mut japanese = Request::new(asked.clone());
    japanese.metadata_mut().insert("accept-language", MetadataValue::from_static("ja"));
    let status = ann.update_container(japanese).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(
        status.message().contains("再作成") && status.message().contains("イメージ"),
        "{status}"
    );
    let violations = status.get_details_precondition_failure().unwrap().violations;
    let said: Vec<_> = violations.iter().map(|v| (v.r#type.as_str(), v.subject.as_str())).collect();
    assert_eq!(said, [("NEEDS_RECREATION", "image"), ("NEEDS_RECREATION", "tty")]);

    let preview =
        v1::UpdateContainerRequest { allow_recreation: true, validate_only: true, ..asked.clone() };
    let seen = ann.update_container(preview).await.unwrap().into_inner();
    assert_eq!(seen.image, "alpine");
    let get = v1::GetContainerRequest { name: "box".into(), owner: String::new() };
    let unchanged = ann.get_container(get).await.unwrap().into_inner();
    assert_eq!(unchanged.image, made.image);

    let allowed = v1::UpdateContainerRequest { allow_recreation: true, ..asked };
    let changed = ann.update_container(allowed).await.unwrap().into_inner();
    assert_eq!((changed.image.as_str(), changed.tty), ("alpine", true));
    assert_eq!(changed.endpoints, made.endpoints);
    assert_eq!(changed.id, made.id);
    assert_eq!(changed.phase(), v1::Phase::Starting);
}

#[tokio::test]
async fn a_mask_names_what_is_meant() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    ann.create_container(with_secret()).await.unwrap();
    let unknown = ann.update_container(update(&["image", "phase"], v1::Container::default()));
    let status = unknown.await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let bad = status.get_details_bad_request().unwrap();
    assert_eq!(bad.field_violations[0].field, "update_mask.paths[1]");
    let wrong = v1::Container { image: "No".into(), ..Default::default() };
    let status = ann.update_container(update(&["image"], wrong)).await.unwrap_err();
    assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "image");

    // Without a mask: what is said.
    let lease = Some(prost_types::Duration { seconds: 120, nanos: 0 });
    let mut said = update(&[], v1::Container { lease, ..Default::default() });
    said.update_mask = None;
    let changed = ann.update_container(said).await.unwrap().into_inner();
    assert_eq!(changed.lease_end_time.unwrap().seconds, NOW.0 / 1000 + 120);
    assert_eq!((changed.lease, changed.guest_ports), (lease, vec![8888]));

    // Does not fit on its own blade: 16 cores there.
    let big = v1::Container { gpus: 4, ..Default::default() };
    let asked = v1::UpdateContainerRequest { allow_recreation: true, ..update(&["gpus"], big) };
    let status = ann.update_container(asked).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("blade"), "{status}");
    let violations = status.get_details_precondition_failure().unwrap().violations;
    assert_eq!(violations[0].r#type, "DOES_NOT_FIT");
}

/// What `get` prints is what `apply` takes, and takes for what is there already.
#[tokio::test]
async fn what_is_got_and_applied_changes_nothing() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let asked = v1::CreateContainerRequest {
        command: vec!["python".into(), "-m".into(), "http.server".into()],
        gpus: 1,
        tty: true,
        run_as: v1::RunAs::Image.into(),
        node_labels: [].into(),
        ..with_secret()
    };
    let made = ann.create_container(asked).await.unwrap().into_inner();
    let definition = definition::definition(made.clone());
    let again = definition::update_request(definition.clone());
    let after = ann.update_container(again).await.unwrap().into_inner();
    assert_eq!(after, made);
    assert_eq!(definition::definition(after), definition);
}

#[tokio::test]
async fn secrets_are_shown_to_nobody() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let made = ann.create_container(with_secret()).await.unwrap().into_inner();
    assert_eq!(made.environment.keys().collect::<Vec<_>>(), ["A"]);
    assert_eq!(made.secret_environment["TOKEN"], MASK);
    for who in [Who::Ann, Who::Root] {
        let owner = if who == Who::Ann { "" } else { "ann" }.to_owned();
        let mut client = world.containers(who).await;
        let get = v1::GetContainerRequest { name: "box".into(), owner: owner.clone() };
        let got = client.get_container(get).await.unwrap().into_inner();
        let list = v1::ListContainersRequest { owner: owner.clone(), ..Default::default() };
        let listed = client.list_containers(list).await.unwrap().into_inner();
        let watch = v1::WatchContainersRequest { owner, ..Default::default() };
        let mut watched = client.watch_containers(watch).await.unwrap().into_inner();
        let first = watched.message().await.unwrap().unwrap();
        let shown = format!("{got:?} {listed:?} {first:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
    }
    // Nor in what a refusal says.
    let twice = v1::CreateContainerRequest {
        environment: [("TOKEN".to_owned(), "plain".to_owned())].into(),
        name: "other".into(),
        ..with_secret()
    };
    let status = ann.create_container(twice).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let shown = format!("{status:?} {}", String::from_utf8_lossy(status.details()));
    assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");

    // Kept by their mask, also for another container of one's own, and for nobody else's.
    let mask: std::collections::BTreeMap<_, _> = [("TOKEN".to_owned(), MASK.to_owned())].into();
    let copy = v1::CreateContainerRequest { secret_environment: mask, ..request("copy") };
    let status = ann.create_container(copy.clone()).await.unwrap_err();
    let bad = status.get_details_bad_request().unwrap();
    assert_eq!(bad.field_violations[0].field, "secret_environment[TOKEN]");
    let copy = v1::CreateContainerRequest { secrets_from: made.id.clone(), ..copy };
    for who in [Who::Ben, Who::Root] {
        let status = world.containers(who).await.create_container(copy.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
    }
    let copied = ann.create_container(copy).await.unwrap().into_inner();
    let state = &world.handle.committed().state;
    let id: berth_core::id::ContainerId = copied.id.parse().unwrap();
    assert_eq!(state.containers[&id].spec.environment["TOKEN"], "hunter2");
}

#[tokio::test]
async fn presets_fill_what_is_left_open() {
    let world = World::new().await;
    let token = world.token(Who::Ann).await;
    let mut auth = world.auth(token);
    for (language, title) in [("en", "Large"), ("ja", "大")] {
        let mut request = Request::new(v1::GetSelfRequest {});
        request.metadata_mut().insert("accept-language", language.parse().unwrap());
        let site = auth.get_self(request).await.unwrap().into_inner().site.unwrap();
        let preset = &site.presets[0];
        assert_eq!((preset.name.as_str(), preset.title.as_str()), ("large", title));
        assert_eq!((preset.cpu_millis, preset.memory_bytes, preset.gpus), (4000, 8 * GIB, 1));
        assert_eq!((preset.image.as_str(), preset.lease.unwrap().seconds), ("jupyter:1", 7200));
    }
    let mut ann = world.containers(Who::Ann).await;
    let asked = v1::CreateContainerRequest {
        name: "box".into(),
        preset: "large".into(),
        cpu_millis: 500,
        ..Default::default()
    };
    let made = ann.create_container(asked.clone()).await.unwrap().into_inner();
    assert_eq!((made.image.as_str(), made.cpu_millis), ("jupyter:1", 500));
    assert_eq!((made.memory_bytes, made.gpus), (8 * GIB, 1));
    assert_eq!(made.lease_end_time.unwrap().seconds, NOW.0 / 1000 + 7200);
    let unknown = v1::CreateContainerRequest { preset: "huge".into(), name: "b".into(), ..asked };
    let status = ann.create_container(unknown).await.unwrap_err();
    assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "preset");
}

#[tokio::test]
async fn defined_without_being_started() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let asked = v1::CreateContainerRequest { stopped: true, ..request("box") };
    let made = ann.create_container(asked).await.unwrap().into_inner();
    assert_eq!((made.phase(), made.node.as_str()), (v1::Phase::Stopped, ""));
    assert_eq!(made.reason, None);
    let start = v1::StartContainerRequest { name: "box".into(), ..Default::default() };
    let started = ann.start_container(start).await.unwrap().into_inner();
    assert_eq!((started.phase(), started.node.as_str()), (v1::Phase::Starting, "blade-1"));
}
