//! `berth get` and `berth duplicate`

use anyhow::Result;
use berth_core::definition::{Definition, Metadata};
use berth_proto::{convert::definition as convert, v1};
use clap::{Args, ValueEnum};

use super::{ps, wait::Containers};
use crate::{
    client::Client,
    definition,
    output::{note, say, table},
    text,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    /// What `berth apply` takes
    Yaml,
    /// The same as JSON
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "Secret values are masked; `berth apply` keeps what is masked.")]
pub(crate) struct Get {
    /// Names or ids [default: all of them]
    names: Vec<String>,
    /// Whose they are (administrators)
    #[arg(long, default_value = "")]
    owner: String,
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
}

impl Get {
    pub(crate) async fn run(self) -> Result<()> {
        let mut client = Client::signed_in()?.containers();
        let is_one = self.names.len() == 1;
        let rows = match self.names.is_empty() {
            true => ps::all(&mut client, &self.owner).await?,
            false => some(&mut client, self.names, &self.owner).await?,
        };
        if self.output == Format::Table {
            return match rows.is_empty() {
                true => note(text::none_yet()),
                false => say(table(&ps::lines(&rows, ps::Names::Short)).trim_end()),
            };
        }
        let definitions: Vec<Definition> = rows.into_iter().map(convert::definition).collect();
        match self.output {
            Format::Json if is_one => say(&serde_json::to_string_pretty(&definitions[0])?),
            Format::Json => say(&serde_json::to_string_pretty(&definitions)?),
            Format::Yaml | Format::Table => say(definition::write(&definitions)?.trim_end()),
        }
    }
}

async fn some(
    client: &mut Containers,
    names: Vec<String>,
    owner: &str,
) -> Result<Vec<v1::Container>> {
    let mut rows = Vec::with_capacity(names.len());
    for name in names {
        let request = v1::GetContainerRequest { name, owner: owner.to_owned() };
        rows.push(client.get_container(request).await?.into_inner());
    }
    Ok(rows)
}

#[derive(Debug, Args)]
#[command(after_help = "Secrets come along; nothing of what the first one wrote does.")]
pub(crate) struct Duplicate {
    /// The container's name, or its id
    name: String,
    /// The name of the new one
    new: String,
    /// Whose the first one is (administrators); secrets are not taken from others
    #[arg(long, default_value = "")]
    owner: String,
    /// Does not start it
    #[arg(long)]
    stopped: bool,
}

impl Duplicate {
    pub(crate) async fn run(self) -> Result<()> {
        let mut client = Client::signed_in()?.containers();
        let request = v1::GetContainerRequest { name: self.name, owner: self.owner };
        let first = client.get_container(request).await?.into_inner();
        let secrets_from = first.id.clone();
        let definition =
            Definition { metadata: Metadata { name: self.new }, ..convert::definition(first) };
        let request = v1::CreateContainerRequest {
            stopped: self.stopped,
            secrets_from,
            request_id: super::run::request_id(),
            ..convert::create_request(definition)
        };
        let made = super::run::create(&mut client, request).await?;
        let say_so =
            if self.stopped { text::definition::defined } else { text::definition::created };
        say(&say_so(&made.name))
    }
}
