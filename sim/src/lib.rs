//! Deterministic simulation of a controller and its agents.
