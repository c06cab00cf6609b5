//! Another definition for a container that is there: what it comes to, and what that takes.

use std::collections::BTreeSet;

use crate::{
    container::{Container, ContainerSpec},
    create::{self, CreateRequest, Limits},
    definition::MASK,
    environment::Environment,
    guest_port::RawPorts,
    resources::Resources,
    violation::Violation,
    volume::NewMount,
};

/// What may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    Image,
    Command,
    Environment,
    SecretEnvironment,
    GuestPorts,
    PublishedPorts,
    Gpus,
    Cpu,
    Memory,
    Lease,
    Tty,
    Stdin,
    RunAs,
    NodeLabels,
    Volumes,
}

impl Field {
    pub const ALL: [Field; 15] = [
        Field::Image,
        Field::Command,
        Field::Environment,
        Field::SecretEnvironment,
        Field::GuestPorts,
        Field::PublishedPorts,
        Field::Gpus,
        Field::Cpu,
        Field::Memory,
        Field::Lease,
        Field::Tty,
        Field::Stdin,
        Field::RunAs,
        Field::NodeLabels,
        Field::Volumes,
    ];

    /// As messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Field::Image => "image",
            Field::Command => "command",
            Field::Environment => "environment",
            Field::SecretEnvironment => "secret_environment",
            Field::GuestPorts => "guest_ports",
            Field::PublishedPorts => "published_ports",
            Field::Gpus => "gpus",
            Field::Cpu => "cpu_millis",
            Field::Memory => "memory_bytes",
            Field::Lease => "lease",
            Field::Tty => "tty",
            Field::Stdin => "stdin",
            Field::RunAs => "run_as",
            Field::NodeLabels => "node_labels",
            Field::Volumes => "volumes",
        }
    }

    /// As definitions call it.
    pub fn key(self) -> &'static str {
        match self {
            Field::Environment | Field::SecretEnvironment => "environment",
            Field::GuestPorts => "ports",
            Field::PublishedPorts => "publishedPorts",
            Field::Cpu => "cpu",
            Field::Memory => "memory",
            Field::RunAs => "runAs",
            Field::NodeLabels => "nodeLabels",
            Field::Image
            | Field::Command
            | Field::Gpus
            | Field::Lease
            | Field::Tty
            | Field::Stdin
            | Field::Volumes => self.name(),
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

/// What is asked for. Only `fields` are read of `wanted`.
#[derive(Debug, Clone)]
pub struct Change {
    pub fields: BTreeSet<Field>,
    pub wanted: CreateRequest,
}

/// What a container would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// With the volumes that it has.
    pub spec: ContainerSpec,
    /// Where others are asked for: by their names, to be looked up.
    pub volumes: Option<Vec<NewMount>>,
}

/// The container's spec with the change, checked. What it has already it may keep, whatever the site allows by now.
pub fn merge(old: &Container, change: &Change, limits: &Limits) -> Result<Merged, Vec<Violation>> {
    let spec = &old.spec;
    let has = |field| change.fields.contains(&field);
    let mut request = request_of(old);
    for field in &change.fields {
        take(&mut request, &change.wanted, *field);
    }
    keep_secrets(&mut request.secret_environment, &spec.environment);
    let mut limits = Limits {
        maximum_resources: Resources::new(
            limits.maximum_resources.cpu_millis.max(spec.resources.cpu_millis),
            limits.maximum_resources.memory_bytes.max(spec.resources.memory_bytes),
        ),
        maximum_gpus: limits.maximum_gpus.max(spec.gpus),
        maximum_lease: limits.maximum_lease.max(spec.lease.unwrap_or_default()),
        ..limits.clone()
    };
    let published: Vec<u32> = spec.published().into_iter().map(u32::from).collect();
    let guests: Vec<u32> = spec.guest_ports.iter().copied().map(u32::from).collect();
    if request.guest_ports == guests && same(&request.published_ports, &published) {
        limits.raw_ports = RawPorts::OptIn;
    } else if !has(Field::PublishedPorts) {
        request.published_ports = match limits.raw_ports {
            RawPorts::Forbidden => Vec::new(),
            RawPorts::Default | RawPorts::OptIn => {
                published.into_iter().filter(|port| request.guest_ports.contains(port)).collect()
            }
        };
    }
    let new = create::check(&request, &limits)?;
    let spec = ContainerSpec {
        holder: spec.holder.clone(),
        volumes: spec.volumes.clone(),
        lease: if has(Field::Lease) { Some(new.lease) } else { spec.lease },
        ..new.spec
    };
    Ok(Merged { spec, volumes: has(Field::Volumes).then_some(new.volumes) })
}

/// The request that would make it as it is.
fn request_of(container: &Container) -> CreateRequest {
    let spec = &container.spec;
    let (secret_environment, environment) = parts(spec);
    CreateRequest {
        name: container.name.to_string(),
        image: spec.image.to_string(),
        environment,
        secret_environment,
        guest_ports: spec.guest_ports.iter().copied().map(u32::from).collect(),
        published_ports: spec.published().into_iter().map(u32::from).collect(),
        gpus: spec.gpus,
        runtime: Some(spec.runtime),
        run_as: Some(spec.runs_as()),
        cpu_millis: spec.resources.cpu_millis,
        memory_bytes: spec.resources.memory_bytes,
        command: spec.command.clone(),
        tty: spec.tty,
        stdin: spec.stdin,
        node_labels: spec.node_labels.clone(),
        ..CreateRequest::default()
    }
}

/// Secrets, and the rest.
pub fn parts(spec: &ContainerSpec) -> (Environment, Environment) {
    spec.environment.clone().into_iter().partition(|(key, _)| spec.secrets.contains(key))
}

fn take(request: &mut CreateRequest, wanted: &CreateRequest, field: Field) {
    match field {
        Field::Image => request.image.clone_from(&wanted.image),
        Field::Command => request.command.clone_from(&wanted.command),
        Field::Environment => request.environment.clone_from(&wanted.environment),
        Field::SecretEnvironment => {
            request.secret_environment.clone_from(&wanted.secret_environment);
        }
        Field::GuestPorts => request.guest_ports.clone_from(&wanted.guest_ports),
        Field::PublishedPorts => request.published_ports.clone_from(&wanted.published_ports),
        Field::Gpus => request.gpus = wanted.gpus,
        Field::Cpu => request.cpu_millis = wanted.cpu_millis,
        Field::Memory => request.memory_bytes = wanted.memory_bytes,
        Field::Lease => request.lease_seconds = wanted.lease_seconds,
        Field::Tty => request.tty = wanted.tty,
        Field::Stdin => request.stdin = wanted.stdin,
        Field::RunAs => request.run_as = wanted.run_as,
        Field::NodeLabels => request.node_labels.clone_from(&wanted.node_labels),
        Field::Volumes => request.volumes.clone_from(&wanted.volumes),
    }
}

/// A mask becomes what it stands for. Where there is nothing, it stays, and is refused by the check.
pub fn keep_secrets(secrets: &mut Environment, kept: &Environment) {
    for (key, value) in secrets.iter_mut().filter(|(_, value)| *value == MASK) {
        if let Some(kept) = kept.get(key) {
            value.clone_from(kept);
        }
    }
}

/// What a change takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Everything that differs; none: there is nothing to do.
    pub changes: BTreeSet<Field>,
    /// Of these, what an engine cannot change: the container is made anew, without what was written outside of home and
    /// volumes.
    pub recreation: BTreeSet<Field>,
}

impl Plan {
    pub fn is_recreation(&self) -> bool {
        !self.recreation.is_empty()
    }
}

pub fn plan(old: &Container, new: &ContainerSpec) -> Plan {
    let spec = &old.spec;
    let mut plan = Plan::default();
    let mut differs = |field: Field, is: bool, anew: bool| {
        if is {
            plan.changes.insert(field);
        }
        // What never had a blade is nowhere yet.
        if is && anew && old.placement.is_some() {
            plan.recreation.insert(field);
        }
    };
    differs(Field::Image, spec.image != new.image, true);
    differs(Field::Command, spec.command != new.command, true);
    let environment = spec.environment != new.environment;
    let (old_secrets, old_plain) = parts(spec);
    let (new_secrets, new_plain) = parts(new);
    // A variable that becomes a secret with the value it has is the same inside.
    differs(Field::Environment, old_plain != new_plain, environment);
    differs(Field::SecretEnvironment, old_secrets != new_secrets, environment);
    let (old_published, new_published) = (spec.published(), new.published());
    let published = !same(&old_published, &new_published);
    let guests = spec.guest_ports != new.guest_ports;
    differs(Field::GuestPorts, guests, published);
    differs(Field::PublishedPorts, published && !guests, true);
    differs(Field::Gpus, spec.gpus != new.gpus, true);
    differs(Field::Cpu, spec.resources.cpu_millis != new.resources.cpu_millis, true);
    differs(Field::Memory, spec.resources.memory_bytes != new.resources.memory_bytes, true);
    differs(Field::Lease, spec.lease != new.lease, false);
    differs(Field::Tty, spec.tty != new.tty, true);
    differs(Field::Stdin, spec.stdin != new.stdin, true);
    differs(Field::RunAs, spec.runs_as() != new.run_as, true);
    differs(Field::NodeLabels, spec.node_labels != new.node_labels, false);
    differs(Field::Volumes, spec.volumes != new.volumes, true);
    plan
}

/// Whatever their order.
fn same<T: Ord>(one: &[T], other: &[T]) -> bool {
    one.iter().collect::<BTreeSet<_>>() == other.iter().collect::<BTreeSet<_>>()
}

#[cfg(test)]
mod tests;
