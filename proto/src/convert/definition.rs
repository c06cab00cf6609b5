//! Definitions: from what a container is, and to the requests that make it so.

use std::{collections::BTreeSet, time::Duration};

use berth_core::{
    create::CreateRequest,
    definition::{
        ApiVersion, Cpu, Definition, Kind, Lease, Memory, Metadata, Mount, Spec, Variable,
        change::{Change, Field},
    },
    environment::Environment,
    storage::RunAs,
    violation::{Problem, Violation},
};
use prost_types::FieldMask;

use super::{
    container::{asked_run_as, requested_mount},
    duration, seconds,
};
use crate::v1;

/// All that a definition says, without where the container is and how it does.
pub fn definition(container: v1::Container) -> Definition {
    let lease = container.lease.as_ref().map(seconds).and_then(|s| u64::try_from(s).ok());
    let run_as = match container.run_as() {
        v1::RunAs::Unspecified | v1::RunAs::Account => RunAs::Account,
        v1::RunAs::Image => RunAs::Image,
    };
    let plain = container.environment.into_iter().map(|(k, v)| (k, Variable::Plain(v)));
    let secret = container.secret_environment.into_iter().map(|(k, v)| (k, Variable::Secret(v)));
    let spec = Spec {
        image: container.image,
        command: container.command,
        environment: plain.chain(secret).collect(),
        ports: container.guest_ports,
        published_ports: container.published_ports,
        gpus: container.gpus,
        cpu: Some(Cpu(container.cpu_millis)),
        memory: Some(Memory(container.memory_bytes)),
        lease: lease.map(|seconds| Lease(Duration::from_secs(seconds))),
        tty: container.tty,
        stdin: container.stdin,
        run_as,
        node_labels: container.node_labels,
        volumes: container
            .volumes
            .into_iter()
            .map(|v| Mount { name: v.name, path: v.path, read_only: v.read_only })
            .collect(),
    };
    Definition {
        api_version: ApiVersion::V1,
        kind: Kind::Container,
        metadata: Metadata { name: container.name },
        spec,
    }
}

pub fn create_request(definition: Definition) -> v1::CreateContainerRequest {
    let Spec {
        image,
        command,
        environment,
        ports,
        published_ports,
        gpus,
        cpu,
        memory,
        lease,
        tty,
        stdin,
        run_as,
        node_labels,
        volumes,
    } = definition.spec;
    let (environment, secret_environment) = parts(environment);
    v1::CreateContainerRequest {
        name: definition.metadata.name,
        image,
        command,
        environment,
        secret_environment,
        guest_ports: ports,
        published_ports,
        gpus,
        runtime: v1::Runtime::Docker.into(),
        cpu_millis: cpu.map_or(0, |cpu| cpu.0),
        memory_bytes: memory.map_or(0, |memory| memory.0),
        lease: lease.map(|lease| duration(lease.0)),
        tty,
        stdin,
        run_as: wire_run_as(run_as).into(),
        node_labels,
        volumes: volumes.into_iter().map(wire_mount).collect(),
        ..Default::default()
    }
}

/// Amounts that it does not name stay as they are.
pub fn update_request(definition: Definition) -> v1::UpdateContainerRequest {
    let silent: BTreeSet<Field> = [
        (Field::Cpu, definition.spec.cpu.is_none()),
        (Field::Memory, definition.spec.memory.is_none()),
        (Field::Lease, definition.spec.lease.is_none()),
    ]
    .into_iter()
    .filter_map(|(field, silent)| silent.then_some(field))
    .collect();
    let named = Field::ALL.into_iter().filter(|field| !silent.contains(field));
    let paths = named.map(|field| field.name().to_owned()).collect();
    let asked = create_request(definition);
    let container = v1::Container {
        name: asked.name,
        image: asked.image,
        command: asked.command,
        environment: asked.environment,
        secret_environment: asked.secret_environment,
        guest_ports: asked.guest_ports,
        published_ports: asked.published_ports,
        gpus: asked.gpus,
        cpu_millis: asked.cpu_millis,
        memory_bytes: asked.memory_bytes,
        lease: asked.lease,
        tty: asked.tty,
        stdin: asked.stdin,
        run_as: asked.run_as,
        node_labels: asked.node_labels,
        volumes: asked.volumes,
        ..Default::default()
    };
    v1::UpdateContainerRequest {
        container: Some(container),
        update_mask: Some(FieldMask { paths }),
        ..Default::default()
    }
}

/// What an update asks for.
pub fn change(
    container: v1::Container,
    mask: Option<&FieldMask>,
) -> Result<Change, Vec<Violation>> {
    let fields = fields(&container, mask)?;
    let wanted = CreateRequest {
        image: container.image,
        command: container.command,
        environment: container.environment,
        secret_environment: container.secret_environment,
        guest_ports: container.guest_ports,
        published_ports: container.published_ports,
        gpus: container.gpus,
        cpu_millis: container.cpu_millis,
        memory_bytes: container.memory_bytes,
        lease_seconds: container.lease.as_ref().map(seconds),
        tty: container.tty,
        stdin: container.stdin,
        run_as: asked_run_as(container.run_as),
        node_labels: container.node_labels,
        volumes: container.volumes.into_iter().map(requested_mount).collect(),
        ..CreateRequest::default()
    };
    Ok(Change { fields, wanted })
}

fn fields(
    container: &v1::Container,
    mask: Option<&FieldMask>,
) -> Result<BTreeSet<Field>, Vec<Violation>> {
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    match paths {
        [] => Ok(Field::ALL.into_iter().filter(|field| is_said(container, *field)).collect()),
        [all] if all == "*" => Ok(Field::ALL.into()),
        paths => {
            let unknown = |index: usize| {
                Violation::new(format!("update_mask.paths[{index}]"), Problem::UnknownValue)
            };
            let parsed: Vec<Result<Field, Violation>> = paths
                .iter()
                .enumerate()
                .map(|(index, path)| Field::parse(path).ok_or_else(|| unknown(index)))
                .collect();
            let bad: Vec<Violation> =
                parsed.iter().filter_map(|field| field.clone().err()).collect();
            if bad.is_empty() { Ok(parsed.into_iter().flatten().collect()) } else { Err(bad) }
        }
    }
}

fn is_said(container: &v1::Container, field: Field) -> bool {
    match field {
        Field::Image => !container.image.is_empty(),
        Field::Command => !container.command.is_empty(),
        Field::Environment => !container.environment.is_empty(),
        Field::SecretEnvironment => !container.secret_environment.is_empty(),
        Field::GuestPorts => !container.guest_ports.is_empty(),
        Field::PublishedPorts => !container.published_ports.is_empty(),
        Field::Gpus => container.gpus != 0,
        Field::Cpu => container.cpu_millis != 0,
        Field::Memory => container.memory_bytes != 0,
        Field::Lease => container.lease.is_some(),
        Field::Tty => container.tty,
        Field::Stdin => container.stdin,
        Field::RunAs => container.run_as != 0,
        Field::NodeLabels => !container.node_labels.is_empty(),
        Field::Volumes => !container.volumes.is_empty(),
    }
}

/// Plain variables, and secrets.
fn parts(variables: impl IntoIterator<Item = (String, Variable)>) -> (Environment, Environment) {
    let (mut plain, mut secret) = (Environment::new(), Environment::new());
    for (key, variable) in variables {
        match variable {
            Variable::Plain(value) => plain.insert(key, value),
            Variable::Secret(value) => secret.insert(key, value),
        };
    }
    (plain, secret)
}

fn wire_run_as(run_as: RunAs) -> v1::RunAs {
    match run_as {
        RunAs::Account => v1::RunAs::Account,
        RunAs::Image => v1::RunAs::Image,
    }
}

fn wire_mount(mount: Mount) -> v1::VolumeMount {
    v1::VolumeMount { name: mount.name, path: mount.path, read_only: mount.read_only }
}

#[cfg(test)]
mod tests;
