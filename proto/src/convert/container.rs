//! Containers, and the form that asks for one.

use std::time::Duration;

use berth_core::{
    app_host::{AppDomain, AppKey, AppLabel},
    container::{Container, ContainerSpec, Placement, RuntimeKind},
    create::CreateRequest,
    definition::MASK,
    fault::FaultKind,
    node::{Liveness, Node},
    phase::{self, Phase, Reason},
    storage::{Holder, HomeMount, RunAs, Scope},
    text::{self, Language},
    volume::RequestedMount,
};

use super::{seconds, timestamp};
use crate::v1;

/// What a container's message is made from.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub container: &'a Container,
    /// The owner's account.
    pub owner: &'a str,
    /// The blade that it is placed on.
    pub node: Option<&'a Node>,
    /// How long it is kept after its lease ended.
    pub grace: Duration,
    /// Where its ports have https names, if they have.
    pub apps: Option<&'a AppDomain>,
    pub language: Language,
}

/// The form as it came. Nothing is checked here; a runtime that this version does not know becomes `None`.
pub fn create_request(message: v1::CreateContainerRequest) -> CreateRequest {
    let runtime = v1::Runtime::try_from(message.runtime).ok().map(|runtime| match runtime {
        v1::Runtime::Unspecified | v1::Runtime::Docker => RuntimeKind::Docker,
        v1::Runtime::Kubernetes => RuntimeKind::Kubernetes,
    });
    let run_as = asked_run_as(message.run_as);
    CreateRequest {
        name: message.name,
        image: message.image,
        environment: message.environment,
        environment_text: message.environment_text,
        secret_environment: message.secret_environment,
        guest_ports: message.guest_ports,
        guest_ports_text: message.guest_ports_text,
        published_ports: message.published_ports,
        gpus: message.gpus,
        runtime,
        run_as,
        cpu_millis: message.cpu_millis,
        memory_bytes: message.memory_bytes,
        lease_seconds: message.lease.as_ref().map(seconds),
        command: message.command,
        command_text: message.command_text,
        tty: message.tty,
        stdin: message.stdin,
        node_labels: message.node_labels,
        request_id: message.request_id,
        volumes: message.volumes.into_iter().map(requested_mount).collect(),
    }
}

/// `None` for a value that this version does not know.
pub(super) fn asked_run_as(run_as: i32) -> Option<RunAs> {
    v1::RunAs::try_from(run_as).ok().map(|run_as| match run_as {
        v1::RunAs::Unspecified | v1::RunAs::Account => RunAs::Account,
        v1::RunAs::Image => RunAs::Image,
    })
}

pub(super) fn requested_mount(mount: v1::VolumeMount) -> RequestedMount {
    RequestedMount { name: mount.name, path: mount.path, read_only: mount.read_only }
}

pub fn container(view: View<'_>) -> v1::Container {
    let View { container, owner, node, grace, apps, language } = view;
    let liveness = node.map_or(Liveness::Unknown, |node| node.liveness);
    let (phase, why) = phase::of(container, liveness);
    let spec = &container.spec;
    let observed = container.current_observed();
    let gpus_held = container.placement.as_ref().filter(|_| container.admitted);
    v1::Container {
        id: container.id.to_string(),
        name: container.name.to_string(),
        full_name: format!("{owner}-{}", container.name),
        owner: owner.to_owned(),
        phase: self::phase(phase).into(),
        reason: why.map(|why| reason(language, &why)),
        node: node.map(|node| node.name.clone()).unwrap_or_default(),
        endpoints: container
            .placement
            .as_ref()
            .zip(node)
            .map(|(placement, node)| match apps {
                Some(apps) => named_endpoints(container, placement, node, apps),
                None => endpoints(placement, node),
            })
            .unwrap_or_default(),
        create_time: Some(timestamp(container.created_at)),
        start_time: observed.and_then(|observed| observed.started_at).map(timestamp),
        lease_end_time: Some(timestamp(container.lease_ends_at)),
        delete_time: Some(timestamp(container.lease_ends_at + grace)),
        image: spec.image.to_string(),
        image_digest: observed
            .and_then(|observed| observed.image_digest.clone())
            .unwrap_or_default(),
        environment: spec
            .environment
            .iter()
            .filter(|(key, _)| !spec.secrets.contains(*key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        secret_environment: spec.secrets.iter().map(|key| (key.clone(), MASK.to_owned())).collect(),
        published_ports: spec.published().into_iter().map(u32::from).collect(),
        lease: spec.lease.map(super::duration),
        command: spec.command.clone(),
        tty: spec.tty,
        stdin: spec.stdin,
        cpu_millis: spec.resources.cpu_millis,
        memory_bytes: spec.resources.memory_bytes,
        gpus: spec.gpus,
        gpu_ids: gpus_held
            .map(|placement| placement.gpus.iter().map(|gpu| gpu.as_str().to_owned()).collect())
            .unwrap_or_default(),
        node_labels: spec.node_labels.clone(),
        runtime: runtime(spec.runtime).into(),
        pull: observed.filter(|_| phase == Phase::Pulling).and_then(|observed| observed.pull).map(
            |pull| v1::PullProgress { done_bytes: pull.done_bytes, total_bytes: pull.total_bytes },
        ),
        guest_ports: spec.guest_ports.iter().copied().map(u32::from).collect(),
        app_url_template: apps
            .map(|apps| apps.url(AppKey::of(container.owner, &container.name).template()))
            .unwrap_or_default(),
        // Of two answers about the same container the one with the higher number is newer.
        generation: container.revision,
        run_as: run_as(spec).into(),
        home_path: home(container).map(Holder::home).unwrap_or_default(),
        // By names, which whoever has the state fills in.
        volumes: Vec::new(),
        home_scope: home(container).map_or(v1::HomeScope::Unspecified, |_| scope(node)).into(),
    }
}

/// Whose home it has, once it is placed.
fn home(container: &Container) -> Option<&Holder> {
    match container.placement.as_ref()?.home {
        HomeMount::None => None,
        HomeMount::Plain | HomeMount::Mapped => container.spec.holder.as_ref(),
    }
}

fn scope(node: Option<&Node>) -> v1::HomeScope {
    match node.and_then(|node| node.inventory.storage.homes.as_ref()).map(|homes| homes.scope) {
        Some(Scope::Shared) => v1::HomeScope::Shared,
        Some(Scope::Local) | None => v1::HomeScope::Node,
    }
}

/// One that was made before there were homes runs as its image says.
fn run_as(spec: &ContainerSpec) -> v1::RunAs {
    match (&spec.holder, spec.run_as) {
        (Some(_), RunAs::Account) => v1::RunAs::Account,
        (None, _) | (Some(_), RunAs::Image) => v1::RunAs::Image,
    }
}

/// A blade that has not said its address has no endpoints yet.
fn endpoints(placement: &Placement, node: &Node) -> Vec<v1::Endpoint> {
    let host = node.inventory.address.as_str();
    if host.is_empty() {
        return Vec::new();
    }
    let bracketed = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    placement
        .ports
        .iter()
        .map(|port| v1::Endpoint {
            guest_port: port.guest.into(),
            host: host.to_owned(),
            host_port: port.host.into(),
            url: format!("http://{bracketed}:{}/", port.host),
        })
        .collect()
}

/// Every guest port, whether the blade has a port for it or not.
fn named_endpoints(
    container: &Container,
    placement: &Placement,
    node: &Node,
    apps: &AppDomain,
) -> Vec<v1::Endpoint> {
    let raw = endpoints(placement, node);
    container
        .spec
        .guest_ports
        .iter()
        .map(|port| {
            let raw = raw.iter().find(|endpoint| endpoint.guest_port == u32::from(*port));
            v1::Endpoint {
                guest_port: (*port).into(),
                host: raw.map(|raw| raw.host.clone()).unwrap_or_default(),
                host_port: raw.map_or(0, |raw| raw.host_port),
                url: apps.url(AppLabel::of(*port, container.owner, &container.name)),
            }
        })
        .collect()
}

pub fn runtime(runtime: RuntimeKind) -> v1::Runtime {
    match runtime {
        RuntimeKind::Docker => v1::Runtime::Docker,
        RuntimeKind::Kubernetes => v1::Runtime::Kubernetes,
    }
}

pub fn phase(phase: Phase) -> v1::Phase {
    match phase {
        Phase::Pending => v1::Phase::Pending,
        Phase::Pulling => v1::Phase::Pulling,
        Phase::Starting => v1::Phase::Starting,
        Phase::Running => v1::Phase::Running,
        Phase::Stopping => v1::Phase::Stopping,
        Phase::Stopped => v1::Phase::Stopped,
        Phase::Failed => v1::Phase::Failed,
        Phase::Deleting => v1::Phase::Deleting,
    }
}

pub fn reason(language: Language, reason: &Reason) -> v1::Reason {
    let text::Sentences { message, remedy } = text::reason(language, reason);
    v1::Reason { code: reason_code(reason).into(), message, remedy }
}

fn reason_code(reason: &Reason) -> v1::ReasonCode {
    match reason {
        Reason::WaitingForRoom(_) => v1::ReasonCode::WaitingForRoom,
        Reason::SentToNode => v1::ReasonCode::SentToNode,
        Reason::NodeUnreachable => v1::ReasonCode::NodeUnreachable,
        Reason::Fault { fault, .. } => match fault.kind {
            FaultKind::ImageNotFound => v1::ReasonCode::ImageNotFound,
            FaultKind::RegistryUnreachable => v1::ReasonCode::RegistryUnreachable,
            FaultKind::PortInUse { .. } => v1::ReasonCode::PortInUse,
            FaultKind::CommandNotFound => v1::ReasonCode::CommandNotFound,
            FaultKind::NoGpuRuntime => v1::ReasonCode::NoGpuRuntime,
            FaultKind::FirewallMissing => v1::ReasonCode::FirewallMissing,
            FaultKind::NoSpace => v1::ReasonCode::NoSpace,
            FaultKind::StorageMissing => v1::ReasonCode::StorageMissing,
            FaultKind::HomeOwner => v1::ReasonCode::HomeOwner,
            FaultKind::Unsupported => v1::ReasonCode::Unsupported,
            FaultKind::Network | FaultKind::Engine | FaultKind::ForeignContainer => {
                v1::ReasonCode::EngineError
            }
        },
        Reason::Exited { at_once: false, .. } => v1::ReasonCode::Exited,
        Reason::Exited { at_once: true, .. } => v1::ReasonCode::ExitedAtOnce,
        Reason::OutOfMemory => v1::ReasonCode::OutOfMemory,
        Reason::StoppedByUser => v1::ReasonCode::StoppedByUser,
        Reason::LeaseEnded => v1::ReasonCode::LeaseEnded,
        Reason::OverQuota => v1::ReasonCode::OverQuota,
        Reason::Gone => v1::ReasonCode::Gone,
    }
}
