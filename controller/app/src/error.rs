//! What can go wrong for a caller. One enum for all use cases; `berth-api` alone turns it into a gRPC status.

use std::{collections::BTreeSet, time::Duration};

use berth_core::{
    definition::change::Field, explanation::Rejection, files::FileFault, violation::Violation,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{} fields are wrong", violations.len())]
    InvalidArgument { violations: Vec<Violation> },
    #[error("{kind} {name:?} does not exist")]
    NotFound { kind: Kind, name: String },
    #[error("{kind} {name:?} exists already")]
    AlreadyExists { kind: Kind, name: String },
    #[error("nobody is signed in")]
    Unauthenticated,
    #[error("account or password is wrong")]
    SignInRefused,
    #[error("too many attempts")]
    TooManyAttempts { retry_after: Duration },
    #[error("not permitted")]
    PermissionDenied,
    #[error("{subject:?}: {limit} is the limit")]
    QuotaExceeded { subject: Quota, limit: u64 },
    #[error("{0:?}")]
    FailedPrecondition(Precondition),
    /// The container would have to be made anew for these, and the request does not allow that.
    #[error("{fields:?} need a re-creation")]
    NeedsRecreation { fields: BTreeSet<Field> },
    /// What the container's own blade has against it.
    #[error("its blade cannot: {0:?}")]
    DoesNotFit(Vec<Rejection>),
    /// Of a file, or an entry of an archive.
    #[error("{fault:?}: {subject}")]
    File { fault: FileFault, subject: String },
    #[error("try again")]
    Unavailable { retry_after: Duration },
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Container,
    Volume,
    Node,
    User,
    Terminal,
    ShareLink,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Container => "container",
            Kind::Volume => "volume",
            Kind::Node => "node",
            Kind::User => "user",
            Kind::Terminal => "terminal",
            Kind::ShareLink => "share link",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    ContainersPerPerson,
    VolumesPerPerson,
    TerminalsPerContainer,
    LinksPerContainer,
}

/// States of things that forbid what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// It is being deleted.
    BeingDeleted,
    /// Its lease has ended: extend it first.
    LeaseEnded,
    /// The blade has containers; `force` forgets them with it.
    NodeHasContainers,
    /// It is not running.
    NotRunning,
    /// Its image has no such program, or no shell.
    NoSuchCommand,
    /// No program of it listens on that port.
    NothingListens,
    /// A container has it.
    VolumeInUse,
    /// Its home, one of its volumes, or what it wrote itself is larger than allowed.
    OverQuota,
    /// No blade keeps homes.
    NoHomes,
    /// Its blade's agent does not know how.
    AgentTooOld,
    /// The site has no https names for containers, or no links to them.
    NoShareLinks,
}

impl Error {
    pub fn not_found(kind: Kind, name: impl Into<String>) -> Self {
        Error::NotFound { kind, name: name.into() }
    }

    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Internal(source.into())
    }
}
