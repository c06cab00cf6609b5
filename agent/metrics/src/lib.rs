//! What a blade and its containers use, read from control groups (either version) and /proc. No engine is asked: its own
//! statistics cost it a thread and two seconds for each container.
//!
//! [`parse`] is pure, [`Sampler`] remembers the look before and makes rates of counters, [`Files`] is all that it sees of
//! the machine.

mod blade;
mod counters;
mod files;
mod gpu;
mod parse;
mod place;
mod process_io;
mod sampler;

pub use self::{
    files::{Files, Machine},
    sampler::{Sampler, Target},
};
