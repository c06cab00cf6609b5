//! Waiting until a container is what it is to be.

use std::time::Duration;

use anyhow::Result;
use berth_proto::v1::{self, Phase, ReasonCode, watch_containers_response::Kind};
use tonic::{Code, Status};

use crate::{
    DoesNotRun,
    client::As,
    output::{note, printable},
    text,
};

pub(super) type Containers = v1::container_service_client::ContainerServiceClient<As>;

/// Between attempts to reach a service that was there a moment ago.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// A restart of the service takes seconds; longer is an outage that somebody should hear of.
const ATTEMPTS: u32 = 15;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    Running,
    Stopped,
}

/// Until it is what it is to be, or cannot become it; says what happens on the way.
pub(super) async fn wait(
    client: &mut Containers,
    mut container: v1::Container,
    goal: Goal,
) -> Result<v1::Container> {
    let mut shown = String::new();
    let mut token = String::new();
    let mut attempts = 0;
    loop {
        let request = v1::WatchContainersRequest {
            name: container.id.clone(),
            resume_token: token.clone(),
            ..Default::default()
        };
        let broken = match client.watch_containers(request).await {
            Ok(stream) => {
                let mut stream = stream.into_inner();
                loop {
                    match stream.message().await {
                        Ok(Some(response)) => {
                            attempts = 0;
                            token.clone_from(&response.resume_token);
                            if response.removed_ids.contains(&container.id) {
                                return Err(DoesNotRun.into());
                            }
                            if response.kind() == Kind::Bookmark {
                                continue;
                            }
                            if let Some(row) = response.containers.into_iter().next() {
                                container = row;
                                progress(&container, &mut shown)?;
                                if is_settled(&container, goal)? {
                                    return Ok(container);
                                }
                            }
                        }
                        Ok(None) => break Status::unavailable(""),
                        Err(status) => break status,
                    }
                }
            }
            Err(status) => status,
        };
        attempts += 1;
        if !is_passing(&broken) || attempts > ATTEMPTS {
            return Err(broken.into());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Until nothing is left of it, or its blade cannot say so: then it goes when the blade is back.
pub(super) async fn gone(client: &mut Containers, id: String) -> Result<()> {
    let mut shown = text::phase(Phase::Deleting).to_owned();
    let mut attempts = 0;
    loop {
        let request = v1::WatchContainersRequest { name: id.clone(), ..Default::default() };
        let broken = match client.watch_containers(request).await {
            Ok(stream) => {
                let mut stream = stream.into_inner();
                let mut there = false;
                loop {
                    let response = match stream.message().await {
                        Ok(Some(response)) => response,
                        Ok(None) => break Status::unavailable(""),
                        Err(status) => break status,
                    };
                    attempts = 0;
                    there |= !response.containers.is_empty();
                    let vanished = response.kind() == Kind::Snapshot && response.last && !there;
                    if vanished || response.removed_ids.contains(&id) {
                        return Ok(());
                    }
                    for container in response.containers {
                        progress(&container, &mut shown)?;
                        let reason = container.reason.unwrap_or_default();
                        if reason.code() == ReasonCode::NodeUnreachable {
                            return Ok(());
                        }
                    }
                }
            }
            Err(status) => status,
        };
        if broken.code() == Code::NotFound {
            return Ok(());
        }
        attempts += 1;
        if !is_passing(&broken) || attempts > ATTEMPTS {
            return Err(broken.into());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A connection that broke, and not an answer.
fn is_passing(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled)
        && status.details().is_empty()
        || status.code() == Code::Unavailable
}

fn is_settled(container: &v1::Container, goal: Goal) -> Result<bool> {
    match (container.phase(), goal) {
        (Phase::Running, Goal::Running) | (Phase::Failed | Phase::Stopped, Goal::Stopped) => {
            Ok(true)
        }
        (Phase::Failed | Phase::Stopped | Phase::Deleting, Goal::Running) => Err(DoesNotRun.into()),
        (Phase::Deleting, Goal::Stopped) => Ok(true),
        (
            Phase::Unspecified
            | Phase::Pending
            | Phase::Pulling
            | Phase::Starting
            | Phase::Stopping,
            _,
        )
        | (Phase::Running, Goal::Stopped) => Ok(false),
    }
}

/// Says a line when it differs from the last.
fn progress(container: &v1::Container, shown: &mut String) -> Result<()> {
    let mut line = text::phase(container.phase()).to_owned();
    if let Some(pull) = container.pull.filter(|pull| pull.total_bytes > 0) {
        // Tenths are enough, and do not fill a log.
        let tenths = pull.done_bytes.saturating_mul(10) / pull.total_bytes;
        line.push_str(&format!(" {}%", tenths.min(10) * 10));
    }
    if let Some(reason) = &container.reason {
        line.push_str(": ");
        line.push_str(&reason.message);
        if !reason.remedy.is_empty() {
            line.push(' ');
            line.push_str(&reason.remedy);
        }
    }
    if line != *shown {
        note(&printable(&line))?;
        *shown = line;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_wait_is_over_for() {
        let in_phase = |phase: Phase| v1::Container { phase: phase.into(), ..Default::default() };
        assert!(is_settled(&in_phase(Phase::Running), Goal::Running).unwrap());
        assert!(!is_settled(&in_phase(Phase::Pulling), Goal::Running).unwrap());
        let failed = is_settled(&in_phase(Phase::Failed), Goal::Running);
        assert!(failed.unwrap_err().is::<DoesNotRun>());
        assert!(!is_settled(&in_phase(Phase::Running), Goal::Stopped).unwrap());
        assert!(!is_settled(&in_phase(Phase::Stopping), Goal::Stopped).unwrap());
        assert!(is_settled(&in_phase(Phase::Stopped), Goal::Stopped).unwrap());
        assert!(is_passing(&Status::unavailable("")));
        assert!(!is_passing(&Status::unauthenticated("")));
        assert!(!is_passing(&Status::not_found("")));
    }
}
