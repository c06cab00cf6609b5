//! The agent's configuration: defaults, then one TOML file, then environment (`BERTH_AGENT__SECTION__KEY`).

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use berth_core::{create::is_label, node::PortRange};
use figment::{
    Figment,
    providers::{Env, Format as _, Serialized, Toml},
};
use serde::{Deserialize, Serialize};

pub const DEFAULT_PATH: &str = "/etc/berth/agent.toml";

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub data: Data,
    pub node: Node,
    pub offer: berth_inventory::Options,
    pub reconcile: Reconcile,
    pub storage: berth_storage::Options,
    pub docker: berth_docker::Options,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// Key, certificate and ledger.
    pub dir: PathBuf,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// Empty: the host name.
    pub name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reconcile {
    #[serde(with = "humantime_serde")]
    pub stop_grace: Duration,
    #[serde(with = "humantime_serde")]
    pub orphan_grace: Duration,
    #[serde(with = "humantime_serde")]
    pub refresh: Duration,
    #[serde(with = "humantime_serde")]
    pub inventory: Duration,
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: "/var/lib/berth/agent".into() }
    }
}

impl Default for Reconcile {
    fn default() -> Self {
        Self {
            stop_grace: Duration::from_secs(10),
            orphan_grace: Duration::from_secs(3600),
            refresh: Duration::from_secs(60),
            inventory: Duration::from_secs(30),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration cannot be read: {0}")]
    Read(Box<figment::Error>),
    #[error("{field}: {problem}")]
    Value { field: &'static str, problem: String },
}

/// A file that was named must be there; the default one may be missing.
pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
    let file = match path {
        Some(path) => Toml::file_exact(path),
        None => Toml::file(DEFAULT_PATH),
    };
    let config: Config = Figment::from(Serialized::defaults(Config::default()))
        .merge(file)
        .merge(Env::prefixed("BERTH_AGENT__").split("__"))
        .extract()
        .map_err(|error| ConfigError::Read(Box::new(error)))?;
    check(&config)?;
    Ok(config)
}

fn check(config: &Config) -> Result<(), ConfigError> {
    let wrong =
        |field, problem: &str| Err(ConfigError::Value { field, problem: problem.to_owned() });
    let ports = config.offer.ports;
    if ports.start < 1024 || ports.end < ports.start {
        return wrong("offer.ports", "start and end are wanted, 1024 <= start <= end");
    }
    if let Some((key, _)) =
        config.offer.labels.iter().find(|(key, value)| !is_label(key) || !is_label(value))
    {
        return wrong(
            "offer.labels",
            &format!("{key:?} or its value has characters that labels cannot have"),
        );
    }
    let directories =
        [("storage.homes", &config.storage.homes), ("storage.volumes", &config.storage.volumes)];
    for (field, path) in directories {
        if path.as_ref().is_some_and(|path| {
            !path.as_os_str().is_empty() && (!path.is_absolute() || path.parent().is_none())
        }) {
            return wrong(field, "an absolute path is wanted, of a directory of its own");
        }
    }
    if config.storage.measure.is_zero() {
        return wrong("storage.measure", "a period cannot be zero");
    }
    if config.reconcile.refresh.is_zero() || config.reconcile.inventory.is_zero() {
        return wrong("reconcile", "periods cannot be zero");
    }
    Ok(())
}

/// A sentence if the kernel hands out some of these ports to outgoing connections of any program.
pub fn ephemeral_overlap(ports: PortRange) -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    overlap(ports, &text)
}

fn overlap(ports: PortRange, kernel: &str) -> Option<String> {
    let mut bounds = kernel.split_whitespace().map(str::parse::<u16>);
    let (first, last) = (bounds.next()?.ok()?, bounds.next()?.ok()?);
    (ports.start <= last && first <= ports.end).then(|| {
        format!(
            "offer.ports {}-{} meets the ports {first}-{last} that the kernel gives to outgoing connections: \
             now and then one will be taken",
            ports.start, ports.end
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<Config, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.toml");
        std::fs::write(&path, text).unwrap();
        load(Some(&path))
    }

    #[test]
    fn an_example_and_its_mistakes() {
        let config = load_text(
            "[node]\nname = \"blade-1\"\n[offer]\nlabels = { rack = \"a\" }\nports = { start = 21000, end = 21999 }\n\
             [reconcile]\nstop_grace = \"5s\"\n[docker]\nsubnets = \"10.50.0.0/16\"\n",
        )
        .unwrap();
        assert_eq!(config.node.name, "blade-1");
        assert_eq!(config.reconcile.stop_grace, Duration::from_secs(5));
        for bad in [
            "[node]\nnmae = \"x\"\n",
            "[offer]\nports = { start = 80, end = 90 }\n",
            "[offer]\nports = { start = 30000, end = 20000 }\n",
            "[reconcile]\nrefresh = \"0s\"\n",
            "[storage]\nhomes = \"homes\"\n",
            "[storage]\nhomes = \"/\"\n",
            "[storage]\nhome = \"/srv\"\n",
            "[offer]\nlabels = { rack = \"a b\" }\n",
        ] {
            assert!(load_text(bad).is_err(), "{bad}");
        }
        assert!(load(Some(Path::new("/does/not/exist"))).is_err());
    }

    #[test]
    fn ports_that_the_kernel_gives_away_are_named() {
        let range = |start, end| PortRange { start, end };
        assert_eq!(overlap(PortRange::default(), "32768\t60999\n"), None);
        assert!(overlap(range(30_000, 33_000), "32768\t60999\n").is_some());
        assert!(overlap(range(40_000, 41_000), "32768\t60999\n").is_some());
        assert_eq!(overlap(range(61_000, 62_000), "32768\t60999\n"), None);
    }
}
