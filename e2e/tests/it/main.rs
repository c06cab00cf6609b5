//! Against a running demo, whose `demo.json` `BERTH_DEMO` names.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod apps;
mod browser;
mod cli;
mod cutting;
mod service;
