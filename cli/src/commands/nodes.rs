//! `berth nodes`

use anyhow::Result;
use berth_core::text::{bytes, cores};
use berth_proto::v1;
use clap::Args;

use crate::{
    client::Client,
    output::{Format, node_json, printable, say, table},
    text,
};

const PAGE: u32 = 500;

#[derive(Debug, Args)]
pub(crate) struct Nodes {
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
}

impl Nodes {
    pub(crate) async fn run(self) -> Result<()> {
        let mut client = Client::signed_in()?.nodes();
        let mut rows = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListNodesRequest { page_size: PAGE, page_token };
            let page = client.list_nodes(request).await?.into_inner();
            rows.extend(page.nodes);
            if page.next_page_token.is_empty() {
                break;
            }
            page_token = page.next_page_token;
        }
        match self.output {
            Format::Json => {
                let rows: Vec<_> = rows.iter().map(node_json).collect();
                say(&serde_json::to_string_pretty(&rows)?)
            }
            Format::Table => {
                let header = ["NAME", "STATE", "CPU", "MEMORY", "GPUS", "CONTAINERS", "PROBLEMS"];
                let mut lines = vec![header.map(str::to_owned).to_vec()];
                lines.extend(rows.iter().map(line));
                say(table(&lines).trim_end())
            }
        }
    }
}

/// Used of offered.
fn line(node: &v1::Node) -> Vec<String> {
    let used = node.used.unwrap_or_default();
    let offered = node.offered.unwrap_or_default();
    [
        node.name.clone(),
        text::node_state(node.availability(), node.liveness()).to_owned(),
        format!("{}/{}", cores(used.cpu_millis), cores(offered.cpu_millis)),
        format!("{}/{}", bytes(used.memory_bytes), bytes(offered.memory_bytes)),
        format!("{}/{}", used.gpus, offered.gpus),
        node.containers.to_string(),
        node.problems.join(" "),
    ]
    .map(|cell| printable(&cell))
    .to_vec()
}
