//! The form as it is typed.

use std::collections::BTreeMap;

use berth_core::{
    container::RuntimeKind,
    create::{CreateRequest, NewContainer},
    environment,
    resources::GIB,
    storage::RunAs,
    violation::{Problem, Violation},
};
use berth_proto::v1::{Container, CreateContainerRequest, Runtime, Site};
use leptos::prelude::*;

use crate::state::session;

#[derive(Clone, Copy)]
pub(super) struct Draft {
    pub(super) image: RwSignal<String>,
    pub(super) name: RwSignal<String>,
    /// Typed by the person: no longer suggested.
    pub(super) name_typed: RwSignal<bool>,
    pub(super) size: RwSignal<Size>,
    pub(super) cores: RwSignal<String>,
    pub(super) memory_gib: RwSignal<String>,
    pub(super) gpus: RwSignal<u32>,
    /// Seconds.
    pub(super) lease: RwSignal<i64>,
    pub(super) environment: RwSignal<Vec<Variable>>,
    pub(super) ports: RwSignal<String>,
    pub(super) command: RwSignal<String>,
    pub(super) labels: RwSignal<String>,
    pub(super) tty: RwSignal<bool>,
    pub(super) stdin: RwSignal<bool>,
}

/// Times the site's usual size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Times(u32),
    Own,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Variable {
    pub(super) number: usize,
    pub(super) key: RwSignal<String>,
    pub(super) value: RwSignal<String>,
}

impl Draft {
    pub(super) fn new() -> Self {
        let lease = session::person_untracked()
            .and_then(|person| person.site.default_lease)
            .map_or(0, |duration| duration.seconds);
        Self {
            image: RwSignal::default(),
            name: RwSignal::default(),
            name_typed: RwSignal::default(),
            size: RwSignal::new(Size::Times(1)),
            cores: RwSignal::new("1".to_owned()),
            memory_gib: RwSignal::new("2".to_owned()),
            gpus: RwSignal::default(),
            lease: RwSignal::new(lease),
            environment: RwSignal::default(),
            ports: RwSignal::default(),
            command: RwSignal::default(),
            labels: RwSignal::default(),
            tty: RwSignal::default(),
            stdin: RwSignal::default(),
        }
    }

    /// Another one like `container`, under a name of its own.
    pub(super) fn fill(&self, container: &Container) {
        self.image.set(container.image.clone());
        self.size.set(Size::Own);
        self.cores.set(berth_core::text::cores(container.cpu_millis));
        self.memory_gib.set(gib_text(container.memory_bytes));
        self.gpus.set(container.gpus);
        let ports: Vec<String> = container.guest_ports.iter().map(u32::to_string).collect();
        self.ports.set(ports.join(" "));
        self.command.set(join_words(&container.command));
        self.tty.set(container.tty);
        self.stdin.set(container.stdin);
        let words: Vec<String> =
            container.node_labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.labels.set(words.join(" "));
        for (key, value) in &container.environment {
            self.add_variable(key, value);
        }
    }

    pub(super) fn add_variable(&self, key: &str, value: &str) {
        self.environment.update(|variables| {
            let number = variables.last().map_or(0, |last| last.number + 1);
            let (key, value) = (RwSignal::new(key.to_owned()), RwSignal::new(value.to_owned()));
            variables.push(Variable { number, key, value });
        });
    }

    /// The request, and what cannot even be said in one.
    pub(super) fn request(&self, site: &Site) -> (CreateRequest, Vec<Violation>) {
        let mut bad = Vec::new();
        let (cpu_millis, memory_bytes) = match self.size.get() {
            Size::Times(times) => size(site, times),
            Size::Own => {
                let mut number = |field: &str, text: String, unit: u64| {
                    parse_amount(&text, unit).unwrap_or_else(|| {
                        bad.push(Violation::new(field, Problem::NotANumber));
                        0
                    })
                };
                let millis = number("cpu_millis", self.cores.get(), 1000);
                let bytes = number("memory_bytes", self.memory_gib.get(), GIB);
                (u32::try_from(millis).unwrap_or(u32::MAX), bytes)
            }
        };
        let mut variables = BTreeMap::new();
        for variable in self.environment.get() {
            let (key, value) = (variable.key.get(), variable.value.get());
            if key.is_empty() && value.is_empty() {
                continue;
            }
            if variables.insert(key.clone(), value).is_some() {
                let field = format!("environment[{}]", key.escape_default());
                bad.push(Violation::new(field, Problem::EnvironmentDuplicate));
            }
        }
        let node_labels = environment::parse_text(&self.labels.get(), "node_labels")
            .map_err(|violations| bad.extend(violations))
            .unwrap_or_default();
        let request = CreateRequest {
            name: self.name.get(),
            image: self.image.with(|image| image.trim().to_owned()),
            environment: variables,
            guest_ports_text: self.ports.get(),
            gpus: self.gpus.get(),
            runtime: Some(RuntimeKind::Docker),
            cpu_millis,
            memory_bytes,
            lease_seconds: Some(self.lease.get()),
            command_text: self.command.get(),
            tty: self.tty.get(),
            stdin: self.stdin.get(),
            node_labels,
            run_as: Some(RunAs::default()),
            // What the form does not ask.
            ..CreateRequest::default()
        };
        (request, bad)
    }
}

/// What is sent: the checked form, so that the controller sees what the person was shown.
pub(super) fn wire(new: NewContainer) -> CreateContainerRequest {
    // Volumes are not asked for here, and a request has its id when it is sent.
    let NewContainer { name, spec, lease, request_id: _, volumes: _ } = new;
    CreateContainerRequest {
        name: name.to_string(),
        image: spec.image.to_string(),
        environment: spec.environment,
        guest_ports: spec.guest_ports.into_iter().map(u32::from).collect(),
        gpus: spec.gpus,
        runtime: Runtime::Docker.into(),
        cpu_millis: spec.resources.cpu_millis,
        memory_bytes: spec.resources.memory_bytes,
        lease: Some(prost_types::Duration {
            seconds: i64::try_from(lease.as_secs()).unwrap_or(i64::MAX),
            nanos: 0,
        }),
        command: spec.command,
        tty: spec.tty,
        stdin: spec.stdin,
        node_labels: spec.node_labels,
        ..CreateContainerRequest::default()
    }
}

/// `times` the usual size, as far as the site allows.
pub(super) fn size(site: &Site, times: u32) -> (u32, u64) {
    (
        site.default_cpu_millis.saturating_mul(times).min(site.maximum_cpu_millis),
        site.default_memory_bytes.saturating_mul(times.into()).min(site.maximum_memory_bytes),
    )
}

/// "1.5" of a unit. `None` for what is no amount. Without floats: they would not be exact, and weigh twenty kilobytes here.
fn parse_amount(text: &str, unit: u64) -> Option<u64> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
    let scale = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let part = u128::from(number(fraction)?) * u128::from(unit) / u128::from(scale);
    number(whole)?.checked_mul(unit)?.checked_add(u64::try_from(part).ok()?)
}

fn gib_text(bytes: u64) -> String {
    let thousandths = bytes % GIB * 1000 / GIB;
    let text = format!("{}.{thousandths:03}", bytes / GIB);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// One line that splits into the same words again.
fn join_words(words: &[String]) -> String {
    let quoted = |word: &String| {
        let plain = !word.is_empty()
            && word.chars().all(|c| c.is_alphanumeric() || "-_./:=,+@%".contains(c));
        if plain { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        assert_eq!(parse_amount("1.5", 1000), Some(1500));
        assert_eq!(parse_amount(" 2 ", 1000), Some(2000));
        assert_eq!(parse_amount(".25", GIB), Some(GIB / 4));
        for bad in ["", ".", "-1", "+1", "x", "NaN", "1e3", "1.2.3", "9999999999"] {
            assert_eq!(parse_amount(bad, 1000), None, "{bad}");
        }
        assert_eq!(gib_text(GIB / 2), "0.5");
        assert_eq!(gib_text(8 * GIB), "8");
    }

    #[test]
    fn a_command_survives_the_form() {
        let words = ["sh", "-c", "echo 'it is' \"$HOME\" # x", ""].map(str::to_owned);
        let line = join_words(&words);
        assert_eq!(environment::split_words(&line), Some(words.to_vec()));
    }

    #[test]
    fn sizes_stay_within_the_site() {
        let site = Site {
            default_cpu_millis: 1000,
            maximum_cpu_millis: 3000,
            default_memory_bytes: GIB,
            maximum_memory_bytes: 8 * GIB,
            ..Site::default()
        };
        assert_eq!(size(&site, 2), (2000, 2 * GIB));
        assert_eq!(size(&site, 4), (3000, 4 * GIB));
    }
}
