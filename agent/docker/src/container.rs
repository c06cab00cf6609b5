//! The engine's containers as the reconciler sees them.

use std::collections::HashMap;

use berth_core::clock::Timestamp;
use berth_reconcile::runtime::{EngineContainer, EngineId, EngineState};
use bollard::models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::names::{Facts, Identity, ImageId};

/// What an inspection says, if the container is ours. The image's digest is looked up apart.
pub(crate) struct Inspected {
    pub(crate) id: EngineId,
    pub(crate) facts: Facts,
    pub(crate) state: EngineState,
    pub(crate) image: Option<ImageId>,
}

impl Inspected {
    /// `None`: not ours, or not to be understood.
    pub(crate) fn read(identity: &Identity, answer: &ContainerInspectResponse) -> Option<Self> {
        let labels = answer.config.as_ref()?.labels.as_ref()?;
        Some(Self {
            id: EngineId::parse(answer.id.as_deref()?)?,
            facts: identity.facts(labels)?,
            state: state(answer.state.as_ref()?),
            image: answer.image.as_deref().and_then(ImageId::parse),
        })
    }

    pub(crate) fn with_digest(self, image_digest: Option<String>) -> EngineContainer {
        EngineContainer {
            id: self.id,
            container: self.facts.container,
            incarnation: self.facts.incarnation,
            user: self.facts.user,
            spec_digest: self.facts.spec_digest,
            created_nonce: self.facts.nonce,
            state: self.state,
            image_digest,
        }
    }
}

fn state(state: &ContainerState) -> EngineState {
    let started_at = timestamp(state.started_at.as_deref());
    let exited = || match started_at {
        // A start that failed leaves an exit code, but nothing ever ran.
        None => EngineState::Created,
        Some(started_at) => EngineState::Exited {
            started_at,
            finished_at: timestamp(state.finished_at.as_deref()).unwrap_or(started_at),
            exit_code: state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(-1),
            out_of_memory: state.oom_killed.unwrap_or(false),
        },
    };
    match state.status.unwrap_or(ContainerStateStatusEnum::EMPTY) {
        ContainerStateStatusEnum::CREATED => EngineState::Created,
        ContainerStateStatusEnum::RUNNING
        | ContainerStateStatusEnum::PAUSED
        | ContainerStateStatusEnum::RESTARTING
        | ContainerStateStatusEnum::STOPPING => {
            EngineState::Running { started_at: started_at.unwrap_or_default() }
        }
        ContainerStateStatusEnum::REMOVING | ContainerStateStatusEnum::DEAD => {
            EngineState::Removing
        }
        ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::EMPTY => exited(),
    }
}

/// The engine writes RFC 3339, and the year 1 for "never".
pub(crate) fn timestamp(text: Option<&str>) -> Option<Timestamp> {
    let time = OffsetDateTime::parse(text?, &Rfc3339).ok()?;
    let millis = i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok()?;
    (millis > 0).then_some(Timestamp(millis))
}

/// Of the names under which a registry knows the image, the digest; an image that was never in one has its id alone.
pub(crate) fn digest_of(image: &ImageId, repo_digests: &[String]) -> String {
    repo_digests
        .iter()
        .find_map(|name| Some(name.split_once('@')?.1.to_owned()))
        .unwrap_or_else(|| image.as_str().to_owned())
}

/// Whether a container that has the name of `expected` is the one: ours and made for the same order.
pub(crate) fn is_same(
    identity: &Identity,
    expected: &HashMap<String, String>,
    found: &Inspected,
) -> bool {
    let Some(expected) = identity.facts(expected) else { return false };
    // The nonce may differ: it says which restart made it, not what it is.
    (expected.container, expected.incarnation, expected.user, &expected.spec_digest)
        == (
            found.facts.container,
            found.facts.incarnation,
            found.facts.user,
            &found.facts.spec_digest,
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: ContainerStateStatusEnum, started: &str, finished: &str) -> EngineState {
        state(&ContainerState {
            status: Some(status),
            started_at: Some(started.to_owned()),
            finished_at: Some(finished.to_owned()),
            exit_code: Some(137),
            oom_killed: Some(true),
            ..ContainerState::default()
        })
    }

    const NEVER: &str = "0001-01-01T00:00:00Z";
    const ONE: &str = "1970-01-01T00:00:01.000999999Z";
    const TWO: &str = "1970-01-01T00:00:02Z";

    #[test]
    fn states() {
        use ContainerStateStatusEnum::{CREATED, DEAD, EXITED, PAUSED, RUNNING};
        assert_eq!(of(CREATED, NEVER, NEVER), EngineState::Created);
        assert_eq!(of(EXITED, NEVER, NEVER), EngineState::Created);
        let running = EngineState::Running { started_at: Timestamp(1000) };
        assert_eq!(of(RUNNING, ONE, NEVER), running);
        assert_eq!(of(PAUSED, ONE, NEVER), running);
        assert_eq!(of(DEAD, ONE, TWO), EngineState::Removing);
        assert_eq!(
            of(EXITED, ONE, TWO),
            EngineState::Exited {
                started_at: Timestamp(1000),
                finished_at: Timestamp(2000),
                exit_code: 137,
                out_of_memory: true
            }
        );
    }

    #[test]
    fn times_with_any_offset() {
        let of = |text| timestamp(Some(text));
        assert_eq!(of("1970-01-01T09:00:01.5+09:00"), Some(Timestamp(1500)));
        assert_eq!(of(NEVER), None);
        assert_eq!(of("yesterday"), None);
    }

    #[test]
    fn digests() {
        let image = ImageId::parse(&format!("sha256:{}", "a".repeat(64))).unwrap();
        assert_eq!(digest_of(&image, &[]), image.as_str());
        assert_eq!(digest_of(&image, &["busybox@sha256:b".to_owned()]), "sha256:b");
    }
}
