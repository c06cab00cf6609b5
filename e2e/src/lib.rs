//! A client of a running service, as anybody could write one: the public protos, TLS, and nothing of the inside.

#[cfg(feature = "browser")]
pub mod browser;
pub mod client;
pub mod demo;
pub mod lend;
pub mod page;
