//! A container on loan, from the request to the page behind its port.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use berth_proto::v1::{
    Container, CreateContainerRequest, DeleteContainerRequest, GetContainerRequest, Phase,
    WatchContainersRequest,
};
use serde::Serialize;

use crate::{client::Session, demo::Demo, page};

/// What the starter image listens on.
pub const GUEST_PORT: u32 = 8080;

/// Between the end of one watch and the next.
const PAUSE: Duration = Duration::from_millis(50);

/// What can be said of a container from outside.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Look {
    pub id: String,
    pub phase: String,
    pub url: String,
    /// What its page says; absent when it does not answer.
    pub page: Option<String>,
}

pub fn request(demo: &Demo, name: &str) -> CreateContainerRequest {
    CreateContainerRequest {
        name: name.to_owned(),
        image: demo.starter_image.clone(),
        guest_ports: vec![GUEST_PORT],
        request_id: request_id(),
        ..CreateContainerRequest::default()
    }
}

#[allow(clippy::disallowed_methods, reason = "a client chooses its request ids at random")]
fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Asks for a container and waits until it runs.
pub async fn lend(
    session: &mut Session,
    request: CreateContainerRequest,
    patience: Duration,
) -> Result<Container> {
    let name = request.name.clone();
    session
        .containers
        .create_container(request)
        .await
        .with_context(|| format!("{name} is refused"))?;
    let runs = async |container: Option<&Container>| match container.map(Container::phase) {
        Some(Phase::Running) => Ok(true),
        Some(Phase::Failed) => {
            bail!("{name} failed: {:?}", container.and_then(|c| c.reason.as_ref()))
        }
        Some(_) | None => Ok(false),
    };
    let container = tokio::time::timeout(patience, until(session, &name, runs))
        .await
        .with_context(|| format!("{name} does not run within {patience:?}"))??;
    container.with_context(|| format!("{name} is gone"))
}

/// Deletes it and waits until it is gone.
pub async fn give_back(session: &mut Session, name: &str, patience: Duration) -> Result<()> {
    let request = DeleteContainerRequest { name: name.to_owned(), owner: String::new() };
    session
        .containers
        .delete_container(request)
        .await
        .with_context(|| format!("{name} cannot be deleted"))?;
    let gone = async |container: Option<&Container>| Ok(container.is_none());
    tokio::time::timeout(patience, until(session, name, gone))
        .await
        .with_context(|| format!("{name} is not gone within {patience:?}"))??;
    Ok(())
}

/// Follows one container, also over lost connections, until `done`.
async fn until(
    session: &mut Session,
    name: &str,
    done: impl AsyncFn(Option<&Container>) -> Result<bool>,
) -> Result<Option<Container>> {
    loop {
        let request =
            WatchContainersRequest { name: name.to_owned(), ..WatchContainersRequest::default() };
        let mut changes = session.containers.watch_containers(request).await?.into_inner();
        let mut container: Option<Container> = None;
        let mut complete = false;
        while let Ok(Some(change)) = changes.message().await {
            complete |= change.last;
            if container
                .as_ref()
                .is_some_and(|container| change.removed_ids.contains(&container.id))
            {
                container = None;
            }
            for changed in change.containers {
                // Another container of the same name may follow one that is being deleted.
                if changed.name == name {
                    container = Some(changed);
                }
            }
            if complete && done(container.as_ref()).await? {
                return Ok(container);
            }
        }
        // A stream that ends at once must not become a storm of calls.
        tokio::time::sleep(PAUSE).await;
    }
}

pub async fn look(session: &mut Session, name: &str) -> Result<Look> {
    let request = GetContainerRequest { name: name.to_owned(), owner: String::new() };
    let container = session.containers.get_container(request).await?.into_inner();
    let endpoint = container.endpoints.first();
    let page = match endpoint {
        Some(endpoint) if container.phase() == Phase::Running => {
            let port = u16::try_from(endpoint.host_port).context("a port has 16 bits")?;
            page::fetch_soon(&endpoint.host, port).await.ok()
        }
        Some(_) | None => None,
    };
    Ok(Look {
        id: container.id.clone(),
        phase: container.phase().as_str_name().to_owned(),
        url: endpoint.map(|endpoint| endpoint.url.clone()).unwrap_or_default(),
        page,
    })
}
