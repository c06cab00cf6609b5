//! The agent's reconciler against an engine in memory.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crashes;
mod harness;
mod lifecycle;
