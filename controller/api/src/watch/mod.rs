//! Watch streams: everything as it is, then what changes, for as long as the caller may see it.

pub(crate) mod containers;
pub(crate) mod nodes;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use berth_app::{
    authz::{self, Access},
    error::Error,
    state::State,
    watching::{Next, Watcher},
    writer::Committed,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::{Api, caller::Caller, permit};

/// A part of a snapshot stays far below any client's 4 MiB: a container's message has some 2 KiB.
const PART: usize = 200;
/// Shorter than the idle timeouts of proxies, which begin at 30 s.
const BOOKMARK: Duration = Duration::from_secs(20);
/// Parts that wait for a slow reader; what changes meanwhile is told once, as it is then.
const QUEUE: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Snapshot,
    Change,
    Bookmark,
}

/// One response.
pub(crate) struct Part<Row> {
    pub(crate) kind: Kind,
    pub(crate) rows: Vec<Row>,
    pub(crate) removed: Vec<String>,
    pub(crate) last: bool,
    /// Empty on all parts but the last: who was cut off in the middle begins anew.
    pub(crate) token: String,
}

/// What is watched.
pub(crate) trait Subject: Send + 'static {
    type Id: Ord + Send + 'static;
    type Row: Send;
    type Response: Send + 'static;

    fn touched_since(committed: &Committed, sequence: u64) -> Option<BTreeSet<Self::Id>>;

    /// Everything that the caller sees.
    fn all(&mut self, state: &State) -> Vec<Self::Row>;

    /// Of what was touched, the rows that the caller sees and the ids that they see no more. `None`: it cannot be told
    /// from here, show everything.
    fn changed(
        &mut self,
        state: &State,
        touched: &BTreeSet<Self::Id>,
    ) -> Option<(Vec<Self::Row>, Vec<String>)>;

    fn response(part: Part<Self::Row>) -> Self::Response;
}

pub(crate) fn start<S: Subject>(
    api: &Api,
    caller: Arc<Caller>,
    access: Access,
    resume_token: &str,
    subject: S,
) -> ReceiverStream<Result<S::Response, Status>> {
    let watcher = Watcher::new(&api.0.writer, api.0.life, resume_token, S::touched_since);
    let (sender, receiver) = mpsc::channel(QUEUE);
    // One that comes back is told at once that it is heard, even when nothing has changed.
    let first_bookmark = if resume_token.is_empty() { BOOKMARK } else { Duration::ZERO };
    let stream = Stream { api: api.clone(), caller, access, watcher, subject, sender };
    tokio::spawn(stream.run(first_bookmark));
    ReceiverStream::new(receiver)
}

struct Stream<S: Subject> {
    api: Api,
    caller: Arc<Caller>,
    access: Access,
    watcher: Watcher<S::Id>,
    subject: S,
    sender: mpsc::Sender<Result<S::Response, Status>>,
}

/// Why a stream ends: with a status, or because nobody is there any more (the caller, or soon this process).
enum End {
    With(Error),
    Quietly,
}

impl<S: Subject> Stream<S> {
    async fn run(mut self, first_bookmark: Duration) {
        let end = self.follow(first_bookmark).await;
        if let End::With(error) = end {
            let status = self.caller.status(&error);
            // A full queue means a caller that does not read: it learns of it when it does.
            let _ = tokio::time::timeout(BOOKMARK, self.sender.send(Err(status))).await;
        }
    }

    async fn follow(&mut self, first_bookmark: Duration) -> End {
        let mut bookmarks = interval_at(Instant::now() + first_bookmark, BOOKMARK);
        let mut rechecks =
            interval_at(Instant::now() + authz::STREAM_RECHECK, authz::STREAM_RECHECK);
        bookmarks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rechecks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = self.api.0.stopping.clone();
        loop {
            tokio::select! {
                biased;
                // Only looks: true stays true.
                () = stopped(&mut stopping) => return End::Quietly,
                () = self.sender.closed() => return End::Quietly,
                // A tick that is lost to another arm is only late.
                _ = rechecks.tick() => {
                    if let Err(error) = self.recheck() {
                        return End::With(error);
                    }
                }
                // Cancel-safe by its own promise.
                next = self.watcher.next() => {
                    let parts = match next {
                        Ok(next) => self.parts(&next),
                        Err(error) => return End::With(error),
                    };
                    if let Err(end) = self.tell(parts).await {
                        return end;
                    }
                }
                _ = bookmarks.tick() => {
                    let token = self.watcher.token();
                    let bookmark = part(Kind::Bookmark, Vec::new(), true, token);
                    if let Err(end) = self.tell(vec![bookmark]).await {
                        return end;
                    }
                }
            }
        }
    }

    fn recheck(&self) -> Result<(), Error> {
        permit::check(&self.api, &self.caller, self.access)
    }

    /// Not before the caller was looked at again: a change may be the very one that ended their session.
    async fn tell(&mut self, parts: Vec<Part<S::Row>>) -> Result<(), End> {
        let mut stopping = self.api.0.stopping.clone();
        for part in parts {
            self.recheck().map_err(End::With)?;
            tokio::select! {
                biased;
                () = stopped(&mut stopping) => return Err(End::Quietly),
                // Losing the part with the stream that it belongs to.
                sent = self.sender.send(Ok(S::response(part))) => {
                    sent.map_err(|_| End::Quietly)?;
                }
            }
        }
        Ok(())
    }

    fn parts(&mut self, next: &Next<S::Id>) -> Vec<Part<S::Row>> {
        let (committed, told) = match next {
            Next::Snapshot(committed) => (committed, None),
            Next::Changed(committed, touched) => {
                (committed, self.subject.changed(&committed.state, touched))
            }
        };
        let token = self.watcher.token();
        match told {
            None => split(Kind::Snapshot, self.subject.all(&committed.state), Vec::new(), &token),
            Some((rows, removed)) if rows.is_empty() && removed.is_empty() => Vec::new(),
            Some((rows, removed)) => split(Kind::Change, rows, removed, &token),
        }
    }
}

/// Returns when this process begins to stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the process's main task.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn split<Row>(kind: Kind, rows: Vec<Row>, removed: Vec<String>, token: &str) -> Vec<Part<Row>> {
    let mut parts = Vec::with_capacity(rows.len() / PART + 1);
    let mut rows = rows.into_iter();
    loop {
        let some: Vec<Row> = rows.by_ref().take(PART).collect();
        if rows.len() == 0 {
            let mut last = part(kind, some, true, token.to_owned());
            last.removed = removed;
            parts.push(last);
            return parts;
        }
        parts.push(part(kind, some, false, String::new()));
    }
}

fn part<Row>(kind: Kind, rows: Vec<Row>, last: bool, token: String) -> Part<Row> {
    Part { kind, rows, removed: Vec::new(), last, token }
}
