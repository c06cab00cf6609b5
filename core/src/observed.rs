//! What a blade says of a container.

use serde::{Deserialize, Serialize};

use crate::{clock::Timestamp, fault::Fault};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    pub incarnation: u32,
    pub phase: ObservedPhase,
    pub fault: Option<Fault>,
    pub retrying: bool,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub exit_code: i32,
    pub out_of_memory: bool,
    pub image_digest: Option<String>,
    pub pull: Option<PullProgress>,
    /// The order to start anew that has been carried out.
    pub restart_nonce: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullProgress {
    pub done_bytes: u64,
    pub total_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservedPhase {
    /// The engine has no such container.
    Absent,
    Pulling,
    Starting,
    Running,
    Stopping,
    Exited,
    /// Gone by order of a tombstone; the row may go.
    Removed,
    /// Could not be made or started.
    Failed,
}

impl ObservedPhase {
    /// Whether the engine may be running, or be about to run, something for it.
    pub fn may_run(self) -> bool {
        match self {
            ObservedPhase::Pulling
            | ObservedPhase::Starting
            | ObservedPhase::Running
            | ObservedPhase::Stopping => true,
            ObservedPhase::Absent
            | ObservedPhase::Exited
            | ObservedPhase::Removed
            | ObservedPhase::Failed => false,
        }
    }
}

impl Observed {
    pub fn new(incarnation: u32, phase: ObservedPhase) -> Self {
        Self {
            incarnation,
            phase,
            fault: None,
            retrying: false,
            started_at: None,
            finished_at: None,
            exit_code: 0,
            out_of_memory: false,
            image_digest: None,
            pull: None,
            restart_nonce: 0,
        }
    }
}
