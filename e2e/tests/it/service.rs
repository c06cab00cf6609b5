//! The walk over gRPC.

use std::time::Duration;

use berth_e2e::{client, demo::Demo, lend};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn a_container_answers_on_its_port_and_goes() {
    let demo = Demo::from_environment().unwrap();
    let mut alice = client::sign_in(&demo, demo.user("alice").unwrap()).await.unwrap();
    let request = lend::request(&demo, "e2e-service");
    let container = lend::lend(&mut alice, request, PATIENCE).await.unwrap();
    assert_eq!(container.full_name, "alice-e2e-service");
    let look = lend::look(&mut alice, "e2e-service").await.unwrap();
    let page = look.page.expect("the page behind the port");
    assert!(page.contains("inside your container"), "{page}");

    // For bob it does not exist.
    let mut bob = client::sign_in(&demo, demo.user("bob").unwrap()).await.unwrap();
    let refused = lend::look(&mut bob, &container.id).await.unwrap_err();
    let status = refused.downcast::<tonic::Status>().unwrap();
    assert_eq!(status.code(), tonic::Code::NotFound);

    lend::give_back(&mut alice, "e2e-service", PATIENCE).await.unwrap();
}
