//! The session holder as a process, against a real engine: `cargo nextest run -p berth-agent --run-ignored all`. Each test
//! has a folder and containers of its own and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test's failure is a panic")]

mod bench;
mod holders;
mod terminals;
