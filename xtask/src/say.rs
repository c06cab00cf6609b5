//! What a person reads while a command runs: a line before each step that takes time, and one sentence at a refusal.

use std::{
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use anyhow::Error;

use crate::refusal;

/// A step that begins.
pub(crate) fn step(text: impl std::fmt::Display) {
    line("==>", "1;36", &text);
}

/// Something worth knowing about the step.
pub(crate) fn note(text: impl std::fmt::Display) {
    line("   ", "0", &text);
}

pub(crate) fn blank() {
    plain("");
}

/// Without a mark: the last line of a test run, for other programs.
pub(crate) fn plain(text: impl std::fmt::Display) {
    // Who no longer listens does not stop what is being done.
    let _ = writeln!(std::io::stdout(), "{text}");
    // What follows is often another program's output: keep the order.
    let _ = std::io::stdout().flush();
}

/// The last word of a command that could not go on.
pub(crate) fn stopped(error: &Error) {
    let _ = std::io::stdout().flush();
    let mark =
        if std::io::stderr().is_terminal() { "\x1b[1;31mstopped:\x1b[0m" } else { "stopped:" };
    eprintln!("{mark} {}", refusal::sentence(error));
}

pub(crate) fn seconds(time: Duration) -> String {
    if time.as_secs() >= 60 {
        format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60)
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

fn line(mark: &str, colour: &str, text: &dyn std::fmt::Display) {
    if std::io::stdout().is_terminal() {
        plain(format_args!("\x1b[{colour}m{mark}\x1b[0m {text}"));
    } else {
        plain(format_args!("{mark} {text}"));
    }
}
