//! Terminals that outlive the agent.
//!
//! The engine's connection to a program in a terminal cannot be taken up again once it is lost. So it is held by a process
//! of its own, the session holder: `berth-agent session-holder`. The agent starts one when the first terminal is wanted,
//! finds it again by its socket after its own restart, and lets it end when it holds nothing any more. After an upgrade
//! the older holder keeps what it has, and a newer one gets what is new.
//!
//! - [`serve`]: the process; [`Holders`]: the agent's side.

mod client;
mod leftovers;
mod numbers;
mod registry;
pub mod serve;
mod service;
mod tape;
mod terminal;

use std::path::{Path, PathBuf};

pub use self::client::{Holders, stop_all};

/// In the environment of every terminal's program: its number. By this, programs whose holder has died are known.
pub const TERMINAL_MARK: &str = "BERTH_TERMINAL";
/// In the environment of every single command that the agent runs for somebody: what has it when an agent starts belongs
/// to one that has died.
pub const RUN_MARK: &str = "BERTH_RUN";

/// Where holders listen and count, in the agent's folder of data: what is in /run would not survive a boot, and numbers
/// should.
pub fn directory(data: &Path) -> PathBuf {
    data.join("holders")
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
