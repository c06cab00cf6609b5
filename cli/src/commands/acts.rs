//! What is done to one container.

use anyhow::{Result, bail};
use berth_proto::v1;
use clap::Args;

use crate::{
    client::Client,
    output::{ask, is_yes, printable, say},
    text,
};

#[derive(Debug, Args)]
pub(crate) struct Act {
    /// The container's name, or its id
    name: String,
    /// Whose it is (administrators)
    #[arg(long, default_value = "")]
    owner: String,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    #[command(flatten)]
    act: Act,
    /// Does not ask
    #[arg(short, long)]
    yes: bool,
}

impl Act {
    pub(crate) async fn start(self) -> Result<()> {
        let Act { name, owner } = self;
        let request = v1::StartContainerRequest { name, owner, with_shell: false };
        tell(&Client::signed_in()?.containers().start_container(request).await?.into_inner())
    }

    pub(crate) async fn stop(self) -> Result<()> {
        let Act { name, owner } = self;
        let request = v1::StopContainerRequest { name, owner };
        tell(&Client::signed_in()?.containers().stop_container(request).await?.into_inner())
    }

    pub(crate) async fn restart(self) -> Result<()> {
        let Act { name, owner } = self;
        let request = v1::RestartContainerRequest { name, owner };
        tell(&Client::signed_in()?.containers().restart_container(request).await?.into_inner())
    }
}

impl Rm {
    pub(crate) async fn run(self) -> Result<()> {
        let Act { name, owner } = self.act;
        if !self.yes && !is_yes(&ask(&text::ask_delete(&name), "-y")?) {
            bail!(text::not_deleted());
        }
        let request = v1::DeleteContainerRequest { name: name.clone(), owner };
        Client::signed_in()?.containers().delete_container(request).await?;
        say(&text::deleted(&name))
    }
}

fn tell(container: &v1::Container) -> Result<()> {
    let line = format!("{}: {}", container.name, text::phase(container.phase()));
    say(&printable(&line))
}
