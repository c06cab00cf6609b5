//! Persistence: the only crate that knows SeaORM.
//!
//! Two stores with one behaviour, which `tests/conformance` holds them to: [`SqlStore`] on SQLite or PostgreSQL, and
//! [`MemoryStore`] for the simulation and for unit tests.

mod memory;
mod record;
mod sql;

pub use memory::{FailWith, MemoryStore};
pub use sql::{OpenError, SqlStore};
