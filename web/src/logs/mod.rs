//! What a container printed, apart from how it is shown: lines, their colours, how many are kept, and what to do when a
//! program prints faster than anybody can read.

mod ansi;
mod buffer;
mod find;
mod line;
mod pace;
mod source;

pub(crate) use ansi::Style;
pub(crate) use buffer::Buffer;
pub(crate) use find::matches;
pub(crate) use line::{Assembler, Entry, Line, Note, Stream};
pub(crate) use pace::{Pace, Step};
pub(crate) use source::{Event, Source};
