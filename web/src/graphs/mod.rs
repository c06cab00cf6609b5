//! Figures over time, apart from how they are shown: what is drawn, on which scale, and where the line runs. By hand: a line
//! with gaps, an area and a few ticks are some two hundred lines, where the chart libraries for the browser weigh more than
//! the whole console.

mod path;
mod quantity;
mod range;
mod scale;
mod series;
mod unit;

pub(crate) use path::{Frame, HEIGHT, Place, WIDTH};
pub(crate) use quantity::Quantity;
pub(crate) use range::Range;
pub(crate) use scale::Scale;
pub(crate) use series::{Sample, Series};
pub(crate) use unit::Unit;
