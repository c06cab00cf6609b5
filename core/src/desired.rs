//! What a blade is to run: the complete set, its digest, and the rule by which an agent accepts it.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    clock::Timestamp,
    container::{DesiredPhase, PortBinding, RuntimeKind},
    environment::{Environment, debug_without_values},
    id::{ContainerId, Epoch, UserId, VolumeId},
    image::ImageRef,
    resources::{GpuId, Resources},
    storage::{Holder, HomeMount, RunAs, Scope},
    volume::Access,
};

/// One container of the set, with nothing left to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredContainer {
    pub id: ContainerId,
    pub incarnation: u32,
    pub phase: DesiredPhase,
    pub restart_nonce: u64,
    /// The end of the lease: stopped then, by the agent's own clock.
    pub not_after: Timestamp,
    pub spec: EngineSpec,
}

/// What the engine is asked for. Its digest is written on the engine's container.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineSpec {
    pub image: ImageRef,
    pub command: Vec<String>,
    pub environment: Environment,
    pub ports: Vec<PortBinding>,
    pub gpus: Vec<GpuId>,
    pub resources: Resources,
    pub tty: bool,
    pub stdin: bool,
    /// Whose network it joins.
    pub user: UserId,
    pub hostname: String,
    pub runtime: RuntimeKind,
    /// `None` for a container made before there were homes. It is left out of the canonical form then, so that digests of
    /// that time stay what they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub belongings: Option<Belongings>,
}

/// Whose data a container has, and in what way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Belongings {
    pub holder: Holder,
    pub run_as: RunAs,
    pub home: HomeMount,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<EngineVolume>,
}

/// A volume, with nothing left to look up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineVolume {
    pub id: VolumeId,
    pub scope: Scope,
    pub path: String,
    pub access: Access,
}

impl fmt::Debug for EngineSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_without_values(self, f)
    }
}

impl EngineSpec {
    /// SHA-256 of the canonical form, in hex: `serde_json` writes struct fields in their order and maps sorted.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(canonical(self)))
    }
}

/// A blade's set. Every change makes a new generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredSet {
    pub epoch: Epoch,
    pub generation: u64,
    pub containers: BTreeMap<ContainerId, DesiredContainer>,
}

impl DesiredSet {
    /// Of the whole content, without the generation: equal content has an equal digest.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for container in self.containers.values() {
            hasher.update(canonical(container));
            hasher.update([0]);
        }
        hasher.finalize().into()
    }

    /// What turns `base` into `self`: containers that are new or differ, and ids that are gone.
    pub fn difference(&self, base: &DesiredSet) -> (Vec<DesiredContainer>, Vec<ContainerId>) {
        let changed = self
            .containers
            .values()
            .filter(|container| base.containers.get(&container.id) != Some(container))
            .cloned()
            .collect();
        let removed = base
            .containers
            .keys()
            .filter(|id| !self.containers.contains_key(id))
            .copied()
            .collect();
        (changed, removed)
    }
}

/// A set as it came over the wire: complete, or a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredUpdate {
    pub epoch: Epoch,
    pub generation: u64,
    pub base: Option<u64>,
    pub containers: Vec<DesiredContainer>,
    pub removed: Vec<ContainerId>,
    pub digest: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("older than the generation already accepted")]
    Stale,
    #[error("the same generation with other content")]
    Conflict,
    #[error("a difference to a generation that is not held here")]
    NeedsCompleteSet,
}

/// Decides over an update, given what the ledger holds. Pure: the caller writes the result durably before it acts or
/// acknowledges.
pub fn accept(held: Option<&DesiredSet>, update: DesiredUpdate) -> Result<DesiredSet, Refusal> {
    let same_epoch = held.filter(|held| held.epoch == update.epoch);
    if let Some(held) = same_epoch
        && update.generation < held.generation
    {
        return Err(Refusal::Stale);
    }
    let mut containers = match (update.base, same_epoch) {
        (None, _) => BTreeMap::new(),
        (Some(base), Some(held)) if held.generation == base => held.containers.clone(),
        (Some(_), _) => return Err(Refusal::NeedsCompleteSet),
    };
    for id in &update.removed {
        containers.remove(id);
    }
    containers.extend(update.containers.into_iter().map(|container| (container.id, container)));
    let set = DesiredSet { epoch: update.epoch, generation: update.generation, containers };
    if set.digest() != update.digest {
        // A difference that does not lead where it should: ask for everything. A complete set that does not match its own
        // digest was made by a controller that disagrees with us about the canonical form.
        return Err(if update.base.is_some() {
            Refusal::NeedsCompleteSet
        } else {
            Refusal::Conflict
        });
    }
    if let Some(held) = same_epoch
        && held.generation == set.generation
        && held.containers != set.containers
    {
        return Err(Refusal::Conflict);
    }
    Ok(set)
}

fn canonical(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs with string keys always serialize")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::id::UserId;

    fn container(id: u8, nonce: u64) -> DesiredContainer {
        DesiredContainer {
            id: ContainerId::new(Uuid::from_u128(u128::from(id))),
            incarnation: 1,
            phase: DesiredPhase::Running,
            restart_nonce: nonce,
            not_after: Timestamp(0),
            spec: EngineSpec {
                image: ImageRef::parse("busybox").unwrap(),
                command: vec![],
                environment: BTreeMap::new(),
                ports: vec![],
                gpus: vec![],
                resources: Resources::new(1000, 1 << 30),
                tty: false,
                stdin: false,
                user: UserId::new(Uuid::nil()),
                hostname: "c".into(),
                runtime: RuntimeKind::Docker,
                belongings: None,
            },
        }
    }

    fn set(generation: u64, containers: &[(u8, u64)]) -> DesiredSet {
        let containers = containers
            .iter()
            .map(|(id, nonce)| container(*id, *nonce))
            .map(|c| (c.id, c))
            .collect();
        DesiredSet { epoch: Epoch::new(Uuid::nil()), generation, containers }
    }

    fn complete(set: &DesiredSet) -> DesiredUpdate {
        DesiredUpdate {
            epoch: set.epoch,
            generation: set.generation,
            base: None,
            containers: set.containers.values().cloned().collect(),
            removed: vec![],
            digest: set.digest(),
        }
    }

    /// Steps are logged with what they make.
    #[test]
    fn variables_values_are_not_for_logs() {
        let mut shown = container(1, 1);
        shown.spec.environment = [("TOKEN".to_owned(), "hunter2".to_owned())].into();
        let shown = format!("{shown:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn stale_conflicting_and_equal() {
        let held = set(5, &[(1, 0)]);
        assert_eq!(accept(Some(&held), complete(&set(4, &[]))), Err(Refusal::Stale));
        assert_eq!(accept(Some(&held), complete(&set(5, &[]))), Err(Refusal::Conflict));
        assert_eq!(accept(Some(&held), complete(&held)), Ok(held.clone()));
        let mut restored = set(1, &[(2, 0)]);
        restored.epoch = Epoch::new(Uuid::from_u128(9));
        assert_eq!(accept(Some(&held), complete(&restored)), Ok(restored));
    }

    proptest! {
        #[test]
        fn a_difference_leads_where_the_complete_set_leads(
            old in proptest::collection::btree_map(0u8..20, 0u64..3, 0..12),
            new in proptest::collection::btree_map(0u8..20, 0u64..3, 0..12),
            held_generation in 1u64..4,
        ) {
            let pairs = |map: &BTreeMap<u8, u64>| map.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>();
            let base = set(2, &pairs(&old));
            let next = set(3, &pairs(&new));
            let (containers, removed) = next.difference(&base);
            let update = DesiredUpdate { base: Some(2), containers, removed, ..complete(&next) };
            let held = DesiredSet { generation: held_generation, ..base };
            let expected = if held_generation == 2 { Ok(next) } else { Err(Refusal::NeedsCompleteSet) };
            prop_assert_eq!(accept(Some(&held), update), expected);
        }
    }
}
