//! The scheduler's promises, over clusters and requests of any shape.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod properties;
mod revision;
mod scenarios;
mod world;
