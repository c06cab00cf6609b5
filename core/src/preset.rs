//! Sizes that an administrator has given names to.

use serde::{Deserialize, Serialize};

use crate::{
    container::RuntimeKind,
    create::{self, CreateRequest, Limits},
    definition::{Cpu, Lease, Memory},
    storage::RunAs,
    text::Language,
    violation::Violation,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    pub name: String,
    pub title: Title,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    #[serde(default)]
    pub gpus: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Title {
    pub en: String,
    pub ja: String,
}

impl Preset {
    pub fn title(&self, language: Language) -> &str {
        match language {
            Language::English => &self.title.en,
            Language::Japanese => &self.title.ja,
        }
    }

    /// Says what the request does not.
    pub fn fill(&self, request: &mut CreateRequest) {
        if request.image.is_empty()
            && let Some(image) = &self.image
        {
            request.image.clone_from(image);
        }
        if request.cpu_millis == 0 {
            request.cpu_millis = self.cpu.map_or(0, |cpu| cpu.0);
        }
        if request.memory_bytes == 0 {
            request.memory_bytes = self.memory.map_or(0, |memory| memory.0);
        }
        if request.gpus == 0 {
            request.gpus = self.gpus;
        }
        if request.lease_seconds.is_none() {
            let seconds = self.lease.map(|lease| lease.0.as_secs());
            request.lease_seconds = seconds.map(|s| i64::try_from(s).unwrap_or(i64::MAX));
        }
    }

    /// Whether what it says could be had at all.
    pub fn check(&self, limits: &Limits) -> Result<(), Vec<Violation>> {
        let mut request = CreateRequest {
            name: self.name.clone(),
            runtime: Some(RuntimeKind::Docker),
            run_as: Some(RunAs::Account),
            ..CreateRequest::default()
        };
        self.fill(&mut request);
        if self.image.is_none() {
            "image".clone_into(&mut request.image);
        }
        create::check(&request, limits).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        guest_port::RawPorts,
        resources::{GIB, Resources},
    };

    fn preset() -> Preset {
        Preset {
            name: "large".into(),
            title: Title { en: "Large".into(), ja: "大".into() },
            cpu: Some(Cpu(4000)),
            memory: Some(Memory(8 * GIB)),
            gpus: 1,
            image: Some("python:3.13".into()),
            lease: Some(Lease(Duration::from_secs(7200))),
        }
    }

    fn limits() -> Limits {
        Limits {
            default_resources: Resources::new(1000, GIB),
            maximum_resources: Resources::new(8000, 32 * GIB),
            maximum_gpus: 4,
            default_lease: Duration::from_secs(3600),
            maximum_lease: Duration::from_secs(24 * 3600),
            raw_ports: RawPorts::Default,
        }
    }

    #[test]
    fn what_the_request_says_wins() {
        let mut empty = CreateRequest::default();
        preset().fill(&mut empty);
        assert_eq!((empty.image.as_str(), empty.cpu_millis), ("python:3.13", 4000));
        assert_eq!((empty.memory_bytes, empty.gpus), (8 * GIB, 1));
        assert_eq!(empty.lease_seconds, Some(7200));
        let said = CreateRequest {
            image: "alpine".into(),
            cpu_millis: 1,
            memory_bytes: 2,
            gpus: 3,
            lease_seconds: Some(4),
            ..CreateRequest::default()
        };
        let mut filled = said.clone();
        preset().fill(&mut filled);
        assert_eq!((filled.image, filled.cpu_millis, filled.memory_bytes), ("alpine".into(), 1, 2));
        assert_eq!((filled.gpus, filled.lease_seconds), (3, Some(4)));
    }

    #[test]
    fn one_that_nobody_could_have_is_found() {
        assert_eq!(preset().check(&limits()), Ok(()));
        let without_image = Preset { image: None, ..preset() };
        assert_eq!(without_image.check(&limits()), Ok(()));
        for (wrong, field) in [
            (Preset { cpu: Some(Cpu(9000)), ..preset() }, "cpu_millis"),
            (Preset { memory: Some(Memory(64 * GIB)), ..preset() }, "memory_bytes"),
            (Preset { gpus: 5, ..preset() }, "gpus"),
            (Preset { image: Some("No".into()), ..preset() }, "image"),
            (Preset { name: "a b".into(), ..preset() }, "name"),
            (Preset { lease: Some(Lease(Duration::from_secs(1))), ..preset() }, "lease"),
        ] {
            assert_eq!(wrong.check(&limits()).unwrap_err()[0].field, field);
        }
    }
}
