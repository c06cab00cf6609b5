//! Taking everything of an agent away: for `berth-agent purge` and the end of a demonstration.

use berth_core::id::{ClusterId, NodeId};
use berth_reconcile::runtime::{EngineId, Error};
use bollard::query_parameters::{ListContainersOptions, RemoveContainerOptions};

use crate::{
    engine::{Engine, quick, work},
    firewall,
    names::{Identity, NetworkId},
    network,
    options::Options,
};

/// What was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    pub containers: usize,
    pub networks: usize,
}

/// Removes all containers and networks with this cluster's and node's labels, then the firewall's table: in this order, so
/// that nothing of ours ever runs unguarded.
pub async fn cleanup(
    options: &Options,
    cluster: ClusterId,
    node: NodeId,
) -> Result<Removed, Error> {
    let identity = Identity { cluster, node };
    let engine = Engine::connect(&options.socket).await?;
    let mut removed = Removed::default();
    let list = ListContainersOptions {
        all: true,
        filters: Some(identity.filters()),
        ..ListContainersOptions::default()
    };
    for container in quick(engine.quick.list_containers(Some(list))).await? {
        if let Some(id) = container.id.as_deref().and_then(EngineId::parse) {
            remove_container(&engine, &id).await?;
            removed.containers += 1;
        }
    }
    for found in network::list(&engine, identity.filters()).await? {
        let labels = found.labels.unwrap_or_default();
        let id = found.id.as_deref().and_then(NetworkId::parse);
        if let Some(id) = id.filter(|_| identity.owns(&labels)) {
            network::remove_by_id(&engine, &id).await?;
            removed.networks += 1;
        }
    }
    firewall::remove(&identity.table_name()).await.map_err(|error| {
        Error::fault(berth_core::fault::FaultKind::FirewallMissing, error.to_string())
    })?;
    Ok(removed)
}

/// Kills and removes it with its anonymous volumes; gone already is success.
pub(crate) async fn remove_container(engine: &Engine, id: &EngineId) -> Result<(), Error> {
    let options = RemoveContainerOptions { v: true, force: true, link: false };
    match work(engine.work.remove_container(id.as_str(), Some(options))).await {
        Ok(()) | Err(Error::NoSuchContainer) => Ok(()),
        Err(Error::Fault { detail, .. }) if detail.contains("is already in progress") => {
            until_gone(engine, id).await
        }
        Err(error) => Err(error),
    }
}

/// Somebody is removing it already; "removed" is true only when it is.
async fn until_gone(engine: &Engine, id: &EngineId) -> Result<(), Error> {
    use futures::StreamExt;
    let options =
        bollard::query_parameters::WaitContainerOptions { condition: "removed".to_owned() };
    let mut gone = engine.work.wait_container(id.as_str(), Some(options)).boxed();
    let waited = tokio::time::timeout(crate::engine::WORK, gone.next()).await;
    match waited {
        Err(_) => Err(Error::Unavailable("a removal takes very long".to_owned())),
        // An exit code that is not zero comes as an error of bollard's; gone is gone.
        Ok(None | Some(Ok(_))) => Ok(()),
        Ok(Some(Err(bollard::errors::Error::DockerContainerWaitError { error, .. })))
            if error.is_empty() =>
        {
            Ok(())
        }
        Ok(Some(Err(error))) => match crate::fault::classify(error) {
            Error::NoSuchContainer => Ok(()),
            error => Err(error),
        },
    }
}
