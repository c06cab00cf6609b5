//! The controller: composition root. Everything that decides lives in the other crates; here are the configuration, the
//! certificates, the listeners, and the order in which things start and end.

pub mod accounts;
mod apps;
pub mod ca;
pub mod config;
pub mod healthcheck;
pub mod new_epoch;
mod notify;
mod pages;
mod presets;
pub mod serve;
mod system;
mod tls;

pub use system::{SystemClock, SystemIds};
