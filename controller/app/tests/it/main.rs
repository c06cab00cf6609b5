//! Use cases over the memory store: no server, no network, no clock but the test's.

mod leases;
mod properties;
mod waiting;
mod world;
mod writer;
