//! Many runs, each decided by its seed.
//!
//! `BERTH_SIM_SEED=N` runs that seed alone and shows its log; `BERTH_SIM_SEEDS=K` runs K of them instead of fifty.

mod joining;
mod seeds;
mod sessions;
