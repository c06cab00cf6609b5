//! Files below a directory whose content means harm. As root where the owner of a file matters, which these tests are
//! run as in CI; without it those are told apart by who runs them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod browse;
mod hostile;
mod pack;
mod unpack;
mod upload;
mod world;
