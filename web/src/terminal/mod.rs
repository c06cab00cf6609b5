//! A terminal of a container in this page: the line to it, and the screen that it fills.
//!
//! The pure parts (what has been seen, when to come back, which keys say what) know nothing of the browser.

mod engine;
mod flow;
mod keys;
mod line;
mod load;
mod pair;
mod plan;
mod position;
mod screen;
mod socket;

pub(crate) use engine::{Ending, Handle, Shown, Target, run};
pub(crate) use keys::{Ctrl, Key, controlled};
pub(crate) use load::load;
pub(crate) use screen::{Screen, ScreenReader, Settings, open};
