use std::{
    cell::RefCell,
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use leptos::prelude::*;
use web_sys::{File, XmlHttpRequest};

use super::{super::Whose, memory, read};
use crate::state::session;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// In line.
    Waiting,
    /// There is a file already.
    Asking,
    Sending,
    /// The connection is lost; it is tried again.
    Again,
    Paused,
    Done,
    Skipped,
    Failed(String),
}

impl Step {
    /// Until somebody does something about it.
    pub(super) fn stands_still(&self) -> bool {
        matches!(self, Step::Failed(_) | Step::Paused | Step::Asking)
    }
}

/// Of everything since the list was empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) files: usize,
    pub(crate) done: usize,
    pub(crate) skipped: usize,
    /// How many of those that are open stand still, and why.
    pub(crate) failed: usize,
    pub(crate) paused: usize,
    pub(crate) asking: usize,
    pub(crate) bytes: u64,
    pub(crate) sent: u64,
}

impl Totals {
    /// Where those that are in this step are counted.
    pub(super) fn still(&mut self, step: &Step) -> Option<&mut usize> {
        match step {
            Step::Failed(_) => Some(&mut self.failed),
            Step::Paused => Some(&mut self.paused),
            Step::Asking => Some(&mut self.asking),
            Step::Waiting | Step::Sending | Step::Again | Step::Done | Step::Skipped => None,
        }
    }
}

/// One file on its way.
#[derive(Clone)]
pub(crate) struct Transfer {
    pub(crate) id: u64,
    /// Who sends it: what is left of it is not gone on with by somebody else.
    account: String,
    pub(crate) whose: Whose,
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) step: ArcRwSignal<Step>,
    pub(crate) sent: ArcRwSignal<u64>,
}

/// What belongs to the browser, and cannot be in a signal.
struct Held {
    file: File,
    upload_id: String,
    /// Something of it may be there from an earlier attempt.
    begun: bool,
    /// Whether somebody was asked, or need not be.
    replace: Option<Replace>,
    turn: u64,
    request: Option<XmlHttpRequest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replace {
    /// Nothing was there.
    No,
    Yes,
}

thread_local! {
    static HELD: RefCell<HashMap<u64, Held>> = RefCell::new(HashMap::new());
}

static LAST: AtomicU64 = AtomicU64::new(0);

impl Transfer {
    pub(super) fn new(whose: Whose, path: String, file: File) -> Self {
        let id = LAST.fetch_add(1, Ordering::Relaxed);
        let size = read::size(&file);
        let known = memory::recall(&whose, &path, &file);
        let held = Held {
            begun: known.is_some(),
            upload_id: known.unwrap_or_else(new_id),
            file,
            replace: None,
            turn: 0,
            request: None,
        };
        HELD.with_borrow_mut(|all| all.insert(id, held));
        Self {
            id,
            account: account(),
            whose,
            path,
            size,
            step: ArcRwSignal::new(Step::Waiting),
            sent: ArcRwSignal::new(0),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(self.path.as_str(), |(_, name)| name)
    }

    pub(super) fn is_mine(&self) -> bool {
        self.account == account()
    }

    pub(super) fn is_busy(&self) -> bool {
        matches!(self.step.get_untracked(), Step::Sending | Step::Again)
    }

    /// A new one; what has an earlier one stops at its next step.
    pub(super) fn turn(&self) -> u64 {
        self.held(|held| {
            held.turn += 1;
            held.turn
        })
        .unwrap_or_default()
    }

    pub(super) fn has_turn(&self, turn: u64) -> bool {
        self.held(|held| held.turn == turn).unwrap_or(false)
    }

    /// Nor has its person signed out.
    pub(super) fn goes_on(&self, turn: u64) -> bool {
        self.is_mine() && self.has_turn(turn)
    }

    pub(super) fn file(&self) -> Option<File> {
        self.held(|held| held.file.clone())
    }

    pub(super) fn upload_id(&self) -> String {
        self.held(|held| held.upload_id.clone()).unwrap_or_default()
    }

    pub(super) fn is_begun(&self) -> bool {
        self.held(|held| held.begun).unwrap_or(false)
    }

    /// From here on something of it may be on the blade, also when this page is not any more.
    pub(super) fn begin(&self) {
        let begun = self.held(|held| {
            held.begun = true;
            (held.file.clone(), held.upload_id.clone())
        });
        if let Some((file, id)) = begun {
            memory::remember(&self.whose, &self.path, &file, &id);
        }
    }

    /// What was sent does not fit together: it is sent as another upload from the start.
    pub(super) fn begin_anew(&self) {
        if let Some(file) = self.file() {
            memory::forget(&self.whose, &self.path, &file);
        }
        self.held(|held| {
            held.begun = false;
            held.upload_id = new_id();
        });
    }

    pub(super) fn replace(&self) -> Option<Replace> {
        self.held(|held| held.replace).flatten()
    }

    pub(super) fn nothing_there(&self) {
        self.held(|held| held.replace = Some(Replace::No));
    }

    pub(super) fn may_replace(&self) {
        self.held(|held| held.replace = Some(Replace::Yes));
    }

    /// Kept, so that it can be broken off.
    pub(super) fn requests(&self, request: Option<XmlHttpRequest>) {
        self.held(|held| held.request = request);
    }

    pub(super) fn interrupt(&self) {
        let request = self.held(|held| {
            held.turn += 1;
            held.request.take()
        });
        if let Some(request) = request.flatten() {
            // One that has ended cannot be broken off, and need not be.
            let _ = request.abort();
        }
    }

    /// What of it is on the blade can still be gone on with.
    pub(super) fn let_go(&self) {
        HELD.with_borrow_mut(|all| all.remove(&self.id));
    }

    pub(super) fn forget(&self) {
        if let Some(held) = HELD.with_borrow_mut(|all| all.remove(&self.id)) {
            memory::forget(&self.whose, &self.path, &held.file);
        }
    }

    fn held<T>(&self, of: impl FnOnce(&mut Held) -> T) -> Option<T> {
        HELD.with_borrow_mut(|all| all.get_mut(&self.id).map(of))
    }
}

fn account() -> String {
    session::person_untracked().map_or_else(String::new, |person| person.user.account.clone())
}

fn new_id() -> String {
    window().crypto().map(|crypto| crypto.random_uuid()).unwrap_or_default()
}
