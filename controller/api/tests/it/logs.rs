//! What containers printed, as its readers meet it.

use berth_core::observed::ObservedPhase;
use berth_proto::v1::{self, log_service_client::LogServiceClient};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::world::{Bearer, Who, World, request};

async fn placed() -> (World, String) {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let id = ann.create_container(request("box")).await.unwrap().into_inner().id;
    world.report_running(&id).await;
    (world, id)
}

fn wanted() -> v1::StreamLogsRequest {
    v1::StreamLogsRequest { name: "box".into(), ..Default::default() }
}

/// All lines, and how it ended.
async fn read(
    world: &World,
    who: Who,
    request: v1::StreamLogsRequest,
) -> (Vec<v1::LogLine>, Result<(), Status>) {
    let token = world.token(who).await;
    let mut client = LogServiceClient::with_interceptor(world.channel(), Bearer(token));
    let mut stream = match client.stream(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return (Vec::new(), Err(status)),
    };
    let mut lines = Vec::new();
    loop {
        match stream.message().await {
            Ok(Some(response)) => {
                lines.extend(response.lines);
                if response.end {
                    assert_eq!(stream.message().await.unwrap(), None);
                    return (lines, Ok(()));
                }
            }
            Ok(None) => panic!("ended without its end"),
            Err(status) => return (lines, Err(status)),
        }
    }
}

async fn numbers(world: &World, request: v1::StreamLogsRequest) -> Vec<i64> {
    let (lines, end) = read(world, Who::Ann, request).await;
    end.unwrap();
    lines.iter().map(|line| line.time.unwrap().seconds).collect()
}

#[tokio::test]
async fn lines_as_they_were_printed() {
    let (world, _) = placed().await;
    let (lines, end) = read(&world, Who::Ann, wanted()).await;
    end.unwrap();
    assert_eq!(lines.len(), 10);
    assert_eq!(
        (&lines[3].text[..], lines[3].stream, lines[3].partial),
        (&b"line 3\r"[..], 2, false)
    );
    assert_eq!((lines[4].stream, lines[9].partial), (1, true));
    // Wherever one stopped, the rest is exactly the rest; a cursor wins.
    for (line, next) in lines.iter().zip(1..) {
        let cursor = line.cursor.clone();
        let rest = numbers(&world, v1::StreamLogsRequest { cursor, tail: 1, ..wanted() }).await;
        assert_eq!(rest, (next..10).collect::<Vec<_>>());
    }
    assert_eq!(numbers(&world, v1::StreamLogsRequest { tail: 3, ..wanted() }).await, [7, 8, 9]);
    let since = Some(prost_types::Timestamp { seconds: 8, nanos: 0 });
    assert_eq!(numbers(&world, v1::StreamLogsRequest { since, ..wanted() }).await, [8, 9]);
}

#[tokio::test]
async fn a_blade_that_is_lost_is_no_end() {
    let (world, _) = placed().await;
    let (lines, end) = read(
        &world,
        Who::Root,
        v1::StreamLogsRequest { follow: true, owner: "ann".into(), ..wanted() },
    )
    .await;
    assert_eq!(lines.len(), 10);
    assert_eq!(end.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn whatever_its_state() {
    let (world, id) = placed().await;
    for phase in [ObservedPhase::Exited, ObservedPhase::Failed, ObservedPhase::Pulling] {
        world.report(&id, phase).await;
        assert_eq!(numbers(&world, wanted()).await.len(), 10, "{phase:?}");
    }
    // No blade has two GPUs.
    let mut ann = world.containers(Who::Ann).await;
    let asked = v1::CreateContainerRequest { gpus: 2, ..request("big") };
    let waiting = ann.create_container(asked).await.unwrap().into_inner();
    assert_eq!(waiting.phase(), v1::Phase::Pending);
    let follow = v1::StreamLogsRequest { name: "big".into(), follow: true, ..Default::default() };
    assert_eq!(numbers(&world, follow).await, [0; 0]);
}

#[tokio::test]
async fn what_cannot_be_asked() {
    let (world, _) = placed().await;
    let fields = |status: Status| -> Vec<String> {
        let details = status.get_error_details();
        let violations = &details.bad_request().unwrap().field_violations;
        violations.iter().map(|violation| violation.field.clone()).collect()
    };
    let bad = v1::StreamLogsRequest { cursor: "no cursor".into(), tail: 100_001, ..wanted() };
    let status = read(&world, Who::Ann, bad).await.1.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(fields(status), ["cursor", "tail"]);
    let status = read(&world, Who::Ben, wanted()).await.1.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}
