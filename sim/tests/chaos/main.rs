//! The real programs on a real engine, killed at named points and at random moments.
//!
//! Needs root, a Docker engine, nftables and busybox; ignored otherwise. `BERTH_CHAOS_SEED=N` repeats the random part,
//! `BERTH_CHAOS_KEEP=1` shows the programs' logs of a failing run.

#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod api;
mod chaos;
mod cluster;
mod compare;
mod engine;
mod registry;
mod rounds;
mod terminal;
