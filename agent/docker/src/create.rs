//! What the engine is asked to create.

use std::collections::HashMap;

use berth_core::{container::RuntimeKind, fault::FaultKind, resources::GpuId};
use berth_reconcile::runtime::{CreateOrder, Error};
use bollard::models::{
    ContainerCreateBody, DeviceRequest, EndpointSettings, HostConfig, HostConfigCgroupnsModeEnum,
    HostConfigLogConfig, NetworkingConfig, PortBinding, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};

use crate::{belongings::Prepared, names::Identity, options::Options};

/// What images that are made for root need (package managers, sshd, databases that give up root). Without NET_RAW a
/// container cannot forge addresses on its bridge.
const CAPABILITIES: [&str; 8] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "SETUID",
    "SETGID",
    "KILL",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
];

/// Honoured by the NVIDIA runtime wherever it comes from, also from an image.
const NVIDIA_VISIBLE_DEVICES: &str = "NVIDIA_VISIBLE_DEVICES";

/// What this engine can do, probed when it is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Abilities {
    pub gpus: GpuMode,
    pub cgroup_namespaces: CgroupNamespaces,
    /// Open files in one container.
    pub open_files: i64,
}

/// How GPUs are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GpuMode {
    /// By names from /etc/cdi, since engine 28.
    Cdi,
    /// By the NVIDIA container toolkit's hook, since engine 19.03.
    Nvidia,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CgroupNamespaces {
    Supported,
    Unsupported,
}

/// The body for `POST /containers/create`. Nothing that is not from `order` differs between containers of one blade.
pub(crate) fn body(
    order: &CreateOrder,
    identity: &Identity,
    options: &Options,
    abilities: Abilities,
    prepared: Prepared,
) -> Result<ContainerCreateBody, Error> {
    let spec = &order.spec;
    match spec.runtime {
        RuntimeKind::Docker => {}
        RuntimeKind::Kubernetes => {
            return Err(Error::fault(FaultKind::Unsupported, "this blade has no Kubernetes"));
        }
    }
    let network = identity.network_name(spec.user);
    let aliases = EndpointSettings {
        aliases: Some(vec![spec.hostname.clone()]),
        ..EndpointSettings::default()
    };
    Ok(ContainerCreateBody {
        image: Some(spec.image.as_str().to_owned()),
        hostname: Some(spec.hostname.clone()),
        user: prepared.user,
        working_dir: prepared.working_directory,
        cmd: (!spec.command.is_empty()).then(|| spec.command.clone()),
        env: Some(environment(order)),
        tty: Some(spec.tty),
        open_stdin: Some(spec.stdin),
        stdin_once: Some(false),
        exposed_ports: Some(spec.ports.iter().map(|port| guest(port.guest)).collect()),
        // Last and alone: labels of the image are merged by the engine, and these win.
        labels: Some(identity.container_labels(order)),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(network.clone(), aliases)])),
        }),
        host_config: Some(HostConfig {
            mounts: (!prepared.mounts.is_empty()).then_some(prepared.mounts),
            ..host_config(order, network, options, abilities)?
        }),
        ..ContainerCreateBody::default()
    })
}

fn host_config(
    order: &CreateOrder,
    network: String,
    options: &Options,
    abilities: Abilities,
) -> Result<HostConfig, Error> {
    let spec = &order.spec;
    let memory = i64::try_from(spec.resources.memory_bytes).map_err(|_| {
        Error::fault(FaultKind::Unsupported, "more memory than the engine can count")
    })?;
    let shm = i64::try_from(options.shm_bytes).unwrap_or(i64::MAX).min(memory);
    Ok(HostConfig {
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(CAPABILITIES.map(str::to_owned).to_vec()),
        security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
        pids_limit: Some(i64::from(options.pids_limit)),
        memory: Some(memory),
        // The same figure: no swap.
        memory_swap: Some(memory),
        // A thousandth of a core is 10^6 of the engine's billionths.
        nano_cpus: Some(i64::from(spec.resources.cpu_millis) * 1_000_000),
        oom_kill_disable: Some(false),
        init: Some(true),
        // No limit of processes here: that one counts per uid on the whole machine.
        ulimits: Some(vec![ulimit("nofile", abilities.open_files), ulimit("core", 0)]),
        shm_size: Some(shm),
        ipc_mode: Some("private".to_owned()),
        cgroupns_mode: match abilities.cgroup_namespaces {
            CgroupNamespaces::Supported => Some(HostConfigCgroupnsModeEnum::PRIVATE),
            CgroupNamespaces::Unsupported => None,
        },
        network_mode: Some(network),
        port_bindings: Some(port_bindings(order, options)),
        publish_all_ports: Some(false),
        // After a reboot the agent decides, not the engine: an expired container must not come back.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        log_config: Some(HostConfigLogConfig {
            typ: Some("local".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), options.log_bytes.to_string()),
                ("max-file".to_owned(), options.log_files.max(1).to_string()),
            ])),
        }),
        device_requests: device_requests(&spec.gpus, abilities.gpus),
        ..HostConfig::default()
    })
}

fn environment(order: &CreateOrder) -> Vec<String> {
    let user_set = order
        .spec
        .environment
        .iter()
        .filter(|(key, _)| !key.eq_ignore_ascii_case(NVIDIA_VISIBLE_DEVICES))
        .map(|(key, value)| format!("{key}={value}"));
    // Many CUDA images set it to "all", which a blade whose default runtime is NVIDIA's would obey.
    let no_gpus = order.spec.gpus.is_empty().then(|| format!("{NVIDIA_VISIBLE_DEVICES}=void"));
    user_set.chain(no_gpus).collect()
}

fn device_requests(gpus: &[GpuId], mode: GpuMode) -> Option<Vec<DeviceRequest>> {
    if gpus.is_empty() {
        return None;
    }
    let ids = gpus.iter().map(GpuId::as_str);
    Some(vec![match mode {
        GpuMode::Cdi => DeviceRequest {
            driver: Some("cdi".to_owned()),
            device_ids: Some(ids.map(|id| format!("nvidia.com/gpu={id}")).collect()),
            ..DeviceRequest::default()
        },
        GpuMode::Nvidia => DeviceRequest {
            driver: Some("nvidia".to_owned()),
            device_ids: Some(ids.map(str::to_owned).collect()),
            capabilities: Some(vec![["gpu", "compute", "utility"].map(str::to_owned).to_vec()]),
            ..DeviceRequest::default()
        },
    }])
}

fn port_bindings(
    order: &CreateOrder,
    options: &Options,
) -> HashMap<String, Option<Vec<PortBinding>>> {
    let binding = |host: u16| PortBinding {
        host_ip: Some(options.publish_address.to_string()),
        host_port: Some(host.to_string()),
    };
    order
        .spec
        .ports
        .iter()
        .map(|port| (guest(port.guest), Some(vec![binding(port.host)])))
        .collect()
}

fn guest(port: u16) -> String {
    format!("{port}/tcp")
}

fn ulimit(name: &str, value: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.to_owned()), soft: Some(value), hard: Some(value) }
}

#[cfg(test)]
pub(crate) mod tests {
    use berth_core::{
        container::PortBinding as CorePort,
        desired::EngineSpec,
        id::{ClusterId, ContainerId, NodeId, UserId},
        image::ImageRef,
        resources::Resources,
    };
    use uuid::Uuid;

    use super::*;

    fn order() -> CreateOrder {
        CreateOrder {
            container: ContainerId::new(Uuid::from_u128(1)),
            incarnation: 2,
            restart_nonce: 3,
            spec: EngineSpec {
                image: ImageRef::parse("busybox").unwrap(),
                command: vec![],
                environment: [("A", "1"), ("nvidia_visible_devices", "all")]
                    .map(|(k, v)| (k.to_owned(), v.to_owned()))
                    .into(),
                ports: vec![CorePort { guest: 80, host: 20_001 }],
                gpus: vec![],
                resources: Resources::new(1500, 64 << 20),
                tty: true,
                stdin: true,
                user: UserId::new(Uuid::from_u128(4)),
                hostname: "alice-web".to_owned(),
                runtime: RuntimeKind::Docker,
                belongings: None,
            },
        }
    }

    fn identity() -> Identity {
        Identity { cluster: ClusterId::new(Uuid::nil()), node: NodeId::new(Uuid::nil()) }
    }

    const ABILITIES: Abilities = Abilities {
        gpus: GpuMode::Nvidia,
        cgroup_namespaces: CgroupNamespaces::Unsupported,
        open_files: 65_536,
    };

    fn make(order: &CreateOrder, abilities: Abilities) -> serde_json::Value {
        let body =
            body(order, &identity(), &Options::default(), abilities, Prepared::default()).unwrap();
        serde_json::to_value(body).unwrap()
    }

    #[test]
    fn hardened() {
        let json = make(&order(), ABILITIES);
        let host = &json["HostConfig"];
        assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]));
        for capability in ["NET_RAW", "NET_ADMIN", "SYS_ADMIN", "MKNOD", "AUDIT_WRITE"] {
            assert!(!host["CapAdd"].as_array().unwrap().iter().any(|c| c == capability));
        }
        assert_eq!(host["SecurityOpt"], serde_json::json!(["no-new-privileges:true"]));
        assert_eq!(host["Memory"], host["MemorySwap"]);
        assert_eq!(host["NanoCpus"], 1_500_000_000);
        assert_eq!(host["ShmSize"], 64 << 20);
        assert_eq!(host["Init"], true);
        assert_eq!(host["RestartPolicy"]["Name"], "no");
        assert_eq!(host["PortBindings"]["80/tcp"][0]["HostPort"], "20001");
        assert_eq!(host["LogConfig"]["Config"]["max-size"], "10485760");
        for absent in [
            "Binds",
            "Mounts",
            "Devices",
            "PidMode",
            "UTSMode",
            "UsernsMode",
            "Sysctls",
            "CgroupnsMode",
        ] {
            assert!(host[absent].is_null(), "{absent}");
        }
        assert_eq!(json["Env"], serde_json::json!(["A=1", "NVIDIA_VISIBLE_DEVICES=void"]));
        assert!(json["Cmd"].is_null());
        assert_eq!(json["Labels"]["io.berth.nonce"], "3");
    }

    #[test]
    fn gpus_by_uuid() {
        let mut order = order();
        order.spec.gpus = vec![GpuId::parse("GPU-1").unwrap()];
        let nvidia = make(&order, ABILITIES);
        assert_eq!(nvidia["HostConfig"]["DeviceRequests"][0]["DeviceIDs"][0], "GPU-1");
        assert_eq!(nvidia["Env"], serde_json::json!(["A=1"]));
        let cdi = make(&order, Abilities { gpus: GpuMode::Cdi, ..ABILITIES });
        assert_eq!(cdi["HostConfig"]["DeviceRequests"][0]["DeviceIDs"][0], "nvidia.com/gpu=GPU-1");
    }

    #[test]
    fn kubernetes_is_refused() {
        let mut order = order();
        order.spec.runtime = RuntimeKind::Kubernetes;
        let refused =
            body(&order, &identity(), &Options::default(), ABILITIES, Prepared::default());
        assert_eq!(refused.unwrap_err().to_fault().kind, FaultKind::Unsupported);
    }
}
