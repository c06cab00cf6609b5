//! What a blade does to make the engine agree with the controller: a pure plan, one step at a time, and its execution
//! over the trait [`runtime::Runtime`].
//!
//! The engine is the database of what exists, the ledger is the database of what should; nothing else is kept. Any
//! process may die between any two instructions: the next one lists, compares and goes on.

pub mod at_work;
mod drive;
mod execute;
#[cfg(feature = "fake")]
pub mod fake;
pub mod ledger;
pub mod observe;
pub mod plan;
pub mod point;
pub mod reconciler;
pub mod runtime;
