//! The gate as browsers and attackers meet it: memory store, a clock that stands, and programs on loopback that stand for
//! those in containers.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod attacks;
mod entering;
mod links;
mod passing;
mod program;
mod world;
