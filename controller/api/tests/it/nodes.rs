//! What administrators do with blades.

use berth_core::join::JoinString;
use berth_proto::v1::{self, Availability, Liveness};
use tonic::Code;

use crate::world::{Who, World, request};

#[tokio::test]
async fn a_blade() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let asked = v1::CreateContainerRequest { gpus: 1, ..request("box") };
    let container = ann.create_container(asked).await.unwrap().into_inner();

    let mut root = world.nodes(Who::Root).await;
    let nodes = root.list_nodes(v1::ListNodesRequest::default()).await.unwrap().into_inner();
    assert_eq!(nodes.total_size, 1);
    let node = &nodes.nodes[0];
    assert_eq!((node.name.as_str(), node.liveness()), ("blade-1", Liveness::Ready));
    assert_eq!(node.gpus[0].lent_to, "ann-box");
    let used = node.used.as_ref().unwrap();
    assert_eq!((used.gpus, used.cpu_millis, node.containers), (1, 1000, 1));
    assert_eq!(node.offered.as_ref().unwrap().gpus, 1);
    assert!(node.problems.is_empty(), "{:?}", node.problems);

    let by_name = |name: &str| v1::CordonNodeRequest { name: name.into() };
    let cordoned = root.cordon_node(by_name("blade-1")).await.unwrap().into_inner();
    assert_eq!(cordoned.availability(), Availability::Cordoned);
    assert!(cordoned.problems.is_empty());
    let missing = root.cordon_node(by_name("blade-2")).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    let name = v1::UncordonNodeRequest { name: node.id.clone() };
    let active = root.uncordon_node(name).await.unwrap().into_inner();
    assert_eq!(active.availability(), Availability::Active);

    let name = "blade-1".to_owned();
    let desired = root.get_desired(v1::GetDesiredRequest { name: name.clone() });
    let desired = desired.await.unwrap().into_inner();
    assert_eq!(desired.containers[0].container_id, container.id);
    assert_eq!(desired.containers[0].phase, "running");
    world.report_running(&container.id).await;
    let observed = root.get_observed(v1::GetObservedRequest { name: name.clone() });
    let observed = observed.await.unwrap().into_inner();
    assert_eq!(observed.containers[0].phase, "running");

    let delete = v1::DeleteNodeRequest { name: name.clone(), force: false };
    let status = root.delete_node(delete).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    root.delete_node(v1::DeleteNodeRequest { name, force: true }).await.unwrap();
    assert!(world.handle.committed().state.nodes.is_empty());
}

#[tokio::test]
async fn join_strings() {
    let world = World::new().await;
    let mut root = world.nodes(Who::Root).await;
    let made = root.create_join_token(v1::CreateJoinTokenRequest::default()).await.unwrap();
    let join: JoinString = made.into_inner().join_string.parse().unwrap();
    assert_eq!((join.controller.as_str(), join.ca_sha256), ("berth.example.edu:8444", [7; 32]));
    let known = world.handle.committed().state.join_tokens.clone();
    assert!(known.contains_key(&berth_app::sign_in::hash(&join.token)));

    for (seconds, nanos) in [(-1, 0), (0, 0), (59, 0), (i64::MAX, 0), (60, -1)] {
        let lifetime = Some(prost_types::Duration { seconds, nanos });
        let asked = v1::CreateJoinTokenRequest { lifetime };
        let status = root.create_join_token(asked).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{seconds}");
    }
}
