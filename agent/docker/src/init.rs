//! What whoever measures must know of the engine, once for each start of a container.

use std::path::PathBuf;

use berth_reconcile::runtime::{EngineId, Error};
use bollard::query_parameters::InspectContainerOptions;

use crate::{Docker, engine::quick};

impl Docker {
    /// The first process of a container that runs.
    pub async fn init_process(&self, id: &EngineId) -> Result<Option<u32>, Error> {
        let call =
            self.inner.engine.quick.inspect_container(id.as_str(), None::<InspectContainerOptions>);
        let answer = match quick(call).await {
            Ok(answer) => answer,
            Err(Error::NoSuchContainer) => return Ok(None),
            Err(error) => return Err(error),
        };
        let state = answer.state.unwrap_or_default();
        let pid = state.pid.filter(|_| state.running.unwrap_or(false)).unwrap_or(0);
        Ok(u32::try_from(pid).ok().filter(|pid| *pid > 0))
    }

    /// Where the engine keeps what a container has written; `None` for a driver that this program does not know.
    pub async fn layer(&self, id: &EngineId) -> Result<Option<PathBuf>, Error> {
        let call =
            self.inner.engine.quick.inspect_container(id.as_str(), None::<InspectContainerOptions>);
        let driver = match quick(call).await {
            Ok(answer) => answer.graph_driver.unwrap_or_default(),
            Err(Error::NoSuchContainer) => return Ok(None),
            Err(error) => return Err(error),
        };
        let upper = driver.data.get("UpperDir").filter(|_| driver.name == "overlay2");
        Ok(upper.map(PathBuf::from))
    }

    /// Where the engine keeps containers and images.
    pub async fn data_root(&self) -> Result<Option<PathBuf>, Error> {
        let info = quick(self.inner.engine.quick.info()).await?;
        Ok(info.docker_root_dir.filter(|root| !root.is_empty()).map(PathBuf::from))
    }
}
