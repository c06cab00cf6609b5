//! The form: what is typed, and the one check that turns it into a spec. The console and the controller both use it.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    container::{ContainerName, ContainerSpec, RuntimeKind},
    definition::MASK,
    environment::{self, Environment},
    guest_port::{self, RawPorts},
    id::RequestId,
    image::ImageRef,
    resources::{MIB, MINIMUM_MEMORY, Resources},
    storage::RunAs,
    violation::{Problem, Violation},
    volume::{self, NewMount, RequestedMount},
};

pub const COMMAND_WORDS_MAXIMUM: usize = 256;
pub const COMMAND_BYTES_MAXIMUM: usize = 8 * 1024;
pub const LABELS_MAXIMUM: usize = 16;
pub const MINIMUM_CPU_MILLIS: u32 = 10;
/// A shorter lease would end before the container has started.
pub const MINIMUM_LEASE: Duration = Duration::from_secs(60);

/// The request's fields, by the same names.
#[derive(Debug, Clone, Default)]
pub struct CreateRequest {
    pub name: String,
    pub image: String,
    pub environment: Environment,
    pub environment_text: String,
    /// Environment too, and never shown again.
    pub secret_environment: Environment,
    pub guest_ports: Vec<u32>,
    pub guest_ports_text: String,
    pub published_ports: Vec<u32>,
    pub gpus: u32,
    /// `None` for a value of the enum that this version does not know.
    pub runtime: Option<RuntimeKind>,
    /// `None` for a value of the enum that this version does not know.
    pub run_as: Option<RunAs>,
    pub cpu_millis: u32,
    pub memory_bytes: u64,
    /// Seconds; `None` means the default. Signed, because the wire's type is.
    pub lease_seconds: Option<i64>,
    pub command: Vec<String>,
    pub command_text: String,
    pub tty: bool,
    pub stdin: bool,
    pub node_labels: BTreeMap<String, String>,
    pub request_id: String,
    pub volumes: Vec<RequestedMount>,
}

/// What the site allows.
#[derive(Debug, Clone)]
pub struct Limits {
    pub default_resources: Resources,
    pub maximum_resources: Resources,
    pub maximum_gpus: u32,
    pub default_lease: Duration,
    pub maximum_lease: Duration,
    pub raw_ports: RawPorts,
}

/// Checked, with the defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContainer {
    pub name: ContainerName,
    pub spec: ContainerSpec,
    pub lease: Duration,
    pub request_id: Option<RequestId>,
    /// By their names; ids are looked up where volumes are known.
    pub volumes: Vec<NewMount>,
}

/// All violations at once, in the order of the form.
pub fn check(request: &CreateRequest, limits: &Limits) -> Result<NewContainer, Vec<Violation>> {
    let mut bad = Vec::new();
    let name = keep(&mut bad, check_name(&request.name));
    let image = keep(
        &mut bad,
        ImageRef::parse(&request.image).map_err(|p| vec![Violation::new("image", p)]),
    );
    let environment = keep(&mut bad, check_environment(request));
    let guest_ports = keep(&mut bad, check_guest_ports(request));
    // What is wrong with the guest ports themselves is said once.
    let unpublished = guest_ports.as_ref().and_then(|ports| {
        keep(&mut bad, limits.raw_ports.unpublished(ports, &request.published_ports))
    });
    if request.gpus > limits.maximum_gpus {
        bad.push(Violation::new(
            "gpus",
            Problem::TooLarge { maximum: limits.maximum_gpus.to_string() },
        ));
    }
    let runtime = keep(&mut bad, check_runtime(request.runtime));
    let resources = keep(&mut bad, check_resources(request, limits));
    let lease = keep(&mut bad, check_lease(request.lease_seconds, limits));
    let command = keep(&mut bad, check_command(request));
    bad.extend(check_labels(&request.node_labels));
    let request_id = keep(&mut bad, check_request_id(&request.request_id));
    let volumes = keep(&mut bad, volume::check(&request.volumes));
    let run_as = keep(&mut bad, request.run_as.ok_or_else(|| one("run_as", Problem::UnknownValue)));

    match (
        name,
        image,
        environment,
        guest_ports,
        runtime,
        resources,
        lease,
        command,
        request_id,
        run_as,
        volumes,
    ) {
        (
            Some(name),
            Some(image),
            Some(environment),
            Some(guest_ports),
            Some(runtime),
            Some(resources),
            Some(lease),
            Some(command),
            Some(request_id),
            Some(run_as),
            Some(volumes),
        ) if bad.is_empty() => {
            let spec = ContainerSpec {
                image,
                command,
                environment,
                guest_ports,
                gpus: request.gpus,
                resources,
                tty: request.tty,
                stdin: request.stdin,
                node_labels: request.node_labels.clone(),
                runtime,
                unpublished: unpublished.unwrap_or_default(),
                run_as,
                holder: None,
                volumes: Vec::new(),
                secrets: request.secret_environment.keys().cloned().collect(),
                lease: Some(lease),
            };
            Ok(NewContainer { name, spec, lease, request_id, volumes })
        }
        _ => Err(bad),
    }
}

/// Also used by ExtendLease.
pub fn check_lease(seconds: Option<i64>, limits: &Limits) -> Result<Duration, Vec<Violation>> {
    let Some(seconds) = seconds else { return Ok(limits.default_lease) };
    let problem = match u64::try_from(seconds).map(Duration::from_secs) {
        Ok(lease) if lease < MINIMUM_LEASE => {
            Problem::TooSmall { minimum: format!("{} s", MINIMUM_LEASE.as_secs()) }
        }
        Ok(lease) if lease > limits.maximum_lease => {
            Problem::TooLarge { maximum: format!("{} h", limits.maximum_lease.as_secs() / 3600) }
        }
        Ok(lease) => return Ok(lease),
        Err(_) => Problem::NotPositive,
    };
    Err(vec![Violation::new("lease", problem)])
}

fn keep<T>(bad: &mut Vec<Violation>, result: Result<T, Vec<Violation>>) -> Option<T> {
    result.map_err(|violations| bad.extend(violations)).ok()
}

fn one(field: &str, problem: Problem) -> Vec<Violation> {
    vec![Violation::new(field, problem)]
}

fn check_name(name: &str) -> Result<ContainerName, Vec<Violation>> {
    if name.is_empty() {
        return Err(one("name", Problem::Missing));
    }
    if name.len() > ContainerName::MAXIMUM {
        return Err(one("name", Problem::TooLong { maximum: ContainerName::MAXIMUM }));
    }
    ContainerName::parse(name).ok_or_else(|| one("name", Problem::NameCharacters))
}

fn check_environment(request: &CreateRequest) -> Result<Environment, Vec<Violation>> {
    if request.environment_text.len() > environment::TOTAL_MAXIMUM {
        return Err(one(
            "environment_text",
            Problem::TooLong { maximum: environment::TOTAL_MAXIMUM },
        ));
    }
    let from_text = environment::parse_text(&request.environment_text, "environment_text")?;
    let mut violations = environment::check(&from_text, "environment_text");
    violations.extend(environment::check(&request.environment, "environment"));
    violations.extend(environment::check(&request.secret_environment, "secret_environment"));
    let mut merged = from_text;
    merged.extend(request.environment.clone());
    for (key, value) in &request.secret_environment {
        let at = || format!("secret_environment[{}]", key.escape_default());
        if value == MASK {
            violations.push(Violation::new(at(), Problem::SecretNotKept));
        }
        if merged.insert(key.clone(), value.clone()).is_some() {
            violations.push(Violation::new(at(), Problem::EnvironmentDuplicate));
        }
    }
    let total: usize = merged.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    if total > environment::TOTAL_MAXIMUM && violations.is_empty() {
        violations.push(Violation::new(
            "environment",
            Problem::TooLong { maximum: environment::TOTAL_MAXIMUM },
        ));
    }
    if merged.len() > environment::COUNT_MAXIMUM {
        violations.push(Violation::new(
            "environment",
            Problem::TooMany { maximum: environment::COUNT_MAXIMUM },
        ));
    }
    if violations.is_empty() { Ok(merged) } else { Err(violations) }
}

fn check_guest_ports(request: &CreateRequest) -> Result<Vec<u16>, Vec<Violation>> {
    if request.guest_ports.is_empty() {
        let ports = guest_port::parse_text(&request.guest_ports_text, "guest_ports_text")?;
        guest_port::check(&ports, "guest_ports_text")
    } else {
        guest_port::check(&request.guest_ports, "guest_ports")
    }
}

fn check_runtime(runtime: Option<RuntimeKind>) -> Result<RuntimeKind, Vec<Violation>> {
    match runtime {
        Some(RuntimeKind::Docker) => Ok(RuntimeKind::Docker),
        // No blade speaks for a cluster yet; saying so beats a request that waits for ever.
        Some(RuntimeKind::Kubernetes) => Err(one("runtime", Problem::Unavailable)),
        None => Err(one("runtime", Problem::UnknownValue)),
    }
}

fn check_resources(request: &CreateRequest, limits: &Limits) -> Result<Resources, Vec<Violation>> {
    let mut bad = Vec::new();
    let cpu_millis = match request.cpu_millis {
        0 => limits.default_resources.cpu_millis,
        asked => asked,
    };
    if cpu_millis < MINIMUM_CPU_MILLIS {
        bad.push(Violation::new(
            "cpu_millis",
            Problem::TooSmall { minimum: MINIMUM_CPU_MILLIS.to_string() },
        ));
    } else if cpu_millis > limits.maximum_resources.cpu_millis {
        let maximum = limits.maximum_resources.cpu_millis.to_string();
        bad.push(Violation::new("cpu_millis", Problem::TooLarge { maximum }));
    }
    let memory_bytes = match request.memory_bytes {
        0 => limits.default_resources.memory_bytes,
        asked => asked,
    };
    if memory_bytes < MINIMUM_MEMORY {
        let minimum = format!("{} MiB", MINIMUM_MEMORY / MIB);
        bad.push(Violation::new("memory_bytes", Problem::TooSmall { minimum }));
    } else if memory_bytes > limits.maximum_resources.memory_bytes {
        let maximum = format!("{} MiB", limits.maximum_resources.memory_bytes / MIB);
        bad.push(Violation::new("memory_bytes", Problem::TooLarge { maximum }));
    }
    if bad.is_empty() { Ok(Resources { cpu_millis, memory_bytes }) } else { Err(bad) }
}

fn check_command(request: &CreateRequest) -> Result<Vec<String>, Vec<Violation>> {
    let (field, words) = if request.command.is_empty() {
        let words = environment::split_words(&request.command_text)
            .ok_or_else(|| one("command_text", Problem::UnbalancedQuote))?;
        ("command_text", words)
    } else {
        ("command", request.command.clone())
    };
    if words.len() > COMMAND_WORDS_MAXIMUM {
        return Err(one(field, Problem::TooMany { maximum: COMMAND_WORDS_MAXIMUM }));
    }
    if words.iter().map(|word| word.len() + 1).sum::<usize>() > COMMAND_BYTES_MAXIMUM {
        return Err(one(field, Problem::TooLong { maximum: COMMAND_BYTES_MAXIMUM }));
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err(one(field, Problem::ControlCharacter));
    }
    if words.first().is_some_and(String::is_empty) {
        return Err(one(field, Problem::Missing));
    }
    Ok(words)
}

fn check_labels(labels: &BTreeMap<String, String>) -> Vec<Violation> {
    if labels.len() > LABELS_MAXIMUM {
        return one("node_labels", Problem::TooMany { maximum: LABELS_MAXIMUM });
    }
    labels
        .iter()
        .filter(|(key, value)| !is_label(key) || key.is_empty() || !is_label(value))
        .map(|(key, _)| {
            Violation::new(
                format!("node_labels[{}]", key.escape_default()),
                Problem::LabelCharacters,
            )
        })
        .collect()
}

/// Labels of blades: what an administrator writes in a configuration file.
pub fn is_label(text: &str) -> bool {
    text.len() <= 63 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b))
}

fn check_request_id(text: &str) -> Result<Option<RequestId>, Vec<Violation>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| one("request_id", Problem::NotAUuid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::GIB;

    fn limits() -> Limits {
        Limits {
            default_resources: Resources::new(1000, GIB),
            maximum_resources: Resources::new(8000, 32 * GIB),
            maximum_gpus: 4,
            default_lease: Duration::from_secs(8 * 3600),
            maximum_lease: Duration::from_secs(14 * 24 * 3600),
            raw_ports: RawPorts::Default,
        }
    }

    fn request() -> CreateRequest {
        CreateRequest {
            name: "jupyter".into(),
            image: "python:3.13".into(),
            runtime: Some(RuntimeKind::Docker),
            run_as: Some(RunAs::Account),
            ..CreateRequest::default()
        }
    }

    fn fields(request: &CreateRequest) -> Vec<String> {
        check(request, &limits())
            .unwrap_err()
            .into_iter()
            .map(|violation| violation.field)
            .collect()
    }

    #[test]
    fn defaults_are_filled_in() {
        let new = check(&request(), &limits()).unwrap();
        assert_eq!(new.spec.resources, limits().default_resources);
        assert_eq!(new.lease, limits().default_lease);
    }

    #[test]
    fn a_site_says_who_gets_ports_of_the_blade() {
        let opt_in = Limits { raw_ports: RawPorts::OptIn, ..limits() };
        let asked =
            CreateRequest { guest_ports: vec![80, 81], published_ports: vec![81], ..request() };
        assert_eq!(check(&asked, &opt_in).unwrap().spec.published(), [81]);
        assert_eq!(check(&asked, &limits()).unwrap().spec.published(), [80, 81]);
        let forbidden = Limits { raw_ports: RawPorts::Forbidden, ..limits() };
        assert_eq!(check(&asked, &forbidden).unwrap_err()[0].field, "published_ports");
        let quiet = CreateRequest { published_ports: vec![], ..asked };
        let new = check(&quiet, &forbidden).unwrap();
        assert!(new.spec.published().is_empty());
        assert_eq!(new.spec.guest_ports, [80, 81]);
    }

    #[test]
    fn every_field_is_named() {
        let with = |change: fn(&mut CreateRequest)| {
            let mut request = request();
            change(&mut request);
            fields(&request)
        };
        assert_eq!(with(|r| r.name = String::new()), ["name"]);
        assert_eq!(with(|r| r.name = "x".repeat(300)), ["name"]);
        assert_eq!(with(|r| r.image = "../../containers".into()), ["image"]);
        assert_eq!(
            with(|r| r.environment = [("A B".into(), String::new())].into()),
            ["environment[A B]"]
        );
        assert_eq!(with(|r| r.environment_text = "A".into()), ["environment_text"]);
        assert_eq!(
            with(|r| r.guest_ports = vec![80, 0, 70000]),
            ["guest_ports[1]", "guest_ports[2]"]
        );
        assert_eq!(with(|r| r.guest_ports_text = "80 x".into()), ["guest_ports_text"]);
        assert_eq!(with(|r| r.gpus = u32::MAX), ["gpus"]);
        assert_eq!(with(|r| r.runtime = None), ["runtime"]);
        assert_eq!(with(|r| r.run_as = None), ["run_as"]);
        assert_eq!(with(|r| r.runtime = Some(RuntimeKind::Kubernetes)), ["runtime"]);
        assert_eq!(with(|r| r.cpu_millis = 1), ["cpu_millis"]);
        assert_eq!(with(|r| r.cpu_millis = u32::MAX), ["cpu_millis"]);
        assert_eq!(with(|r| r.memory_bytes = 1), ["memory_bytes"]);
        assert_eq!(with(|r| r.memory_bytes = u64::MAX), ["memory_bytes"]);
        assert_eq!(with(|r| r.lease_seconds = Some(-1)), ["lease"]);
        assert_eq!(with(|r| r.lease_seconds = Some(0)), ["lease"]);
        assert_eq!(with(|r| r.lease_seconds = Some(i64::MAX)), ["lease"]);
        assert_eq!(with(|r| r.command = vec!["a\0".into()]), ["command"]);
        assert_eq!(with(|r| r.command_text = "sh -c 'open".into()), ["command_text"]);
        assert_eq!(
            with(|r| r.node_labels = [("rack 1".into(), "x".into())].into()),
            ["node_labels[rack 1]"]
        );
        assert_eq!(with(|r| r.request_id = "again".into()), ["request_id"]);
        assert_eq!(
            fields(&CreateRequest {
                runtime: Some(RuntimeKind::Docker),
                run_as: Some(RunAs::Account),
                ..CreateRequest::default()
            }),
            ["name", "image"]
        );
    }
}
