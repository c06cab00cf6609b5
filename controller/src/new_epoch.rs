//! `berth-controller new-epoch`: the one thing to do after an older database was put back, with the controller stopped.

use anyhow::{Context as _, Result};
use berth_app::ports::Store as _;
use berth_core::id::{ClusterId, Epoch, IdSource as _};

use crate::{config::Config, serve, system::SystemIds};

/// What it says goes to `out`.
pub async fn run(config: &Config, out: &mut impl std::io::Write) -> Result<()> {
    // Held until the end: no controller starts meanwhile, and one that runs has them.
    let _api = serve::listen(config.listen.api).context(RUNNING)?;
    let _agents = serve::listen(config.listen.agents).context(RUNNING)?;
    serve::prepare(&config.data.dir)?;
    let store = serve::open_store(config).await?;
    let ids = SystemIds;
    let records = store.load(ClusterId::new(ids.next()), Epoch::new(ids.next())).await?;
    let epoch = Epoch::new(ids.next());
    store.set_epoch(epoch).await?;
    store.close().await?;
    writeln!(out, "epoch {} follows {}", epoch, records.epoch)?;
    writeln!(
        out,
        "start the controller: every blade tells it what it has, and nothing of that is stopped"
    )?;
    Ok(())
}

const RUNNING: &str = "stop the controller first";
