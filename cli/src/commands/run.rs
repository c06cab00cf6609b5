//! `berth run`

use std::time::Duration;

use anyhow::Result;
use berth_core::container::ContainerName;
use berth_proto::v1;
use clap::Args;
use tonic::{Code, Status};
use uuid::Uuid;

use super::wait::{Containers, Goal, PAUSE, wait};
use crate::{
    amount::{cpu, memory, variable},
    client::Client,
    output::{printable, say},
};

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The image, such as python:3.13
    image: String,
    /// [default: the image's name]
    #[arg(long)]
    name: Option<String>,
    /// KEY=value, as often as needed
    #[arg(short, long = "env", value_parser = variable)]
    env: Vec<(String, String)>,
    /// A port that the program listens on, as often as needed
    #[arg(short, long = "port")]
    ports: Vec<u16>,
    /// How many GPUs
    #[arg(long, default_value_t = 0)]
    gpus: u32,
    /// Cores, such as 2 or 0.5 [default: the site's]
    #[arg(long, value_parser = cpu)]
    cpu: Option<u32>,
    /// Such as 512m or 2g [default: the site's]
    #[arg(long, value_parser = memory)]
    memory: Option<u64>,
    /// Such as 90min, 8h or 3d [default: the site's]
    #[arg(long, value_parser = humantime::parse_duration)]
    lease: Option<Duration>,
    /// Gives the program a terminal
    #[arg(short, long)]
    tty: bool,
    /// Returns at once
    #[arg(short, long)]
    detach: bool,
    /// Replaces the image's command
    #[arg(last = true)]
    command: Vec<String>,
}

impl Run {
    pub(crate) async fn run(self) -> Result<()> {
        let detach = self.detach;
        let mut client = Client::signed_in()?.containers();
        let made = create(&mut client, self.request()).await?;
        let container = if detach { made } else { wait(&mut client, made, Goal::Running).await? };
        say(&container.name)?;
        for endpoint in &container.endpoints {
            say(&format!("{} -> {}", endpoint.guest_port, printable(&endpoint.url)))?;
        }
        Ok(())
    }

    fn request(self) -> v1::CreateContainerRequest {
        v1::CreateContainerRequest {
            name: self.name.unwrap_or_else(|| name_of(&self.image)),
            image: self.image,
            environment: self.env.into_iter().collect(),
            guest_ports: self.ports.into_iter().map(u32::from).collect(),
            gpus: self.gpus,
            runtime: v1::Runtime::Docker.into(),
            cpu_millis: self.cpu.unwrap_or(0),
            memory_bytes: self.memory.unwrap_or(0),
            lease: self.lease.map(berth_proto::convert::duration),
            command: self.command,
            tty: self.tty,
            stdin: self.tty,
            request_id: request_id(),
            ..Default::default()
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "nothing here is simulated: an id that nobody else has"
)]
fn request_id() -> String {
    Uuid::now_v7().to_string()
}

/// "ghcr.io/owner/My_App:1" -> "my-app"
fn name_of(image: &str) -> String {
    let path = image.split('@').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let base = last.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let name: String = base
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(ContainerName::MAXIMUM)
        .collect();
    name.trim_matches('-').to_owned()
}

/// The request's id makes it safe to send again.
async fn create(
    client: &mut Containers,
    request: v1::CreateContainerRequest,
) -> Result<v1::Container, Status> {
    let mut attempts = 0;
    loop {
        match client.create_container(request.clone()).await {
            Err(status) if status.code() == Code::Unavailable && attempts < 2 => attempts += 1,
            answer => return answer.map(tonic::Response::into_inner),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_images() {
        for (image, name) in [
            ("python:3.13", "python"),
            ("ghcr.io/owner/My_App:1", "my-app"),
            ("localhost:5000/a/b@sha256:00", "b"),
            ("_x", "x"),
            ("日本", ""),
        ] {
            assert_eq!(name_of(image), name, "{image}");
        }
        assert!(ContainerName::parse(&name_of(&"x".repeat(99))).is_some());
    }
}
