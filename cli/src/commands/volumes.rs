//! `berth volumes`: directories that outlive containers.

use anyhow::{Result, bail};
use berth_core::text::bytes;
use berth_proto::v1;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::{
    client::Client,
    output::{Format, ask, is_yes, printable, say, table},
    text,
};

#[derive(Debug, Args)]
pub(crate) struct Volumes {
    #[command(subcommand)]
    command: Option<Command>,
    /// Whose they are (administrators)
    #[arg(long, global = true, default_value = "")]
    owner: String,
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes one; `berth run --volume NAME:/PATH` shows it inside
    Create {
        name: String,
        /// Where it is [default: shared, where the site has that]
        #[arg(long, value_enum)]
        on: Option<Where>,
    },
    /// Deletes one with everything in it
    Rm {
        name: String,
        /// Does not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Where {
    /// The same on every blade
    Share,
    /// On one blade: containers that have it run there
    Blade,
}

impl Volumes {
    pub(crate) async fn run(self) -> Result<()> {
        let mut client = Client::signed_in()?.volumes();
        match self.command {
            None => {
                let request = v1::ListVolumesRequest { owner: self.owner.clone() };
                let volumes = client.list_volumes(request).await?.into_inner().volumes;
                let home = client.get_home(v1::GetHomeRequest { owner: self.owner }).await;
                // A site without homes has volumes all the same.
                show(home.ok().map(tonic::Response::into_inner).as_ref(), &volumes, self.output)
            }
            Some(Command::Create { name, on }) => {
                let scope = match on {
                    None => v1::VolumeScope::Unspecified,
                    Some(Where::Share) => v1::VolumeScope::Shared,
                    Some(Where::Blade) => v1::VolumeScope::Node,
                };
                let request = v1::CreateVolumeRequest { name, scope: scope.into() };
                say(&client.create_volume(request).await?.into_inner().name)
            }
            Some(Command::Rm { name, yes }) => {
                if !yes && !is_yes(&ask(&text::ask_delete_volume(&name), "-y")?) {
                    bail!(text::not_deleted());
                }
                let request = v1::DeleteVolumeRequest { name: name.clone(), owner: self.owner };
                client.delete_volume(request).await?;
                say(&text::deleted(&name))
            }
        }
    }
}

fn show(home: Option<&v1::Home>, volumes: &[v1::Volume], format: Format) -> Result<()> {
    match format {
        Format::Json => {
            let home = home.map(|home| {
                json!({
                    "path": home.path,
                    "scope": text::volume_scope(home.scope()),
                    "node": home.node,
                    "usedBytes": home.used_bytes,
                    "limitBytes": home.limit_bytes,
                    "limitEnforced": home.limit_enforced,
                })
            });
            let rows: Vec<_> = volumes
                .iter()
                .map(|volume| {
                    json!({
                        "id": volume.id,
                        "name": volume.name,
                        "owner": volume.owner,
                        "scope": text::volume_scope(volume.scope()),
                        "node": volume.node,
                        "containers": volume.containers,
                        "deleting": volume.deleting,
                        "usedBytes": volume.used_bytes,
                        "limitBytes": volume.limit_bytes,
                    })
                })
                .collect();
            say(&serde_json::to_string_pretty(&json!({ "home": home, "volumes": rows }))?)
        }
        Format::Table => {
            let header = ["NAME", "WHERE", "BLADE", "USED", "CONTAINERS", "STATE"];
            let mut lines = vec![header.map(str::to_owned).to_vec()];
            lines.extend(home.map(|home| {
                [
                    "HOME".to_owned(),
                    text::volume_scope(home.scope()).to_owned(),
                    home.node.clone(),
                    used(home.used_bytes, home.limit_bytes),
                    String::new(),
                    String::new(),
                ]
                .map(|cell| printable(&cell))
                .to_vec()
            }));
            lines.extend(volumes.iter().map(|volume| {
                let state = if volume.deleting { text::phase(v1::Phase::Deleting) } else { "" };
                [
                    volume.name.clone(),
                    text::volume_scope(volume.scope()).to_owned(),
                    volume.node.clone(),
                    used(volume.used_bytes, volume.limit_bytes),
                    volume.containers.join(" "),
                    state.to_owned(),
                ]
                .map(|cell| printable(&cell))
                .to_vec()
            }));
            say(table(&lines).trim_end())
        }
    }
}

/// Of what is allowed; nothing before it was counted.
fn used(used: Option<u64>, limit: u64) -> String {
    match (used, limit) {
        (None, _) => String::new(),
        (Some(used), 0) => bytes(used),
        (Some(used), limit) => format!("{}/{}", bytes(used), bytes(limit)),
    }
}

/// `NAME:/PATH`, `NAME:/PATH:ro`.
pub(crate) fn mount(text: &str) -> Result<v1::VolumeMount, String> {
    let wrong = || "a volume is NAME:/PATH or NAME:/PATH:ro".to_owned();
    let (name, path) = text.split_once(':').ok_or_else(wrong)?;
    let (path, read_only) = match path.strip_suffix(":ro") {
        Some(path) => (path, true),
        None => (path.strip_suffix(":rw").unwrap_or(path), false),
    };
    if name.is_empty() || !path.starts_with('/') {
        return Err(wrong());
    }
    Ok(v1::VolumeMount { name: name.to_owned(), path: path.to_owned(), read_only })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts() {
        let parsed = |text| mount(text).map(|mount| (mount.name, mount.path, mount.read_only));
        let is = |name: &str, path: &str, ro| Ok((name.to_owned(), path.to_owned(), ro));
        assert_eq!(parsed("data:/data"), is("data", "/data", false));
        assert_eq!(parsed("data:/data:ro"), is("data", "/data", true));
        assert_eq!(parsed("data:/data:rw"), is("data", "/data", false));
        for bad in ["data", "data:", ":/data", "data:data", "/data"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
