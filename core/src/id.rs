//! Typed ids. All are UUIDs; version 7 for those the controller makes, so that they sort by age.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// When it was made, of an id of version 7.
            pub fn made_at(self) -> Option<Timestamp> {
                let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
                let millis = i64::try_from(seconds).ok()?.checked_mul(1000)?;
                Some(Timestamp(millis + i64::from(nanos / 1_000_000)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Takes the 36-character form alone: one thing has one spelling.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                match Uuid::try_parse(text) {
                    Ok(uuid) if text.len() == 36 && !text.bytes().any(|b| b.is_ascii_uppercase()) => {
                        Ok(Self(uuid))
                    }
                    _ => Err(InvalidId),
                }
            }
        }
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: a lower-case UUID is wanted")]
pub struct InvalidId;

typed_id!(
    /// A container on loan. Also the identity of its lease: one container is lent once.
    ContainerId
);
typed_id!(
    /// A blade, or later a Kubernetes cluster.
    NodeId
);
typed_id!(
    /// A person, whatever their account is called.
    UserId
);
typed_id!(
    /// A signed-in browser or program.
    SessionId
);
typed_id!(
    /// One installation of Berth. Written on every engine object, so that two installations can share a blade.
    ClusterId
);
typed_id!(
    /// Changes when a database was restored; tells "an old message" from "the past came back".
    Epoch
);
typed_id!(
    /// Chosen by a caller to make a creation idempotent.
    RequestId
);
typed_id!(
    /// A link that opens one port of a container.
    ShareLinkId
);

typed_id!(
    /// A directory of homes or of volumes.
    StoreId
);
typed_id!(
    /// A named volume.
    VolumeId
);

/// Where new ids come from; deterministic in tests and in the simulation.
pub trait IdSource: Send + Sync + 'static {
    fn next(&self) -> Uuid;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_only() {
        let text = "0190a5c2-7a5b-7c3d-8e4f-123456789abc";
        assert_eq!(text.parse::<ContainerId>().unwrap().to_string(), text);
        for bad in [
            "",
            "0190A5C2-7A5B-7C3D-8E4F-123456789ABC",
            "0190a5c27a5b7c3d8e4f123456789abc",
            "{0190a5c2-7a5b-7c3d-8e4f-123456789abc}",
            "../0190a5c2-7a5b-7c3d-8e4f-123456789",
        ] {
            assert_eq!(bad.parse::<ContainerId>(), Err(InvalidId), "{bad}");
        }
    }
}
