//! The log of a run: every event of ours with its simulated time. Two runs of one seed have the same log.

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex, PoisonError},
};

use berth_core::clock::Clock;
use sha2::{Digest as _, Sha256};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, SubscriberExt as _},
};

use crate::clock::{SimClock, beginning};

/// What must happen in some run, or it proves little.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    pub complete_sets: u64,
    pub differences: u64,
    /// A blade could not use what it was sent, and got everything.
    pub fallbacks: u64,
    pub steps: u64,
    pub pulls: u64,
    pub restarts: u64,
    pub failed_commits: u64,
    pub unreachable: u64,
    pub ports_in_use: u64,
}

#[derive(Default)]
struct Log {
    hash: Sha256,
    count: u64,
    seen: Seen,
    lines: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct Recorder {
    log: Arc<Mutex<Log>>,
    clock: Arc<SimClock>,
    keep: Keep,
}

/// Whether the log's lines are kept, beside their hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Hashed,
    Kept,
}

impl Recorder {
    pub(crate) fn new(clock: Arc<SimClock>, keep: Keep) -> Self {
        Self { log: Arc::default(), clock, keep }
    }

    pub(crate) fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        let ours = Targets::new().with_target("berth", Level::DEBUG);
        tracing_subscriber::registry().with(self.clone().with_filter(ours))
    }

    /// SHA-256 of all lines, their number, and what was seen.
    pub(crate) fn summary(&self) -> (String, u64, Seen) {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = log.hash.clone().finalize();
        let hex = hash.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        (hex, log.count, log.seen)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let start = beginning().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let start = i64::try_from(start.as_millis()).unwrap_or(0);
        let millis = self.clock.now().0 - start;
        let line =
            format!("{millis:>7} {} {}{}", event.metadata().level(), text.message, text.fields);
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.seen.count(&text);
        log.hash.update(line.as_bytes());
        log.hash.update(b"\n");
        log.count += 1;
        if self.keep == Keep::Kept {
            log.lines.push(line);
        }
    }
}

impl Seen {
    fn count(&mut self, text: &Text) {
        match text.message.as_str() {
            "desired set sent" if text.fields.contains(" base=") => self.differences += 1,
            "desired set sent" => self.complete_sets += 1,
            "desired set refused" if text.fields.contains("refusal=NeedsCompleteSet") => {
                self.fallbacks += 1;
            }
            "step" => {
                self.steps += 1;
                self.pulls += u64::from(text.fields.contains("step=Pull"));
                self.restarts += u64::from(text.fields.contains("step=BeginRestart"));
            }
            "step failed" => self.ports_in_use += u64::from(text.fields.contains("PortInUse")),
            "commit failed" => self.failed_commits += 1,
            "the blade does not answer" => self.unreachable += 1,
            _ => {}
        }
    }

    #[must_use]
    pub fn plus(self, other: Seen) -> Seen {
        Seen {
            complete_sets: self.complete_sets + other.complete_sets,
            differences: self.differences + other.differences,
            fallbacks: self.fallbacks + other.fallbacks,
            steps: self.steps + other.steps,
            pulls: self.pulls + other.pulls,
            restarts: self.restarts + other.restarts,
            failed_commits: self.failed_commits + other.failed_commits,
            unreachable: self.unreachable + other.unreachable,
            ports_in_use: self.ports_in_use + other.ports_in_use,
        }
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        match field.name() {
            "message" => drop(write!(self.message, "{value:?}")),
            // Real chance, on purpose: no session's number is guessable.
            "session.id" => {}
            name => drop(write!(self.fields, " {name}={value:?}")),
        }
    }
}
