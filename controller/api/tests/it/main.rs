//! The public API as its callers meet it: a server on a port of its own, and a real client.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod apps;
mod authorization;
mod bad_input;
mod blade;
mod containers;
mod definitions;
mod exec;
mod files;
mod forward;
mod hostile;
mod logs;
mod nodes;
mod raw;
mod sign_in;
mod socket;
mod usage;
mod volumes;
mod watch;
mod web;
mod world;
