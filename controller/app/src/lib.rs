//! Use cases, the single writer and the reconcilers of the controller.
pub mod ports;
