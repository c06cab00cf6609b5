//! Persistence: the only crate that knows SeaORM.
