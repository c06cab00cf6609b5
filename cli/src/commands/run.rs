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
    #[arg(required_unless_present = "preset")]
    image: Option<String>,
    /// A size that the site has a name for; what is said beside it wins
    #[arg(long)]
    preset: Option<String>,
    /// [default: the image's name, or the preset's]
    #[arg(long)]
    name: Option<String>,
    /// KEY=value, as often as needed
    #[arg(short, long = "env", value_parser = variable)]
    env: Vec<(String, String)>,
    /// KEY=value, or KEY for the value that this machine's environment has; nobody is ever shown it again
    #[arg(long, value_parser = secret)]
    secret_env: Vec<(String, String)>,
    /// A port that the program listens on, as often as needed
    #[arg(short, long = "port")]
    ports: Vec<u16>,
    /// NAME:/PATH or NAME:/PATH:ro, as often as needed: a volume of yours
    #[arg(short, long = "volume", value_parser = super::volumes::mount)]
    volumes: Vec<v1::VolumeMount>,
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
    /// A port that also gets one of the blade, where the site leaves that to you; as often as needed
    #[arg(long, value_name = "PORT")]
    publish: Vec<u16>,
    /// Gives the program a terminal
    #[arg(short, long)]
    tty: bool,
    /// Runs as the image says, often as root, and not as you: the home is there only on blades that can map it
    #[arg(long)]
    as_image: bool,
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
        let name = match (&self.image, &self.preset) {
            (Some(image), _) => name_of(image),
            (None, preset) => preset.clone().unwrap_or_default(),
        };
        v1::CreateContainerRequest {
            name: self.name.unwrap_or(name),
            image: self.image.unwrap_or_default(),
            preset: self.preset.unwrap_or_default(),
            secret_environment: self.secret_env.into_iter().collect(),
            environment: self.env.into_iter().collect(),
            guest_ports: with(self.ports, &self.publish).into_iter().map(u32::from).collect(),
            published_ports: self.publish.into_iter().map(u32::from).collect(),
            gpus: self.gpus,
            runtime: v1::Runtime::Docker.into(),
            cpu_millis: self.cpu.unwrap_or(0),
            memory_bytes: self.memory.unwrap_or(0),
            lease: self.lease.map(berth_proto::convert::duration),
            command: self.command,
            tty: self.tty,
            stdin: self.tty,
            run_as: if self.as_image { v1::RunAs::Image } else { v1::RunAs::Account }.into(),
            volumes: self.volumes,
            request_id: request_id(),
            ..Default::default()
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "nothing here is simulated: an id that nobody else has"
)]
pub(super) fn request_id() -> String {
    Uuid::now_v7().to_string()
}

/// What is to be published is a port of the container in any case.
fn with(mut ports: Vec<u16>, published: &[u16]) -> Vec<u16> {
    let more: Vec<u16> = published.iter().copied().filter(|port| !ports.contains(port)).collect();
    ports.extend(more);
    ports
}

/// Names end up in lists of processes and in histories of shells; values need not.
fn secret(text: &str) -> Result<(String, String), String> {
    if text.contains('=') {
        return variable(text);
    }
    let value = std::env::var(text).map_err(|_| "it is not in the environment here".to_owned())?;
    Ok((text.to_owned(), value))
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
pub(super) async fn create(
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
