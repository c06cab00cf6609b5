//! Checks, demo, tests and benchmarks.

fn main() {}
