//! What is done to one container.

use anyhow::{Result, bail};
use berth_proto::v1;
use clap::Args;

use super::wait::{Containers, Goal, gone, wait};
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
pub(crate) struct Change {
    #[command(flatten)]
    act: Act,
    /// Returns at once
    #[arg(short, long)]
    detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    #[command(flatten)]
    act: Act,
    /// Does not ask
    #[arg(short, long)]
    yes: bool,
    /// Returns at once: the name is free when its blade has removed it
    #[arg(short, long)]
    detach: bool,
}

impl Change {
    pub(crate) async fn start(self) -> Result<()> {
        let Act { name, owner } = self.act;
        let mut client = Client::signed_in()?.containers();
        let request = v1::StartContainerRequest { name, owner, with_shell: false };
        let container = client.start_container(request).await?.into_inner();
        settle(client, container, Goal::Running, self.detach).await
    }

    pub(crate) async fn stop(self) -> Result<()> {
        let Act { name, owner } = self.act;
        let mut client = Client::signed_in()?.containers();
        let request = v1::StopContainerRequest { name, owner };
        let container = client.stop_container(request).await?.into_inner();
        settle(client, container, Goal::Stopped, self.detach).await
    }

    pub(crate) async fn restart(self) -> Result<()> {
        let Act { name, owner } = self.act;
        let mut client = Client::signed_in()?.containers();
        let request = v1::RestartContainerRequest { name, owner };
        let container = client.restart_container(request).await?.into_inner();
        settle(client, container, Goal::Running, self.detach).await
    }
}

async fn settle(
    mut client: Containers,
    container: v1::Container,
    goal: Goal,
    detach: bool,
) -> Result<()> {
    let container = if detach { container } else { wait(&mut client, container, goal).await? };
    tell(&container)
}

impl Rm {
    pub(crate) async fn run(self) -> Result<()> {
        let Act { name, owner } = self.act;
        if !self.yes && !is_yes(&ask(&text::ask_delete(&name), "-y")?) {
            bail!(text::not_deleted());
        }
        let mut client = Client::signed_in()?.containers();
        let wanted = v1::GetContainerRequest { name: name.clone(), owner: owner.clone() };
        let container = client.get_container(wanted).await?.into_inner();
        let request = v1::DeleteContainerRequest { name: container.id.clone(), owner };
        client.delete_container(request).await?;
        if !self.detach {
            gone(&mut client, container.id).await?;
        }
        say(&text::deleted(&name))
    }
}

fn tell(container: &v1::Container) -> Result<()> {
    let line = format!("{}: {}", container.name, text::phase(container.phase()));
    say(&printable(&line))
}
