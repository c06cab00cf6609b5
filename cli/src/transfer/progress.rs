//! How far it is, for people who watch.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::printable;

/// Cheap to clone. Nothing is drawn where standard error is no terminal.
#[derive(Clone)]
pub(crate) struct Progress(ProgressBar);

const LINE: &str = "{msg}  {bytes} of {total_bytes}  {binary_bytes_per_sec}  {eta}";
const LINE_WITHOUT_TOTAL: &str = "{msg}  {bytes}  {binary_bytes_per_sec}";

impl Progress {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
        Self(bar)
    }

    pub(super) fn begin(&self, name: &str, total: Option<u64>) {
        let line = if total.is_some() { LINE } else { LINE_WITHOUT_TOTAL };
        if let Ok(style) = ProgressStyle::with_template(line) {
            self.0.set_style(style);
        }
        self.0.reset();
        match total {
            Some(total) => self.0.set_length(total),
            None => self.0.unset_length(),
        }
        self.0.set_message(printable(name));
    }

    pub(super) fn at(&self, position: u64) {
        self.0.set_position(position);
    }

    pub(super) fn more(&self, bytes: usize) {
        self.0.inc(bytes as u64);
    }

    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}
