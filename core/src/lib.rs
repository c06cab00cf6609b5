//! The domain of Berth, shared by controller, agent, console and CLI.
//!
//! No clock, no randomness, no I/O: time and ids are inputs. Compiles to WASM, so that the console checks a form with
//! the very code that the controller checks it with.

pub mod account;
pub mod app_host;
pub mod clock;
pub mod container;
pub mod create;
pub mod definition;
pub mod desired;
pub mod environment;
pub mod explanation;
pub mod fault;
pub mod figures;
pub mod files;
pub mod guest_port;
pub mod id;
pub mod image;
pub mod join;
pub mod node;
pub mod observed;
pub mod phase;
pub mod preset;
pub mod relay;
pub mod resources;
pub mod share;
pub mod space;
pub mod storage;
pub mod text;
pub mod violation;
pub mod volume;
