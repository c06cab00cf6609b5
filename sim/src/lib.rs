//! Deterministic simulation of a controller and three agents: real sessions over real TLS and HTTP/2, on a simulated network
//! and a simulated clock, with a store and engines in memory.
//!
//! One number decides everything: what people do, what breaks and when, how long each call takes, every pause. So a run that
//! fails can be run again, and fails again.
//!
//! [`run::run`] is one such run. Its parts: [`people`] who lend and return, [`faults`], the [`controller`], the [`agent`]s on
//! their [`blade`]s, the [`store`], and the [`journal`], which sees every commit and every effect on an engine and says what
//! must not be.

mod agent;
pub mod authority;
mod blade;
mod clock;
mod controller;
mod engine;
mod faults;
mod journal;
mod people;
mod record;
pub mod run;
mod settled;
mod store;
mod world;

pub use run::{Outcome, Plan, run};
