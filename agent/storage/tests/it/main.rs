//! On the machine's own file system, as root.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod guard;
mod homes;
mod mapped;
mod world;
