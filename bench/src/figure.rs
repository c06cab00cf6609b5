//! What is printed for whoever started this: one JSON list.

use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    limit: Option<f64>,
    holds: bool,
}

impl Figure {
    /// Must not be larger than `limit`; what is no number does not hold.
    pub(crate) fn at_most(name: &'static str, value: f64, unit: &'static str, limit: f64) -> Self {
        Self { name, value, unit, limit: Some(limit), holds: value <= limit }
    }

    /// Must not be smaller than `limit`.
    pub(crate) fn at_least(name: &'static str, value: f64, unit: &'static str, limit: f64) -> Self {
        Self { name, value, unit, limit: Some(limit), holds: value >= limit }
    }

    pub(crate) fn told(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, limit: None, holds: value.is_finite() }
    }
}
