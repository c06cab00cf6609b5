//! The scheduler's promises, over clusters and requests of any shape.

mod properties;
mod scenarios;
mod world;
