//! What the agent remembers over its death: what it accepted, and which restarts are under way.
//!
//! Written before anything is acknowledged or done; the engine is the only other thing that is remembered.

use std::{collections::BTreeMap, io};

use async_trait::async_trait;
use berth_core::{
    clock::Timestamp,
    desired::{DesiredContainer, DesiredSet},
    id::ContainerId,
};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    /// The set that was accepted last; `None` on a blade that has never heard of one.
    pub set: Option<DesiredSet>,
    /// From an earlier epoch, and not in the set of this one: the controller's database was put back, and these are here
    /// to be adopted. Never stopped by themselves.
    pub retained: BTreeMap<ContainerId, DesiredContainer>,
    pub restarts: BTreeMap<ContainerId, Restart>,
}

/// Orders to start anew, of one incarnation. An engine's container says when it was last started: writing that down before
/// a restart makes it happen once, whatever dies in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    pub incarnation: u32,
    /// The highest restart_nonce that has been carried out.
    pub applied: u64,
    pub begun: Option<Begun>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    pub nonce: u64,
    /// When the engine had last started it at that time; zero for never.
    pub started_before: Timestamp,
}

#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Durable when it returns: the whole content, or, on an error, the old one.
    async fn write(&self, content: &Content) -> io::Result<()>;
}
