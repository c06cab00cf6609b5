//! The public gRPC services, for native callers and for browsers (gRPC-web) on the same paths.
//!
//! Nothing is decided here: a service turns a message into a command, and the committed state into a message. Who may call
//! is one table (`berth_app::authz`), applied by one guard before any service; what went wrong is one mapping ([`status`]).

mod apps;
mod auth;
mod caller;
mod container;
mod definition;
mod exec;
mod files;
mod forward;
mod guard;
mod logs;
mod node;
mod origin;
mod page;
mod permit;
mod serve;
pub mod status;
mod terminal_socket;
mod text;
mod token;
mod usage;
mod volumes;
mod watch;

use std::sync::Arc;

use berth_app::{
    containers::Rules,
    figures::Figures,
    ports::{History, Relays},
    sign_in::SignIn,
    writer::{Committed, Handle},
};
use berth_core::{clock::Clock, create::Limits, id::IdSource, preset::Preset};
use tokio::sync::watch::Receiver;

pub use apps::Apps;
pub use serve::{is_grpc, router};
pub use token::COOKIE;

/// What the services are made from.
pub struct Parts {
    pub writer: Handle,
    pub relays: Arc<dyn Relays>,
    pub sign_in: SignIn,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdSource>,
    pub site: Site,
    /// What is used now and was in the last hour, and what is older.
    pub figures: Figures,
    pub history: Arc<dyn History>,
    pub limits: Limits,
    pub rules: Rules,
    pub join: Join,
    /// Where containers' ports have https names, if they have.
    pub apps: Option<Apps>,
    /// Tells this process's watch tokens from those of the one before it.
    pub life: u64,
    /// Becomes true when streams are to end.
    pub stopping: Receiver<bool>,
}

/// What callers are told of the site.
#[derive(Debug, Clone)]
pub struct Site {
    pub name: String,
    /// May be empty.
    pub starter_image: String,
    pub presets: Vec<Preset>,
    pub version: String,
}

/// What a join string says of this controller.
#[derive(Debug, Clone)]
pub struct Join {
    /// host:port where agents reach it.
    pub agents_address: String,
    pub ca_sha256: [u8; 32],
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    parts: Parts,
    attachments: exec::Attachments,
}

impl std::ops::Deref for Inner {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Api {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, attachments: exec::Attachments::default() }))
    }

    fn committed(&self) -> Arc<Committed> {
        self.0.writer.committed()
    }
}
