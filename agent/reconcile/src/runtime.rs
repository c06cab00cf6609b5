//! All that the agent knows about containers' engines. Implemented over bollard in `berth-docker`, and by a fake with
//! fault injection for crash schedules and simulation.

use std::{collections::BTreeSet, fmt, time::Duration};

use async_trait::async_trait;
use berth_core::{
    clock::Timestamp,
    desired::EngineSpec,
    fault::{Fault, FaultKind},
    id::{ContainerId, UserId},
    image::ImageRef,
    observed::PullProgress,
};
use futures::stream::BoxStream;
use tokio::sync::watch;

/// The engine's own id of a container: 64 hex digits and nothing else. It becomes a path on the engine's socket, so no
/// text from outside may ever get there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineId(String);

impl EngineId {
    pub fn parse(text: &str) -> Option<Self> {
        let ok = text.len() == 64
            && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        ok.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EngineId({})", &self.0[..12])
    }
}

/// A container of the engine that is ours by its labels: this cluster's, this node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineContainer {
    pub id: EngineId,
    // Facts from labels, which never change after creation.
    pub container: ContainerId,
    pub incarnation: u32,
    pub user: UserId,
    pub spec_digest: String,
    /// The restart_nonce of the order that it was made by.
    pub created_nonce: u64,
    pub state: EngineState,
    pub image_digest: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineState {
    /// Made, never started.
    Created,
    Running {
        started_at: Timestamp,
    },
    Exited {
        started_at: Timestamp,
        finished_at: Timestamp,
        exit_code: i32,
        out_of_memory: bool,
    },
    /// The engine is taking it away, or failed to.
    Removing,
}

/// Everything `create` needs; what is not here is the same for every container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateOrder {
    pub container: ContainerId,
    pub incarnation: u32,
    pub restart_nonce: u64,
    pub spec: EngineSpec,
}

/// A hint that something happened to one of ours. Hints may be lost; the periodic list is the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Changed(EngineId),
    /// The stream broke or began anew: list everything.
    Resync,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The engine does not have the image: pull it, then try again.
    #[error("the image is not here")]
    ImageMissing,
    /// The user's network does not exist: make it, then try again.
    #[error("the network is not here")]
    NetworkMissing,
    /// The engine does not know this container any more: list, then plan again.
    #[error("no such container")]
    NoSuchContainer,
    /// The engine does not answer.
    #[error("the engine does not answer: {0}")]
    Unavailable(String),
    #[error("{}: {}", kind_name(*kind), detail)]
    Fault { kind: FaultKind, detail: String },
}

impl Error {
    pub fn fault(kind: FaultKind, detail: impl Into<String>) -> Self {
        Error::Fault { kind, detail: detail.into() }
    }

    /// As it is shown and reported.
    pub fn to_fault(&self) -> Fault {
        match self {
            Error::Fault { kind, detail } => Fault::new(*kind, detail.clone()),
            Error::ImageMissing => Fault::new(FaultKind::ImageNotFound, self.to_string()),
            Error::NetworkMissing => Fault::new(FaultKind::Network, self.to_string()),
            Error::NoSuchContainer | Error::Unavailable(_) => {
                Fault::new(FaultKind::Engine, self.to_string())
            }
        }
    }
}

fn kind_name(kind: FaultKind) -> String {
    format!("{kind:?}")
}

/// The engine. Every call may fail, may take long, and may have had its effect even if its answer was lost: callers
/// re-read and plan again.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Since when the engine has run without a break: what was started earlier and does not run any more was ended by the
    /// engine's own stop.
    async fn up_since(&self) -> Result<Timestamp, Error>;

    /// Everything ours, running or not.
    async fn list(&self) -> Result<Vec<EngineContainer>, Error>;

    /// One of ours; `None` when it is gone.
    async fn inspect(&self, id: &EngineId) -> Result<Option<EngineContainer>, Error>;

    /// Makes it under a name derived from container and incarnation. If that name exists already with our labels and the
    /// same spec, answers with that one; with anything else, `ForeignContainer`.
    async fn create(&self, order: &CreateOrder) -> Result<EngineId, Error>;

    /// Starts it; done already is success. Never starts anything while the firewall's rules are missing.
    async fn start(&self, id: &EngineId) -> Result<(), Error>;

    /// Asks the program to end, kills it after `grace`; done already is success.
    async fn stop(&self, id: &EngineId, grace: Duration) -> Result<(), Error>;

    /// Kills and removes it with its anonymous volumes; gone already is success.
    async fn remove(&self, id: &EngineId) -> Result<(), Error>;

    /// Fetches the image, telling how far it is.
    async fn pull(
        &self,
        image: &ImageRef,
        progress: &watch::Sender<Option<PullProgress>>,
    ) -> Result<(), Error>;

    /// Users who have a network here that is ours.
    async fn networks(&self) -> Result<BTreeSet<UserId>, Error>;

    /// Makes the user's network; there already is success.
    async fn create_network(&self, user: UserId) -> Result<(), Error>;

    /// Removes the user's network; gone already is success.
    async fn remove_network(&self, user: UserId) -> Result<(), Error>;

    /// Hints, for ever: reconnects by itself and says `Resync` then.
    fn events(&self) -> BoxStream<'static, Event>;
}
