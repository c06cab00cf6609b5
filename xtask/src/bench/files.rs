//! Files through Berth beside the engine alone, on release builds.

use anyhow::Result;

use super::{Figure, Size, programs};

pub(crate) fn run(size: Size) -> Result<Vec<Figure>> {
    programs::beside_the_engine("files", "two minutes", size)
}
