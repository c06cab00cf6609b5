//! Use cases, the single writer and the reconcilers of the controller.
//!
//! Knows neither tonic nor a database: every use case is tested with the memory store and no server. Commands are plain
//! functions over a [`transaction::Transaction`]; [`writer::Handle::apply`] runs them, one batch at a time.

pub mod adopt;
pub mod authz;
pub mod background;
pub mod containers;
pub mod error;
pub mod figures;
pub mod homes;
pub mod local_directory;
pub mod nodes;
pub mod numbers;
pub mod observe;
mod password_hash;
mod placement;
pub mod ports;
pub mod shares;
pub mod sign_in;
pub mod space;
pub mod state;
pub mod transaction;
pub mod update;
pub mod volumes;
pub mod watching;
pub mod writer;
