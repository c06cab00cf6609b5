//! Blades.

use std::collections::BTreeMap;

use berth_core::{
    container::DesiredPhase,
    node::{Availability, Liveness, Node},
    observed::ObservedPhase,
    resources::{GpuId, Resources},
};

use super::timestamp;
use crate::v1;

/// What a blade's message is made from.
#[derive(Debug, Clone)]
pub struct View<'a> {
    pub node: &'a Node,
    /// What is set aside on it.
    pub used: Resources,
    /// Who has which GPU, as `<account>-<name>`.
    pub lent: BTreeMap<&'a GpuId, String>,
    pub containers: usize,
    /// What is wrong with it, in the caller's language.
    pub problems: Vec<String>,
}

pub fn node(view: View<'_>) -> v1::Node {
    let View { node, used, lent, containers, problems } = view;
    let inventory = &node.inventory;
    let gpus: Vec<v1::Gpu> = inventory
        .gpus
        .iter()
        .map(|gpu| v1::Gpu {
            id: gpu.id.as_str().to_owned(),
            model: gpu.model.clone(),
            memory_bytes: gpu.memory_bytes,
            lent_to: lent.get(&gpu.id).cloned().unwrap_or_default(),
        })
        .collect();
    v1::Node {
        id: node.id.to_string(),
        name: node.name.clone(),
        address: inventory.address.clone(),
        availability: availability(node.availability).into(),
        liveness: liveness(node.liveness).into(),
        liveness_time: Some(timestamp(node.liveness_since)),
        labels: inventory.labels.clone(),
        offered: Some(capacity(inventory.offered(), gpus.len())),
        used: Some(capacity(used, lent.len())),
        gpus,
        containers: count(containers),
        agent_version: node.agent_version.clone(),
        engine_version: inventory.engine_version.clone(),
        join_time: Some(timestamp(node.joined_at)),
        certificate_expire_time: Some(timestamp(node.certificate_expires_at)),
        desired_generation: node.desired_generation,
        reconciled_generation: node.reconciled_generation,
        problems,
        orphans: node.orphans,
    }
}

fn capacity(resources: Resources, gpus: usize) -> v1::Capacity {
    let Resources { cpu_millis, memory_bytes } = resources;
    v1::Capacity { cpu_millis, memory_bytes, gpus: count(gpus) }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub fn availability(availability: Availability) -> v1::Availability {
    match availability {
        Availability::Active => v1::Availability::Active,
        Availability::Cordoned => v1::Availability::Cordoned,
    }
}

pub fn liveness(liveness: Liveness) -> v1::Liveness {
    match liveness {
        Liveness::Unknown => v1::Liveness::Unknown,
        Liveness::Ready => v1::Liveness::Ready,
        Liveness::Unreachable => v1::Liveness::Unreachable,
    }
}

/// For diagnosis: the domain's own words.
pub fn desired_phase(phase: DesiredPhase) -> &'static str {
    match phase {
        DesiredPhase::Running => "running",
        DesiredPhase::Stopped => "stopped",
        DesiredPhase::Removed => "removed",
    }
}

/// For diagnosis: the domain's own words.
pub fn observed_phase(phase: ObservedPhase) -> &'static str {
    match phase {
        ObservedPhase::Absent => "absent",
        ObservedPhase::Pulling => "pulling",
        ObservedPhase::Starting => "starting",
        ObservedPhase::Running => "running",
        ObservedPhase::Stopping => "stopping",
        ObservedPhase::Exited => "exited",
        ObservedPhase::Removed => "removed",
        ObservedPhase::Failed => "failed",
    }
}
