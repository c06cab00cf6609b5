//! Use cases over the memory store: no server, no network, no clock but the test's.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod adoption;
mod figures;
mod leases;
mod properties;
mod storage;
mod update;
mod waiting;
mod world;
mod writer;
