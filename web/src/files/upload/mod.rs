//! Files on their way into a container: two at a time, in slices, taken up again where they broke off. They go on while
//! their person looks at other pages.

mod answer;
mod collect;
mod leaving;
mod memory;
mod read;
mod send;
mod slice;
mod transfer;

use std::sync::LazyLock;

use leptos::prelude::*;
use web_sys::File;

pub(crate) use self::{
    collect::{Found, dropped, picked},
    transfer::{Step, Totals, Transfer},
};
use super::Whose;
use crate::{
    api::{self, Error},
    erased, files, time,
};

const AT_A_TIME: usize = 2;
/// What is told of those that have ended.
const RECENT: usize = 20;
const ATTEMPTS: u32 = 5;

static UPLOADS: LazyLock<Uploads> = LazyLock::new(Uploads::default);

/// All of this browser tab.
#[derive(Clone, Default)]
pub(crate) struct Uploads {
    /// What has not ended, or not well; in the order in which it came.
    pub(crate) open: ArcRwSignal<Vec<Transfer>>,
    pub(crate) recent: ArcRwSignal<Vec<Transfer>>,
    pub(crate) totals: ArcRwSignal<Totals>,
    /// The folder in which something has arrived last.
    pub(crate) landed: ArcRwSignal<Option<(Whose, String)>>,
    /// What is done about files that are there already, once somebody has said it for all.
    policy: ArcRwSignal<Option<Answer>>,
    /// Folders are being made, and files looked for.
    pub(crate) preparing: ArcRwSignal<u32>,
}

/// What becomes of a file where there is one already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Replace,
    Skip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    This,
    All,
}

pub(crate) fn uploads() -> Uploads {
    UPLOADS.clone()
}

impl Uploads {
    /// Makes the folders, and puts the files in line.
    pub(crate) async fn add(
        &self,
        whose: Whose,
        folder: String,
        found: Found,
    ) -> Result<(), Error> {
        if self.open.with_untracked(Vec::is_empty) {
            self.clear();
        }
        leaving::ask_first();
        self.preparing.update(|count| *count += 1);
        let made = make_folders(&whose, &folder, &found.folders).await;
        self.preparing.update(|count| *count -= 1);
        made?;
        for (name, file) in found.files {
            self.enqueue(&whose, files::join(&folder, &name), file);
        }
        self.pump();
        Ok(())
    }

    /// Another person has signed in on this page: nothing of the one before is shown or sent.
    pub(crate) fn only_mine(&self) {
        let others = |all: &Vec<Transfer>| all.iter().any(|transfer| !transfer.is_mine());
        if self.open.with_untracked(others) || self.recent.with_untracked(others) {
            for transfer in self.open.get_untracked() {
                transfer.interrupt();
                transfer.let_go();
            }
            self.open.set(Vec::new());
            self.clear();
        }
    }

    fn enqueue(&self, whose: &Whose, path: String, file: File) {
        let transfer = Transfer::new(whose.clone(), path, file);
        self.totals.update(|totals| {
            totals.files += 1;
            totals.bytes += transfer.size;
        });
        self.open.update(|open| open.push(transfer));
    }

    /// Begins what is next, while there is room.
    fn pump(&self) {
        loop {
            let next = self.open.with_untracked(|open| {
                let busy = open.iter().filter(|transfer| transfer.is_busy()).count();
                let next = open.iter().find(|t| t.step.get_untracked() == Step::Waiting);
                next.filter(|_| busy < AT_A_TIME).cloned()
            });
            let Some(transfer) = next else { break };
            self.set_step(&transfer, Step::Sending);
            let turn = transfer.turn();
            let uploads = self.clone();
            erased::spawn(async move {
                let step = send::run(&uploads, &transfer, turn).await;
                // It was paused or given up meanwhile.
                if transfer.has_turn(turn) {
                    uploads.ended(&transfer, step);
                }
                uploads.pump();
            });
        }
    }

    fn ended(&self, transfer: &Transfer, step: Step) {
        self.set_step(transfer, step.clone());
        match step {
            Step::Done => {
                self.set_sent(transfer, transfer.size);
                self.totals.update(|totals| totals.done += 1);
                let folder = files::parent(&transfer.path).unwrap_or_default();
                self.landed.set(Some((transfer.whose.clone(), folder)));
            }
            Step::Skipped => self.totals.update(|totals| {
                totals.skipped += 1;
                totals.bytes -= transfer.size;
            }),
            Step::Waiting
            | Step::Asking
            | Step::Sending
            | Step::Again
            | Step::Paused
            | Step::Failed(_) => {}
        }
        if matches!(step, Step::Done | Step::Skipped) {
            self.close(transfer);
        }
    }

    fn close(&self, transfer: &Transfer) {
        transfer.forget();
        self.open.update(|open| open.retain(|other| other.id != transfer.id));
        self.recent.update(|recent| {
            recent.insert(0, transfer.clone());
            recent.truncate(RECENT);
        });
    }

    fn set_step(&self, transfer: &Transfer, step: Step) {
        let before = transfer.step.get_untracked();
        transfer.step.set(step.clone());
        if before.stands_still() || step.stands_still() {
            self.totals.update(|totals| {
                if let Some(count) = totals.still(&before) {
                    *count -= 1;
                }
                if let Some(count) = totals.still(&step) {
                    *count += 1;
                }
            });
        }
    }

    fn set_sent(&self, transfer: &Transfer, sent: u64) {
        let before = transfer.sent.get_untracked();
        if before != sent {
            transfer.sent.set(sent);
            self.totals.update(|totals| totals.sent = totals.sent + sent - before);
        }
    }

    pub(crate) fn pause(&self, transfer: &Transfer) {
        let step = transfer.step.get_untracked();
        if matches!(step, Step::Waiting | Step::Sending | Step::Again) {
            transfer.interrupt();
            self.set_step(transfer, Step::Paused);
            self.pump();
        }
    }

    /// After a pause or a failure.
    pub(crate) fn resume(&self, transfer: &Transfer) {
        if matches!(transfer.step.get_untracked(), Step::Failed(_) | Step::Paused) {
            self.set_step(transfer, Step::Waiting);
        }
        self.pump();
    }

    /// Nothing of it stays behind.
    pub(crate) fn cancel(&self, transfer: &Transfer) {
        transfer.interrupt();
        self.set_sent(transfer, 0);
        self.set_step(transfer, Step::Skipped);
        self.totals.update(|totals| {
            totals.files -= 1;
            totals.bytes -= transfer.size;
        });
        let begun = transfer.is_begun().then(|| transfer.upload_id());
        transfer.forget();
        self.open.update(|open| open.retain(|other| other.id != transfer.id));
        self.pump();
        if let Some(id) = begun {
            let (whose, path) = (transfer.whose.clone(), transfer.path.clone());
            erased::spawn(async move {
                // What cannot be discarded now is forgotten by the blade within a week.
                drop(api::discard_upload(whose.owner, whose.name, path, id).await);
            });
        }
    }

    pub(crate) fn pause_all(&self) {
        // From the end, so that none of them begins meanwhile.
        for transfer in self.open.get_untracked().iter().rev() {
            self.pause(transfer);
        }
    }

    pub(crate) fn resume_all(&self) {
        for transfer in self.open.get_untracked() {
            if transfer.step.get_untracked() == Step::Paused {
                self.resume(&transfer);
            }
        }
    }

    pub(crate) fn cancel_all(&self) {
        for transfer in self.open.get_untracked().iter().rev() {
            self.cancel(transfer);
        }
        self.clear();
    }

    /// The list of those that have ended.
    pub(crate) fn clear(&self) {
        if self.open.with_untracked(Vec::is_empty) {
            self.recent.set(Vec::new());
            self.totals.set(Totals::default());
            self.policy.set(None);
        }
    }

    /// The first one that asks what is to become of the file that is there.
    pub(crate) fn asking(&self) -> Option<Transfer> {
        // Not by the step of each: there may be thousands.
        if self.totals.with(|totals| totals.asking) == 0 {
            return None;
        }
        self.open.with_untracked(|open| {
            open.iter().find(|t| t.step.get_untracked() == Step::Asking).cloned()
        })
    }

    pub(crate) fn answer(&self, transfer: &Transfer, answer: Answer, scope: Scope) {
        let asking: Vec<Transfer> = match scope {
            Scope::This => vec![transfer.clone()],
            Scope::All => {
                self.policy.set(Some(answer));
                self.open.get_untracked()
            }
        };
        for transfer in asking {
            if transfer.step.get_untracked() == Step::Asking {
                match answer {
                    Answer::Replace => {
                        transfer.may_replace();
                        self.set_step(&transfer, Step::Waiting);
                    }
                    Answer::Skip => self.ended(&transfer, Step::Skipped),
                }
            }
        }
        self.pump();
    }
}

async fn make_folders(whose: &Whose, folder: &str, names: &[String]) -> Result<(), Error> {
    for name in names {
        let path = files::join(folder, name);
        for attempt in 1.. {
            let made =
                api::make_directory(whose.owner.clone(), whose.name.clone(), path.clone()).await;
            match made {
                Err(error) if error.is_passing() && attempt < ATTEMPTS => {
                    time::sleep(time::jittered(500 * attempt)).await;
                }
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
    }
    Ok(())
}
