//! Creations through Berth beside the engine alone, on release builds: a program of its own measures, this one brings what
//! it needs.

use anyhow::Result;

use super::{Figure, Size, programs};

pub(crate) fn run(size: Size) -> Result<Vec<Figure>> {
    programs::beside_the_engine("launch", "a quarter of an hour for 300 pairs", size)
}
