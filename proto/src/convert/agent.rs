//! The agent protocol, to the domain and back. What comes in is checked field by field: a certificate proves who speaks,
//! not that what it says makes sense.

use std::collections::BTreeMap;

use berth_core::{
    clock::Timestamp,
    container::{DesiredPhase, PortBinding, RuntimeKind},
    desired::{DesiredContainer, DesiredUpdate, EngineSpec},
    fault::{Fault, FaultKind},
    id::ContainerId,
    image::ImageRef,
    node::{Gpu, Inventory, PortRange},
    observed::{Observed, ObservedPhase, PullProgress},
    resources::{GpuId, Resources},
};

use super::storage;
use crate::agent::v1 as wire;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Malformed {
    pub field: &'static str,
    pub problem: String,
}

pub(super) fn malformed(field: &'static str, problem: impl ToString) -> Malformed {
    Malformed { field, problem: problem.to_string() }
}

pub fn timestamp_to_wire(timestamp: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(timestamp.0.rem_euclid(1000) * 1_000_000).unwrap_or(0);
    prost_types::Timestamp { seconds: timestamp.0.div_euclid(1000), nanos }
}

pub fn timestamp_from_wire(timestamp: &prost_types::Timestamp) -> Timestamp {
    Timestamp(
        timestamp
            .seconds
            .saturating_mul(1000)
            .saturating_add(i64::from(timestamp.nanos / 1_000_000)),
    )
}

fn port(field: &'static str, number: u32) -> Result<u16, Malformed> {
    u16::try_from(number).ok().filter(|port| *port > 0).ok_or_else(|| malformed(field, number))
}

// === desired ===

pub fn desired_to_wire(update: &DesiredUpdate) -> wire::Desired {
    wire::Desired {
        cluster_epoch: update.epoch.to_string(),
        generation: update.generation,
        containers: update.containers.iter().map(desired_container_to_wire).collect(),
        base_generation: update.base.unwrap_or(0),
        removed: update.removed.iter().map(ToString::to_string).collect(),
        set_digest: update.digest.to_vec(),
    }
}

pub fn desired_from_wire(desired: wire::Desired) -> Result<DesiredUpdate, Malformed> {
    let removed: Result<Vec<ContainerId>, _> =
        desired.removed.iter().map(|id| id.parse()).collect();
    let containers: Result<Vec<_>, _> =
        desired.containers.into_iter().map(desired_container_from_wire).collect();
    Ok(DesiredUpdate {
        epoch: desired.cluster_epoch.parse().map_err(|e| malformed("cluster_epoch", e))?,
        generation: desired.generation,
        base: (desired.base_generation > 0).then_some(desired.base_generation),
        containers: containers?,
        removed: removed.map_err(|e| malformed("removed", e))?,
        digest: desired
            .set_digest
            .try_into()
            .map_err(|_| malformed("set_digest", "32 bytes are wanted"))?,
    })
}

/// A ledger's containers. One that cannot be read is left out and told of: the others are none the worse for it.
pub fn held_from_wire(
    containers: Vec<wire::DesiredContainer>,
) -> (Vec<DesiredContainer>, Vec<Malformed>) {
    let mut read = Vec::with_capacity(containers.len());
    let mut malformed = Vec::new();
    for container in containers {
        match desired_container_from_wire(container) {
            Ok(container) => read.push(container),
            Err(error) => malformed.push(error),
        }
    }
    (read, malformed)
}

pub fn desired_container_to_wire(desired: &DesiredContainer) -> wire::DesiredContainer {
    let spec = &desired.spec;
    wire::DesiredContainer {
        container_id: desired.id.to_string(),
        incarnation: desired.incarnation,
        phase: match desired.phase {
            DesiredPhase::Running => wire::DesiredPhase::Running,
            DesiredPhase::Stopped => wire::DesiredPhase::Stopped,
            DesiredPhase::Removed => wire::DesiredPhase::Removed,
        }
        .into(),
        restart_nonce: desired.restart_nonce,
        not_after: Some(timestamp_to_wire(desired.not_after)),
        spec: Some(wire::ContainerSpec {
            image: spec.image.to_string(),
            command: spec.command.clone(),
            environment: spec.environment.clone(),
            ports: spec
                .ports
                .iter()
                .map(|p| wire::PortBinding { guest_port: p.guest.into(), host_port: p.host.into() })
                .collect(),
            gpu_ids: spec.gpus.iter().map(|gpu| gpu.as_str().to_owned()).collect(),
            cpu_millis: spec.resources.cpu_millis,
            memory_bytes: spec.resources.memory_bytes,
            tty: spec.tty,
            stdin: spec.stdin,
            user_id: spec.user.to_string(),
            hostname: spec.hostname.clone(),
            runtime: match spec.runtime {
                RuntimeKind::Docker => wire::Runtime::Docker,
                RuntimeKind::Kubernetes => wire::Runtime::Kubernetes,
            }
            .into(),
            belongings: spec.belongings.as_ref().map(storage::belongings_to_wire),
        }),
    }
}

pub fn desired_container_from_wire(
    desired: wire::DesiredContainer,
) -> Result<DesiredContainer, Malformed> {
    let phase = match desired.phase() {
        wire::DesiredPhase::Running => DesiredPhase::Running,
        wire::DesiredPhase::Stopped => DesiredPhase::Stopped,
        wire::DesiredPhase::Removed => DesiredPhase::Removed,
        wire::DesiredPhase::Unspecified => return Err(malformed("phase", desired.phase)),
    };
    let spec = desired.spec.ok_or_else(|| malformed("spec", "missing"))?;
    let runtime = match spec.runtime() {
        wire::Runtime::Docker => RuntimeKind::Docker,
        wire::Runtime::Kubernetes => RuntimeKind::Kubernetes,
        wire::Runtime::Unspecified => return Err(malformed("spec.runtime", spec.runtime)),
    };
    let ports = spec.ports.iter().map(|p| {
        Ok(PortBinding {
            guest: port("spec.ports.guest_port", p.guest_port)?,
            host: port("spec.ports.host_port", p.host_port)?,
        })
    });
    let gpus =
        spec.gpu_ids.iter().map(|id| GpuId::parse(id).ok_or_else(|| malformed("spec.gpu_ids", id)));
    Ok(DesiredContainer {
        id: desired.container_id.parse().map_err(|e| malformed("container_id", e))?,
        incarnation: desired.incarnation,
        phase,
        restart_nonce: desired.restart_nonce,
        not_after: desired
            .not_after
            .as_ref()
            .map(timestamp_from_wire)
            .ok_or_else(|| malformed("not_after", "missing"))?,
        spec: EngineSpec {
            image: ImageRef::parse(&spec.image)
                .map_err(|e| malformed("spec.image", format!("{e:?}")))?,
            ports: ports.collect::<Result<_, Malformed>>()?,
            gpus: gpus.collect::<Result<_, Malformed>>()?,
            command: spec.command,
            environment: spec.environment,
            resources: Resources::new(spec.cpu_millis, spec.memory_bytes),
            tty: spec.tty,
            stdin: spec.stdin,
            user: spec.user_id.parse().map_err(|e| malformed("spec.user_id", e))?,
            hostname: spec.hostname,
            runtime,
            belongings: spec.belongings.map(storage::belongings_from_wire).transpose()?,
        },
    })
}

// === observed ===

pub fn observed_to_wire(
    id: ContainerId,
    observed: &Observed,
    orphan: bool,
) -> wire::ObservedContainer {
    let pull = observed.pull.unwrap_or(PullProgress { done_bytes: 0, total_bytes: 0 });
    wire::ObservedContainer {
        container_id: id.to_string(),
        incarnation: observed.incarnation,
        phase: match observed.phase {
            ObservedPhase::Absent => wire::ObservedPhase::Absent,
            ObservedPhase::Pulling => wire::ObservedPhase::Pulling,
            ObservedPhase::Starting => wire::ObservedPhase::Starting,
            ObservedPhase::Running => wire::ObservedPhase::Running,
            ObservedPhase::Stopping => wire::ObservedPhase::Stopping,
            ObservedPhase::Exited => wire::ObservedPhase::Exited,
            ObservedPhase::Removed => wire::ObservedPhase::Removed,
            ObservedPhase::Failed => wire::ObservedPhase::Failed,
        }
        .into(),
        fault: observed.fault.as_ref().map(fault_to_wire),
        retrying: observed.retrying,
        orphan,
        start_time: observed.started_at.map(timestamp_to_wire),
        finish_time: observed.finished_at.map(timestamp_to_wire),
        exit_code: observed.exit_code,
        out_of_memory: observed.out_of_memory,
        image_digest: observed.image_digest.clone().unwrap_or_default(),
        pull_done_bytes: pull.done_bytes,
        pull_total_bytes: pull.total_bytes,
        restart_nonce: observed.restart_nonce,
    }
}

/// The container, what is said of it, and whether it is an orphan.
pub fn observed_from_wire(
    wire: wire::ObservedContainer,
) -> Result<(ContainerId, Observed, bool), Malformed> {
    let phase = match wire.phase() {
        wire::ObservedPhase::Absent => ObservedPhase::Absent,
        wire::ObservedPhase::Pulling => ObservedPhase::Pulling,
        wire::ObservedPhase::Starting => ObservedPhase::Starting,
        wire::ObservedPhase::Running => ObservedPhase::Running,
        wire::ObservedPhase::Stopping => ObservedPhase::Stopping,
        wire::ObservedPhase::Exited => ObservedPhase::Exited,
        wire::ObservedPhase::Removed => ObservedPhase::Removed,
        wire::ObservedPhase::Failed => ObservedPhase::Failed,
        wire::ObservedPhase::Unspecified => return Err(malformed("phase", wire.phase)),
    };
    let id = wire.container_id.parse().map_err(|e| malformed("container_id", e))?;
    let pull = (phase == ObservedPhase::Pulling).then_some(PullProgress {
        done_bytes: wire.pull_done_bytes,
        total_bytes: wire.pull_total_bytes,
    });
    let observed = Observed {
        incarnation: wire.incarnation,
        phase,
        fault: wire.fault.map(fault_from_wire).transpose()?,
        retrying: wire.retrying,
        started_at: wire.start_time.as_ref().map(timestamp_from_wire),
        finished_at: wire.finish_time.as_ref().map(timestamp_from_wire),
        exit_code: wire.exit_code,
        out_of_memory: wire.out_of_memory,
        image_digest: (!wire.image_digest.is_empty()).then_some(wire.image_digest),
        pull,
        restart_nonce: wire.restart_nonce,
    };
    Ok((id, observed, wire.orphan))
}

/// An engine can be talkative; what is kept of its words is bounded.
const DETAIL_MAXIMUM: usize = 1000;

fn fault_to_wire(fault: &Fault) -> wire::Fault {
    let (code, port) = match fault.kind {
        FaultKind::ImageNotFound => (wire::FaultCode::ImageNotFound, 0),
        FaultKind::RegistryUnreachable => (wire::FaultCode::RegistryUnreachable, 0),
        FaultKind::PortInUse { port } => (wire::FaultCode::PortInUse, port.into()),
        FaultKind::CommandNotFound => (wire::FaultCode::CommandNotFound, 0),
        FaultKind::NoGpuRuntime => (wire::FaultCode::NoGpuRuntime, 0),
        FaultKind::FirewallMissing => (wire::FaultCode::FirewallMissing, 0),
        FaultKind::NoSpace => (wire::FaultCode::NoSpace, 0),
        FaultKind::Unsupported => (wire::FaultCode::Unsupported, 0),
        FaultKind::Network => (wire::FaultCode::Network, 0),
        FaultKind::Engine => (wire::FaultCode::Engine, 0),
        FaultKind::StorageMissing => (wire::FaultCode::StorageMissing, 0),
        FaultKind::HomeOwner => (wire::FaultCode::HomeOwner, 0),
        FaultKind::ForeignContainer => (wire::FaultCode::ForeignContainer, 0),
    };
    wire::Fault {
        code: code.into(),
        detail: fault.detail.chars().take(DETAIL_MAXIMUM).collect(),
        port,
    }
}

fn fault_from_wire(fault: wire::Fault) -> Result<Fault, Malformed> {
    let kind = match fault.code() {
        wire::FaultCode::ImageNotFound => FaultKind::ImageNotFound,
        wire::FaultCode::RegistryUnreachable => FaultKind::RegistryUnreachable,
        wire::FaultCode::PortInUse => {
            FaultKind::PortInUse { port: port("fault.port", fault.port)? }
        }
        wire::FaultCode::CommandNotFound => FaultKind::CommandNotFound,
        wire::FaultCode::NoGpuRuntime => FaultKind::NoGpuRuntime,
        wire::FaultCode::FirewallMissing => FaultKind::FirewallMissing,
        wire::FaultCode::NoSpace => FaultKind::NoSpace,
        wire::FaultCode::Unsupported => FaultKind::Unsupported,
        wire::FaultCode::Network => FaultKind::Network,
        wire::FaultCode::StorageMissing => FaultKind::StorageMissing,
        wire::FaultCode::HomeOwner => FaultKind::HomeOwner,
        wire::FaultCode::ForeignContainer => FaultKind::ForeignContainer,
        // A newer agent may know more kinds of trouble; it is trouble all the same.
        wire::FaultCode::Engine | wire::FaultCode::Unspecified => FaultKind::Engine,
    };
    Ok(Fault::new(kind, fault.detail.chars().take(DETAIL_MAXIMUM).collect::<String>()))
}

// === inventory ===

pub fn inventory_to_wire(inventory: &Inventory) -> wire::Inventory {
    wire::Inventory {
        cpu_millis: inventory.total.cpu_millis,
        memory_bytes: inventory.total.memory_bytes,
        gpus: inventory
            .gpus
            .iter()
            .map(|gpu| wire::Gpu {
                id: gpu.id.as_str().to_owned(),
                model: gpu.model.clone(),
                memory_bytes: gpu.memory_bytes,
            })
            .collect(),
        engine_version: inventory.engine_version.clone(),
        kernel_version: inventory.kernel_version.clone(),
        labels: inventory.labels.clone(),
        address: inventory.address.clone(),
        port_range_start: inventory.ports.start.into(),
        port_range_end: inventory.ports.end.into(),
        foreign_ports: inventory.foreign_ports.iter().map(|port| u32::from(*port)).collect(),
        foreign_cpu_millis: inventory.foreign.cpu_millis,
        foreign_memory_bytes: inventory.foreign.memory_bytes,
        features: inventory
            .runtimes
            .iter()
            .map(|runtime| match runtime {
                RuntimeKind::Docker => "docker".to_owned(),
                RuntimeKind::Kubernetes => "kubernetes".to_owned(),
            })
            .collect(),
        problems: inventory.problems.iter().map(fault_to_wire).collect(),
        storage: Some(storage::storage_to_wire(&inventory.storage)),
    }
}

pub fn inventory_from_wire(wire: wire::Inventory) -> Result<Inventory, Malformed> {
    let gpus = wire.gpus.into_iter().map(|gpu| {
        let id = GpuId::parse(&gpu.id).ok_or_else(|| malformed("inventory.gpus.id", &gpu.id))?;
        Ok(Gpu { id, model: gpu.model, memory_bytes: gpu.memory_bytes })
    });
    let ports = PortRange {
        start: port("inventory.port_range_start", wire.port_range_start)?,
        end: port("inventory.port_range_end", wire.port_range_end)?,
    };
    let foreign_ports = wire.foreign_ports.into_iter().map(|p| port("inventory.foreign_ports", p));
    let labels: BTreeMap<String, String> = wire.labels;
    Ok(Inventory {
        total: Resources::new(wire.cpu_millis, wire.memory_bytes),
        foreign: Resources::new(wire.foreign_cpu_millis, wire.foreign_memory_bytes),
        gpus: gpus.collect::<Result<_, Malformed>>()?,
        labels,
        address: wire.address,
        ports,
        foreign_ports: foreign_ports.collect::<Result<_, Malformed>>()?,
        runtimes: wire
            .features
            .iter()
            .filter_map(|feature| match feature.as_str() {
                "docker" => Some(RuntimeKind::Docker),
                "kubernetes" => Some(RuntimeKind::Kubernetes),
                _ => None,
            })
            .collect(),
        engine_version: wire.engine_version,
        kernel_version: wire.kernel_version,
        storage: storage::storage_from_wire(wire.storage.unwrap_or_default())?,
        problems: wire
            .problems
            .into_iter()
            .map(fault_from_wire)
            .collect::<Result<_, Malformed>>()?,
    })
}
