//! `berth ps`

use anyhow::Result;
use berth_proto::v1;
use clap::Args;

use super::wait::Containers;
use crate::{
    client::Client,
    output::{Format, container_json, moment, note, printable, say, table},
    text,
};

const PAGE: u32 = 500;

#[derive(Debug, Args)]
pub(crate) struct Ps {
    /// Everybody's (administrators)
    #[arg(short, long)]
    all: bool,
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
}

impl Ps {
    pub(crate) async fn run(self) -> Result<()> {
        let mut client = Client::signed_in()?.containers();
        let (owner, names) = if self.all { ("-", Names::Full) } else { ("", Names::Short) };
        let rows = all(&mut client, owner).await?;
        match self.output {
            Format::Json => {
                let rows: Vec<_> = rows.iter().map(container_json).collect();
                say(&serde_json::to_string_pretty(&rows)?)
            }
            Format::Table if rows.is_empty() => note(text::none_yet()),
            Format::Table => say(table(&lines(&rows, names)).trim_end()),
        }
    }
}

/// Every page.
pub(super) async fn all(client: &mut Containers, owner: &str) -> Result<Vec<v1::Container>> {
    let mut rows = Vec::new();
    let mut page_token = String::new();
    loop {
        let request =
            v1::ListContainersRequest { page_size: PAGE, page_token, owner: owner.to_owned() };
        let page = client.list_containers(request).await?.into_inner();
        rows.extend(page.containers);
        if page.next_page_token.is_empty() {
            return Ok(rows);
        }
        page_token = page.next_page_token;
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Names {
    Short,
    /// With the owner's.
    Full,
}

pub(super) fn lines(rows: &[v1::Container], names: Names) -> Vec<Vec<String>> {
    let header = ["NAME", "PHASE", "NODE", "ENDPOINTS", "LEASE END", "IMAGE"];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|container| line(container, names)));
    lines
}

fn line(container: &v1::Container, names: Names) -> Vec<String> {
    let endpoints: Vec<&str> = container.endpoints.iter().map(|e| e.url.as_str()).collect();
    let name = match names {
        Names::Short => &container.name,
        Names::Full => &container.full_name,
    };
    [
        name,
        text::phase(container.phase()),
        &container.node,
        &endpoints.join(" "),
        &moment(container.lease_end_time.as_ref()),
        &container.image,
    ]
    .map(printable)
    .to_vec()
}
