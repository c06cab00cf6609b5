//! Where a container goes, and why.
//!
//! [`place`] is total and synchronous: no clock, no randomness, no logging. The same cluster and the same request give the
//! same answer, whatever the order of the blades. All filters run on all blades, so that the explanation names every
//! objection and not only the first.

mod filter;
mod place;
mod revise;
mod score;
mod snapshot;

pub use filter::missing_label;
pub use place::{Decision, place};
pub use revise::{Held, revise};
pub use snapshot::{ClusterSnapshot, NodeSnapshot, PlacementRequest, Usage, VolumeNeed};
