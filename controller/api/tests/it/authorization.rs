//! Every RPC by everybody: the table is what happens.

use std::collections::BTreeSet;

use berth_app::authz::{Access, TABLE, access};
use berth_proto::{
    DESCRIPTORS,
    v1::{self, container_service_client::ContainerServiceClient},
};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::{Code, metadata::MetadataMap};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_request::MessageRequest,
};

use crate::{
    raw::first_answer,
    world::{Bearer, PASSWORD, Who, World, request},
};

/// The agents' port has them, with their own ways to say who calls.
const AGENTS: &str = "berth.agent.v1";

fn methods(descriptors: &[u8]) -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(descriptors).unwrap();
    let mut methods = BTreeSet::new();
    for file in set.file.iter().filter(|file| file.package() != AGENTS) {
        for service in &file.service {
            for method in &service.method {
                let service = format!("{}.{}", file.package(), service.name());
                methods.insert(format!("/{service}/{}", method.name()));
            }
        }
    }
    methods
}

fn every_method() -> BTreeSet<String> {
    [
        DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ]
    .into_iter()
    .flat_map(methods)
    .collect()
}

#[test]
fn every_rpc_has_a_row_and_every_row_an_rpc() {
    let rows: BTreeSet<String> = TABLE.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(rows.len(), TABLE.len(), "a path stands twice");
    assert_eq!(rows, every_method());
}

/// A request about Ann's container "box", or about the one blade.
fn message(method: &str, who: Who) -> Vec<u8> {
    // Ann says nothing about the owner: it is herself.
    let owner = if who == Who::Ann { String::new() } else { "ann".to_owned() };
    let (name, node) = ("box".to_owned(), "blade-1".to_owned());
    let (path, upload_id) = ("/full".to_owned(), "00000000-0000-0000-0000-000000000001".to_owned());
    match method.rsplit('/').next().unwrap() {
        "SignIn" => v1::SignInRequest {
            account: "ann".into(),
            password: PASSWORD.into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "SignOut" | "GetSelf" | "ListNodes" | "WatchNodes" | "CreateJoinToken" | "Check"
        | "Watch" => Vec::new(),
        "ServerReflectionInfo" => ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        }
        .encode_to_vec(),
        "CreateContainer" => request("another").encode_to_vec(),
        "GetContainer" => v1::GetContainerRequest { name, owner }.encode_to_vec(),
        "ListContainers" => {
            v1::ListContainersRequest { owner, ..Default::default() }.encode_to_vec()
        }
        "WatchContainers" => {
            v1::WatchContainersRequest { owner, name, ..Default::default() }.encode_to_vec()
        }
        "StartContainer" => {
            v1::StartContainerRequest { name, owner, with_shell: false }.encode_to_vec()
        }
        "StopContainer" => v1::StopContainerRequest { name, owner }.encode_to_vec(),
        "RestartContainer" => v1::RestartContainerRequest { name, owner }.encode_to_vec(),
        "DeleteContainer" => v1::DeleteContainerRequest { name, owner }.encode_to_vec(),
        "UpdateContainer" => {
            let container = Some(v1::Container { name, owner, ..Default::default() });
            v1::UpdateContainerRequest { container, ..Default::default() }.encode_to_vec()
        }
        "ExtendLease" => v1::ExtendLeaseRequest { name, owner, lease: None }.encode_to_vec(),
        "ExplainPlacement" => {
            v1::ExplainPlacementRequest { container: Some(request("x")) }.encode_to_vec()
        }
        "CreateShareLink" => {
            v1::CreateShareLinkRequest { name, owner, port: 80, lifetime: None }.encode_to_vec()
        }
        "ListShareLinks" => {
            v1::ListShareLinksRequest { name, owner, ..Default::default() }.encode_to_vec()
        }
        "DeleteShareLink" => {
            v1::DeleteShareLinkRequest { name, owner, id: String::new() }.encode_to_vec()
        }
        "GetNode" => v1::GetNodeRequest { name: node }.encode_to_vec(),
        "CordonNode" => v1::CordonNodeRequest { name: node }.encode_to_vec(),
        "UncordonNode" => v1::UncordonNodeRequest { name: node }.encode_to_vec(),
        "DeleteNode" => v1::DeleteNodeRequest { name: node, force: true }.encode_to_vec(),
        "GetDesired" => v1::GetDesiredRequest { name: node }.encode_to_vec(),
        "GetObserved" => v1::GetObservedRequest { name: node }.encode_to_vec(),
        "Start" => v1::StartRequest { name, owner, ..Default::default() }.encode_to_vec(),
        "ListTerminals" => v1::ListTerminalsRequest { name, owner }.encode_to_vec(),
        "EndTerminal" => v1::EndTerminalRequest { name, owner, terminal: 1 }.encode_to_vec(),
        "Attach" => {
            let attach = v1::AttachTerminal { name, owner, terminal: 1, ..Default::default() };
            let message = Some(v1::attach_request::Message::Attach(attach));
            v1::AttachRequest { message }.encode_to_vec()
        }
        "Output" => {
            v1::OutputRequest { name, owner, terminal: 1, ..Default::default() }.encode_to_vec()
        }
        "Connect" => {
            let connect = v1::ConnectTo { name, owner, port: 80 };
            let message = Some(v1::connect_request::Message::Connect(connect));
            v1::ConnectRequest { message }.encode_to_vec()
        }
        "Run" => {
            let command = vec!["sleep".to_owned()];
            let command = v1::RunCommand { name, owner, command, ..Default::default() };
            let message = Some(v1::run_request::Message::Command(command));
            v1::RunRequest { message }.encode_to_vec()
        }
        "Stat" => v1::StatRequest { name, owner, path }.encode_to_vec(),
        "List" => v1::ListFilesRequest { name, owner, path, limit: 0 }.encode_to_vec(),
        "Download" => {
            v1::DownloadRequest { name, owner, path, ..Default::default() }.encode_to_vec()
        }
        "Upload" => {
            let begin = v1::BeginUpload { name, owner, path, upload_id, ..Default::default() };
            let message = Some(v1::upload_request::Message::Begin(begin));
            v1::UploadRequest { message }.encode_to_vec()
        }
        "DiscardUpload" => {
            v1::DiscardUploadRequest { name, owner, path, upload_id }.encode_to_vec()
        }
        "UploadArchive" => {
            let begin = v1::BeginArchive { name, owner, path, replace: false };
            let message = Some(v1::upload_archive_request::Message::Begin(begin));
            v1::UploadArchiveRequest { message }.encode_to_vec()
        }
        "MakeDirectory" => v1::MakeDirectoryRequest { name, owner, path }.encode_to_vec(),
        "SetAttributes" => {
            v1::SetAttributesRequest { name, owner, path, ..Default::default() }.encode_to_vec()
        }
        "Move" => {
            let destination = "/moved".to_owned();
            v1::MoveRequest { name, owner, path, destination, replace: false }.encode_to_vec()
        }
        "Delete" => v1::DeleteFileRequest { name, owner, path }.encode_to_vec(),
        "GetFigures" => v1::GetFiguresRequest { name, owner, ..Default::default() }.encode_to_vec(),
        "GetNodeFigures" => {
            v1::GetNodeFiguresRequest { name: node, ..Default::default() }.encode_to_vec()
        }
        "WatchFigures" => {
            v1::WatchFiguresRequest { name, owner, node: String::new() }.encode_to_vec()
        }
        "Stream" => v1::StreamLogsRequest { name, owner, ..Default::default() }.encode_to_vec(),
        "CreateVolume" => {
            v1::CreateVolumeRequest { name: "more".to_owned(), scope: 0 }.encode_to_vec()
        }
        "GetVolume" => v1::GetVolumeRequest { name: "data".to_owned(), owner }.encode_to_vec(),
        "ListVolumes" => v1::ListVolumesRequest { owner }.encode_to_vec(),
        "DeleteVolume" => {
            v1::DeleteVolumeRequest { name: "data".to_owned(), owner }.encode_to_vec()
        }
        "GetHome" => v1::GetHomeRequest { owner }.encode_to_vec(),
        other => panic!("{other} is new: say here what is asked"),
    }
}

fn expected(access: Access, who: Who) -> Code {
    match (access, who) {
        (Access::Public, _) => Code::Ok,
        (_, Who::Nobody) => Code::Unauthenticated,
        (Access::OwnContainer, Who::Ben) => Code::NotFound,
        (Access::Administrator, Who::Ann | Who::Ben) => Code::PermissionDenied,
        (Access::SignedIn | Access::OwnContainer | Access::Administrator, _) => Code::Ok,
    }
}

/// About an attachment, which exists for its own caller alone: walked in `exec`.
const ATTACHMENTS: [&str; 2] = ["/berth.v1.ExecService/Input", "/berth.v1.ExecService/Resize"];

#[tokio::test]
async fn everybody_calls_everything() {
    for path in every_method() {
        if ATTACHMENTS.contains(&&*path) {
            continue;
        }
        let access = access(&path).expect("each has a row");
        for who in [Who::Nobody, Who::Ann, Who::Ben, Who::Root] {
            let world = World::new().await;
            let mut ann = world.containers(Who::Ann).await;
            let id = ann.create_container(request("box")).await.unwrap().into_inner().id;
            world.report_running(&id).await;
            let mut metadata = MetadataMap::new();
            if let Some(token) = world.token(who).await {
                metadata.insert("authorization", format!("Bearer {token}").parse().unwrap());
            }
            if path.starts_with("/berth.v1.VolumeService/") {
                let create = v1::CreateVolumeRequest { name: "data".to_owned(), scope: 0 };
                world.volumes(Who::Ann).await.create_volume(create).await.unwrap();
            }
            let mut message = message(&path, who);
            if path.ends_with("/DeleteShareLink") {
                let create = v1::CreateShareLinkRequest {
                    name: "box".into(),
                    port: 80,
                    ..Default::default()
                };
                let made = world.apps(Who::Ann).await.create_share_link(create).await.unwrap();
                let id = made.into_inner().share_link.unwrap().id;
                // Of two values of a field the last one counts.
                let id = v1::DeleteShareLinkRequest { id, ..Default::default() };
                message.extend(id.encode_to_vec());
            }
            let before = world.handle.committed().sequence;
            let answer = first_answer(world.channel(), &path, message, metadata).await;
            if path.ends_with("/UploadArchive") && expected(access, who) == Code::Ok {
                // It is listened to, and misses the rest.
                assert_eq!(answer.unwrap_err().code(), Code::InvalidArgument, "{path} by {who:?}");
                continue;
            }
            let code = answer.as_ref().map_or_else(tonic::Status::code, |_| Code::Ok);
            assert_eq!(code, expected(access, who), "{path} by {who:?}: {answer:?}");
            if code != Code::Ok {
                assert_eq!(world.handle.committed().sequence, before, "{path} by {who:?}");
            }
        }
    }
}

#[tokio::test]
async fn ids_open_no_more_than_names() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let id = ann.create_container(request("box")).await.unwrap().into_inner().id;
    let by_id = |owner: &str| v1::GetContainerRequest { name: id.clone(), owner: owner.into() };

    assert_eq!(ann.get_container(by_id("")).await.unwrap().into_inner().name, "box");
    let mut root = world.containers(Who::Root).await;
    assert_eq!(root.get_container(by_id("")).await.unwrap().into_inner().owner, "ann");
    let mut ben = world.containers(Who::Ben).await;
    for owner in ["", "ann", "ben", "nobody-at-all", "-"] {
        let status = ben.get_container(by_id(owner)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{owner}");
        // The same words as for what never was.
        let never = v1::GetContainerRequest {
            name: "0190a5c2-7a5b-7c3d-8e4f-123456789abc".into(),
            owner: owner.into(),
        };
        let other = ben.get_container(never.clone()).await.unwrap_err();
        assert_eq!(status.message(), other.message().replace(&never.name, &id));
    }
}

#[tokio::test]
async fn tokens_that_are_none() {
    let world = World::new().await;
    for token in ["", "x", "berth_s_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let mut client = ContainerServiceClient::with_interceptor(
            world.channel(),
            Bearer(Some(token.to_owned())),
        );
        let status =
            client.list_containers(v1::ListContainersRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{token}");
    }
}
