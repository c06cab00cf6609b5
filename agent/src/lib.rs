//! The agent: one on every blade. Dials the controller, keeps what it is told in a ledger, and reconciles the engine with it.
//!
//! A library as well as a program, so that the simulation runs the very code that blades run.

pub mod backoff;
pub mod config;
pub mod connect;
pub mod figures;
pub mod holder;
pub mod identity;
pub mod inventory;

pub mod join;
pub mod ledger;
pub mod operator;
pub mod relay;
pub mod session;
mod slots;
pub mod space;
