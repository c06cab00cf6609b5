//! The `[storage]` section of the agent's configuration.

use std::{path::PathBuf, time::Duration};

use berth_core::storage::Scope;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// One directory for each account, by its name. Empty: containers have no homes here.
    pub homes: Option<PathBuf>,
    /// The directory is on a share that other blades see too. Then it is never made or filled here: `berth-agent
    /// init-homes` does that once for all blades.
    pub shared: bool,
    /// For volumes of this blade's own. Empty: it keeps none. Shared ones are with the homes.
    pub volumes: Option<PathBuf>,
    /// How often it is counted how much room people's data takes. Every name is read then.
    #[serde(with = "humantime_serde")]
    pub measure: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            homes: Some("/var/lib/berth/homes".into()),
            shared: false,
            volumes: Some("/var/lib/berth/volumes".into()),
            measure: Duration::from_secs(600),
        }
    }
}

impl Options {
    pub(crate) fn given(path: &Option<PathBuf>) -> Option<PathBuf> {
        path.clone().filter(|path| !path.as_os_str().is_empty())
    }

    pub(crate) fn scope(&self) -> Scope {
        if self.shared { Scope::Shared } else { Scope::Local }
    }
}
