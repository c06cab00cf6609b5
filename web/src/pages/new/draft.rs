//! The form as it is typed.

use std::collections::{BTreeMap, BTreeSet};

use berth_core::{
    container::RuntimeKind,
    create::{CreateRequest, NewContainer},
    definition::MASK,
    environment, guest_port,
    resources::GIB,
    storage::RunAs,
    violation::{Problem, Violation},
    volume::{Access, RequestedMount},
};
use berth_proto::v1::{self, Container, CreateContainerRequest, Runtime, Site, VolumeMount};
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
    pub(super) run_as: RwSignal<RunAs>,
    pub(super) volumes: RwSignal<Vec<Mounted>>,
    /// Guest ports that are to have a port of the blade, where the site asks; others may stand here too.
    pub(super) published: RwSignal<BTreeSet<u32>>,
    /// Only defined.
    pub(super) stopped: RwSignal<bool>,
    /// The container that has the values of secrets that are shown as a mask.
    pub(super) secrets_from: RwSignal<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// Times the site's usual size.
    Times(u32),
    /// The number of one of the site's presets.
    Preset(usize),
    Own,
}

/// A volume, and where it is inside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mounted {
    pub(super) number: usize,
    pub(super) name: RwSignal<String>,
    pub(super) path: RwSignal<String>,
    pub(super) read_only: RwSignal<bool>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Variable {
    pub(super) number: usize,
    pub(super) key: RwSignal<String>,
    pub(super) value: RwSignal<String>,
    pub(super) secret: RwSignal<bool>,
}

impl Variable {
    /// The value is one that nobody is shown, and stays.
    fn is_kept(&self) -> bool {
        self.secret.get() && self.value.with(|value| value == MASK)
    }
}

impl Draft {
    pub(super) fn new() -> Self {
        let site =
            session::person_untracked().map(|person| person.site.clone()).unwrap_or_default();
        let lease = site.default_lease.map_or(0, |duration| duration.seconds);
        let draft = Self {
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
            run_as: RwSignal::default(),
            volumes: RwSignal::default(),
            published: RwSignal::default(),
            stopped: RwSignal::default(),
            secrets_from: RwSignal::default(),
        };
        if !site.presets.is_empty() {
            draft.choose(&site, Size::Preset(0));
        }
        draft
    }

    /// A preset fills in what it says beside CPU and memory.
    pub(super) fn choose(&self, site: &Site, size: Size) {
        self.size.set(size);
        let Size::Preset(number) = size else { return };
        let Some(preset) = site.presets.get(number) else { return };
        self.gpus.set(preset.gpus);
        if !preset.image.is_empty() {
            self.image.set(preset.image.clone());
        }
        if let Some(lease) = preset.lease.or(site.default_lease) {
            self.lease.set(lease.seconds);
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
        for (key, value) in &container.secret_environment {
            self.add_variable(key, value).secret.set(true);
        }
        if let Some(lease) = container.lease {
            self.lease.set(lease.seconds);
        }
        self.secrets_from.set(container.name.clone());
        self.published.set(container.published_ports.iter().copied().collect());
        self.run_as.set(match container.run_as() {
            v1::RunAs::Image => RunAs::Image,
            v1::RunAs::Account | v1::RunAs::Unspecified => RunAs::Account,
        });
        for mount in &container.volumes {
            self.add_volume(mount);
        }
    }

    pub(super) fn add_variable(&self, key: &str, value: &str) -> Variable {
        let number =
            self.environment.with_untracked(|all| all.last().map_or(0, |last| last.number + 1));
        let (key, value) = (RwSignal::new(key.to_owned()), RwSignal::new(value.to_owned()));
        let variable = Variable { number, key, value, secret: RwSignal::new(false) };
        self.environment.update(|all| all.push(variable));
        variable
    }

    pub(super) fn add_volume(&self, mount: &VolumeMount) {
        let number =
            self.volumes.with_untracked(|all| all.last().map_or(0, |last| last.number + 1));
        let mounted = Mounted {
            number,
            name: RwSignal::new(mount.name.clone()),
            path: RwSignal::new(mount.path.clone()),
            read_only: RwSignal::new(mount.read_only),
        };
        self.volumes.update(|all| all.push(mounted));
    }

    /// As far as they are numbers.
    pub(super) fn guest_ports(&self) -> Vec<u32> {
        self.ports.with(|text| guest_port::parse_text(text, "guest_ports")).unwrap_or_default()
    }

    /// The request, and what cannot even be said in one.
    pub(super) fn request(&self, site: &Site) -> (CreateRequest, Vec<Violation>) {
        let mut bad = Vec::new();
        let (cpu_millis, memory_bytes) = match self.size.get() {
            Size::Times(times) => size(site, times),
            Size::Preset(number) => {
                site.presets.get(number).map_or((0, 0), |preset| preset_size(site, preset))
            }
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
        let (mut variables, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        for variable in self.environment.get() {
            let (key, value) = (variable.key.get(), variable.value.get());
            if key.is_empty() && value.is_empty() {
                continue;
            }
            // Nobody here knows a value that is kept.
            let value = if variable.is_kept() { String::new() } else { value };
            let (these, others) = match variable.secret.get() {
                true => (&mut secrets, &variables),
                false => (&mut variables, &secrets),
            };
            if these.insert(key.clone(), value).is_some() || others.contains_key(&key) {
                let field = format!("environment[{}]", key.escape_default());
                bad.push(Violation::new(field, Problem::EnvironmentDuplicate));
            }
        }
        let node_labels = environment::parse_text(&self.labels.get(), "node_labels")
            .map_err(|violations| bad.extend(violations))
            .unwrap_or_default();
        let guest_ports = self.guest_ports();
        let published = self
            .published
            .with(|all| all.iter().copied().filter(|p| guest_ports.contains(p)).collect());
        let request = CreateRequest {
            name: self.name.get(),
            image: self.image.with(|image| image.trim().to_owned()),
            environment: variables,
            secret_environment: secrets,
            published_ports: published,
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
            run_as: Some(self.run_as.get()),
            volumes: self.mounts(),
            // What is typed as text has no list, and a request has its id when it is sent.
            ..CreateRequest::default()
        };
        (request, bad)
    }

    fn mounts(&self) -> Vec<RequestedMount> {
        let mount = |mounted: Mounted| RequestedMount {
            name: mounted.name.get(),
            path: mounted.path.with(|path| path.trim().to_owned()),
            read_only: mounted.read_only.get(),
        };
        self.volumes.get().into_iter().map(mount).collect()
    }

    /// What is sent and not checked here: that it only is defined, and which secrets stay as they are.
    pub(super) fn complete(&self, request: &mut CreateContainerRequest) {
        request.stopped = self.stopped.get_untracked();
        untrack(|| {
            for variable in self.environment.get().iter().filter(|variable| variable.is_kept()) {
                request.secret_environment.insert(variable.key.get(), MASK.to_owned());
                request.secrets_from = self.secrets_from.get();
            }
        });
    }
}

/// What is sent: the checked form, so that the controller sees what the person was shown.
pub(super) fn wire(new: NewContainer) -> CreateContainerRequest {
    // A request has its id when it is sent.
    let NewContainer { name, spec, lease, request_id: _, volumes } = new;
    let published_ports = spec.published().into_iter().map(u32::from).collect();
    let (secret_environment, environment) =
        spec.environment.into_iter().partition(|(key, _)| spec.secrets.contains(key));
    let run_as = match spec.run_as {
        RunAs::Account => v1::RunAs::Account,
        RunAs::Image => v1::RunAs::Image,
    };
    CreateContainerRequest {
        name: name.to_string(),
        image: spec.image.to_string(),
        environment,
        secret_environment,
        guest_ports: spec.guest_ports.into_iter().map(u32::from).collect(),
        published_ports,
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
        run_as: run_as.into(),
        volumes: volumes
            .into_iter()
            .map(|mount| VolumeMount {
                name: mount.name.to_string(),
                path: mount.path,
                read_only: mount.access == Access::ReadOnly,
            })
            .collect(),
        ..CreateContainerRequest::default()
    }
}

pub(super) fn preset_size(site: &Site, preset: &v1::Preset) -> (u32, u64) {
    let (cpu, memory) = size(site, 1);
    let cpu = if preset.cpu_millis == 0 { cpu } else { preset.cpu_millis };
    let memory = if preset.memory_bytes == 0 { memory } else { preset.memory_bytes };
    (cpu, memory)
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

    #[test]
    fn a_preset_leaves_to_the_site_what_it_does_not_say() {
        let site = Site { default_cpu_millis: 500, default_memory_bytes: GIB, ..Site::default() };
        let site = Site { maximum_cpu_millis: 4000, maximum_memory_bytes: 8 * GIB, ..site };
        let preset = v1::Preset { cpu_millis: 2000, ..v1::Preset::default() };
        assert_eq!(preset_size(&site, &preset), (2000, GIB));
        assert_eq!(preset_size(&site, &v1::Preset::default()), (500, GIB));
    }
}
