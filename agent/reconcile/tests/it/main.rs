//! The agent's reconciler against an engine in memory.

mod crashes;
mod harness;
mod lifecycle;
