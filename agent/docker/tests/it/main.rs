//! Against a real engine, as root: `cargo nextest run -p berth-docker --run-ignored all`. Each test has a cluster and a node
//! of its own and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test's failure is a panic")]

mod belongings;
mod connect;
mod containers;
mod exec;
mod figures;
mod files;
mod firewall;
mod launch;
mod logs;
mod networks;
mod registry;
mod support;
