//! A container on loan, as the controller keeps it.
//!
//! Three groups of fields have three writers: people write the spec, the lease and the desired state; the scheduler
//! writes the placement; the blade's reports write what was observed. No writer touches another's group.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    environment::{Environment, debug_without_values},
    explanation::Explanation,
    fault::Fault,
    id::{ContainerId, NodeId, RequestId, UserId, VolumeId},
    image::ImageRef,
    observed::Observed,
    resources::{GpuId, Resources},
    storage::{Holder, HomeMount, RunAs},
    volume::VolumeMount,
};

/// What its owner calls it; unique among the owner's containers, and nothing but a name: the engine knows ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContainerName(String);

impl ContainerName {
    pub const MAXIMUM: usize = 31;

    /// `[a-z0-9][a-z0-9-]{0,30}`: also a valid host name and DNS label.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let ok = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && text.len() <= Self::MAXIMUM
            && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        ok.then(|| Self(text.to_owned()))
    }

    /// Sorts before every name; not a name itself. For ranges.
    pub fn lowest() -> Self {
        Self(String::new())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeKind {
    #[default]
    Docker,
    Kubernetes,
}

/// What was asked for, checked. Does not say where.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    pub image: ImageRef,
    pub command: Vec<String>,
    pub environment: Environment,
    pub guest_ports: Vec<u16>,
    pub gpus: u32,
    pub resources: Resources,
    pub tty: bool,
    pub stdin: bool,
    pub node_labels: BTreeMap<String, String>,
    pub runtime: RuntimeKind,
    /// Of `guest_ports`, those that get no port of the blade. Of containers made before sites could say so: none.
    #[serde(default)]
    pub unpublished: Vec<u16>,
    #[serde(default)]
    pub run_as: RunAs,
    /// Of containers made before there were homes there is none: they run as their images say, without a home.
    #[serde(default)]
    pub holder: Option<Holder>,
    #[serde(default)]
    pub volumes: Vec<VolumeMount>,
    /// Of `environment`, those whose values nobody is shown.
    #[serde(default)]
    pub secrets: BTreeSet<String>,
    /// How long it was lent when that was said last. Of containers made before it was kept: not known.
    #[serde(default)]
    pub lease: Option<Duration>,
}

impl fmt::Debug for ContainerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_without_values(self, f)
    }
}

impl ContainerSpec {
    /// Of `guest_ports`, those that get a port of the blade.
    pub fn published(&self) -> Vec<u16> {
        let published = |port: &u16| !self.unpublished.contains(port);
        self.guest_ports.iter().copied().filter(published).collect()
    }

    /// As whom it really runs: one that was made before there were homes as its image says.
    pub fn runs_as(&self) -> RunAs {
        match self.holder {
            Some(_) => self.run_as,
            None => RunAs::Image,
        }
    }
}

/// Who may act: `Running` and `Stopped` are set by people and by the lease's end; `Removed` is a tombstone, which only the
/// blade's report that it is gone turns into nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DesiredPhase {
    Running,
    Stopped,
    Removed,
}

/// Why it is not meant to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    ByUser,
    LeaseEnded,
    /// The program ended by itself; it is not started again until somebody says so.
    Exited {
        exit_code: i32,
        out_of_memory: bool,
        at_once: bool,
    },
    /// Its home, a volume, or what it wrote itself grew far over what the site allows.
    OverQuota,
    /// It cannot be made or started as it is.
    Failed(Fault),
    /// An older database was put back, and its blade has nothing of it any more. Started, it is made anew.
    Gone,
}

/// Where it runs. Complete: the agent makes no choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    pub node: NodeId,
    pub gpus: Vec<GpuId>,
    pub ports: Vec<PortBinding>,
    #[serde(default)]
    pub home: HomeMount,
    /// What it had before it was made anew with less, until its blade has said that the new one runs, or that nothing does:
    /// nobody else gets it before.
    #[serde(default)]
    pub leaving: Option<Leaving>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    pub resources: Resources,
    pub gpus: Vec<GpuId>,
    #[serde(default)]
    pub volumes: Vec<VolumeId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortBinding {
    pub guest: u16,
    pub host: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    pub id: ContainerId,
    pub owner: UserId,
    pub name: ContainerName,
    pub request_id: Option<RequestId>,
    pub created_at: Timestamp,
    pub spec: ContainerSpec,
    /// The end of the lease. The agent stops it then, even when it is cut off.
    pub lease_ends_at: Timestamp,

    pub desired: DesiredPhase,
    pub stop_cause: Option<StopCause>,
    /// Counts re-creations; each has its own engine container, and only the latest may exist.
    pub incarnation: u32,
    /// Counts orders to start anew: "restart" said as a state.
    pub restart_nonce: u64,

    /// Set by the scheduler. Kept while it is stopped, so that its ports and what it wrote are found again.
    pub placement: Option<Placement>,
    /// The scheduler has set aside CPU, memory and GPUs for it at its placement. Taken back when its blade has *said* that
    /// nothing of it runs: until then it may run, and holds its place.
    pub admitted: bool,
    /// Why it is not placed, or not placed again; never stored, worked out anew.
    #[serde(skip)]
    pub waiting: Option<Explanation>,

    /// The commit that changed it last; not stored, since after a start it is the last one of all. For those who are told of
    /// it on two ways, to know which is newer.
    #[serde(skip)]
    pub revision: u64,

    /// What its blade last said of this incarnation.
    pub observed: Option<Observed>,
}

impl Container {
    /// Wants to run and has no place yet.
    pub fn is_waiting(&self) -> bool {
        self.desired == DesiredPhase::Running && !self.admitted
    }

    /// Its blade has said of this very incarnation that nothing of it runs.
    pub fn is_known_idle(&self) -> bool {
        self.current_observed().is_some_and(|observed| !observed.phase.may_run())
    }

    /// What is kept from others for it, where it is admitted.
    pub fn set_aside(&self) -> (Resources, BTreeSet<GpuId>) {
        let mut resources = self.spec.resources;
        let mut gpus = BTreeSet::new();
        if let Some(placement) = &self.placement {
            gpus.extend(placement.gpus.iter().cloned());
            if let Some(leaving) = &placement.leaving {
                resources = resources.at_least(leaving.resources);
                gpus.extend(leaving.gpus.iter().cloned());
            }
        }
        (resources, gpus)
    }

    /// The volumes that it has, and those that the one before it may still have open.
    pub fn open_volumes(&self) -> Vec<VolumeId> {
        let leaving = self.placement.as_ref().and_then(|placement| placement.leaving.as_ref());
        let before = leaving.into_iter().flat_map(|leaving| leaving.volumes.iter().copied());
        self.spec.volumes.iter().map(|mount| mount.volume).chain(before).collect()
    }

    /// The last report, if it speaks of the incarnation that is wanted now.
    pub fn current_observed(&self) -> Option<&Observed> {
        self.observed.as_ref().filter(|observed| observed.incarnation == self.incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "0", "jupyter-1", "a--b", &"x".repeat(31)] {
            assert!(ContainerName::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "A",
            "a_b",
            "a.b",
            "..",
            "/",
            "a/b",
            "a\0",
            "a\n",
            "\u{202e}abc",
            "コンテナ",
            "😀",
            "ａ",
            "а",
            &"x".repeat(32),
            &"x".repeat(300),
        ] {
            assert!(ContainerName::parse(bad).is_none(), "{bad:?}");
        }
    }
}
