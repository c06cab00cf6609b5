//! The `[docker]` section of the agent's configuration.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    pub socket: PathBuf,
    /// Carved into /27 networks, one per user. Must lie outside the routes of the blade.
    pub subnets: Ipv4Net,
    /// Where containers may not connect to: storage, IPMI, directory servers, the controller's agent port. Not the name
    /// servers of this machine: containers ask those themselves.
    pub management_networks: Vec<IpNet>,
    /// Interfaces through which containers may connect to the outside, beside network cards and those with a default route:
    /// a bridge to the site's network that guests of this machine share, say.
    pub uplinks: Vec<String>,
    /// The address of the blade on which guest ports are published.
    pub publish_address: IpAddr,
    /// A pull without any progress for this long is given up.
    #[serde(with = "humantime_serde")]
    pub pull_timeout: Duration,
    /// Processes and threads in one container.
    pub pids_limit: u32,
    /// Size of /dev/shm. Programs that share batches between processes (PyTorch) need more than the engine's 64 MiB; it
    /// counts against the container's memory.
    pub shm_bytes: u64,
    /// The engine keeps this many log files of this size per container.
    pub log_bytes: u64,
    pub log_files: u8,
    /// How often the firewall's rules are looked at, beside being told of their removal.
    #[serde(with = "humantime_serde")]
    pub firewall_check: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            socket: "/var/run/docker.sock".into(),
            subnets: Ipv4Net::new_assert(Ipv4Addr::new(10, 213, 0, 0), 16),
            management_networks: Vec::new(),
            uplinks: Vec::new(),
            publish_address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            pull_timeout: Duration::from_secs(120),
            pids_limit: 512,
            shm_bytes: 256 * 1024 * 1024,
            log_bytes: 10 * 1024 * 1024,
            log_files: 2,
            firewall_check: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_toml() {
        let options: Options = toml::from_str(
            "subnets = \"10.99.0.0/20\"\nmanagement_networks = [\"192.0.2.0/24\", \"fd00::/64\"]\npull_timeout = \"5s\"",
        )
        .unwrap();
        assert_eq!(options.subnets.prefix_len(), 20);
        assert_eq!(options.management_networks.len(), 2);
        assert_eq!(options.pull_timeout, Duration::from_secs(5));
        assert!(toml::from_str::<Options>("subnet = \"10.0.0.0/8\"").is_err());
        assert!(toml::from_str::<Options>("management_networks = [\"here\"]").is_err());
    }

    #[test]
    fn round_trip() {
        let text = toml::to_string(&Options::default()).unwrap();
        assert_eq!(toml::from_str::<Options>(&text).unwrap(), Options::default());
    }
}
