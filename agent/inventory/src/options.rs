//! The `[offer]` section of the agent's configuration.

use std::collections::BTreeMap;

use berth_core::{
    node::PortRange,
    resources::{MIB, Resources},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Kept back for the machine itself, in thousandths of a core.
    pub reserve_cpu_millis: u32,
    /// Kept back for the machine itself.
    pub reserve_memory_bytes: u64,
    /// For placement: "room = b201".
    pub labels: BTreeMap<String, String>,
    /// A name or an address under which this blade is reached; the address of the default route's interface if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Host ports for guest ports.
    pub ports: PortRange,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // The engine and the agent idle at a few thousandths; a pull unpacks with a whole core for a while, and is slower
            // for it rather than denied.
            reserve_cpu_millis: 0,
            reserve_memory_bytes: 512 * MIB,
            labels: BTreeMap::new(),
            address: None,
            ports: PortRange::default(),
        }
    }
}

impl Options {
    pub(crate) fn reserve(&self) -> Resources {
        Resources::new(self.reserve_cpu_millis, self.reserve_memory_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_toml() {
        let options: Options = toml::from_str(
            "reserve_cpu_millis = 500\naddress = \"blade1.example.edu\"\n[labels]\nroom = \"b201\"\n[ports]\nstart = 21000\nend = 21999",
        )
        .unwrap();
        assert_eq!(options.reserve(), Resources::new(500, 512 * MIB));
        assert_eq!(options.ports, PortRange { start: 21_000, end: 21_999 });
        assert_eq!(options.labels["room"], "b201");
        assert!(toml::from_str::<Options>("reserve = 1").is_err());
        let text = toml::to_string(&Options::default()).unwrap();
        assert_eq!(toml::from_str::<Options>(&text).unwrap(), Options::default());
    }
}
