//! The single writer.
//!
//! Commands from everywhere queue up before one task. It applies all that wait to a clone of the state, commits what they
//! changed in one store transaction, publishes the new state, and only then answers. While a commit is on its way to the
//! disk the next batch gathers: the busier, the larger the batches.
//!
//! # Guarantees
//! Nobody hears of anything that is not durable: replies, watches and desired sets all leave after the commit. A command
//! that fails changes nothing; a commit that fails changes nothing and fails all of its batch.
//!
//! # Caveats
//! A commit whose answer was lost may have happened. The next one then meets `Conflict`, and the process ends: it must read
//! the truth from the store again.

use std::sync::Arc;

use berth_core::{
    clock::Clock,
    id::{ContainerId, NodeId},
};
use imbl::Vector;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    error::Error,
    ports::{Store, StoreError},
    state::State,
    transaction::Transaction,
};

/// Commands that wait while a commit is under way. More than a class of 450 presses at once; a sender beyond it waits.
const QUEUE: usize = 4096;
/// Enough for a watcher that was away for a minute at ten commits a second; one that was away longer gets a snapshot.
const LOG_LENGTH: usize = 1024;

type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;
type Command = Box<dyn FnOnce(&mut Transaction) -> Answer + Send>;

/// The state as committed, and which rows the latest commits touched.
#[derive(Clone)]
pub struct Committed {
    pub state: State,
    /// Grows with every publication, also of what is not stored.
    pub sequence: u64,
    log: Vector<LogEntry>,
}

#[derive(Clone)]
struct LogEntry {
    sequence: u64,
    containers: Arc<[ContainerId]>,
    nodes: Arc<[NodeId]>,
}

impl Committed {
    fn first(state: State) -> Self {
        Self { state, sequence: 1, log: Vector::new() }
    }

    /// Containers touched after `sequence`; `None` when that is too long ago, or of another life of this process.
    pub fn containers_since(
        &self,
        sequence: u64,
    ) -> Option<std::collections::BTreeSet<ContainerId>> {
        Some(
            self.entries_since(sequence)?
                .flat_map(|entry| entry.containers.iter().copied())
                .collect(),
        )
    }

    /// Nodes touched after `sequence`.
    pub fn nodes_since(&self, sequence: u64) -> Option<std::collections::BTreeSet<NodeId>> {
        Some(self.entries_since(sequence)?.flat_map(|entry| entry.nodes.iter().copied()).collect())
    }

    fn entries_since(&self, sequence: u64) -> Option<impl Iterator<Item = &LogEntry>> {
        let oldest = self.log.front().map_or(self.sequence, |entry| entry.sequence - 1);
        (sequence >= oldest && sequence <= self.sequence)
            .then(|| self.log.iter().filter(move |entry| entry.sequence > sequence))
    }
}

/// Hands commands to the writer and reads what it published. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    committed: watch::Receiver<Arc<Committed>>,
}

impl Handle {
    /// Applies `command`; returns after its effects are durable.
    pub async fn apply<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Transaction) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = oneshot::channel();
        let command: Command = Box::new(move |transaction| {
            let before = transaction.clone();
            let result = command(transaction);
            if result.is_err() {
                *transaction = before;
            }
            // The receiver is gone when its caller gave up; the command stands all the same.
            Box::new(move |commit| drop(sender.send(commit.and(result))))
        });
        self.commands.send(command).await.map_err(|_| stopping())?;
        receiver.await.map_err(|_| stopping())?
    }

    pub fn committed(&self) -> Arc<Committed> {
        Arc::clone(&self.committed.borrow())
    }

    /// Sees every publication, or the latest of several.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Committed>> {
        let mut receiver = self.committed.clone();
        receiver.mark_changed();
        receiver
    }
}

fn stopping() -> Error {
    Error::Unavailable { retry_after: std::time::Duration::from_secs(1) }
}

/// The task's side. Ends when every handle is gone, or when the store says that it is not ours any more.
pub struct Writer {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    commands: mpsc::Receiver<Command>,
    committed: watch::Sender<Arc<Committed>>,
}

pub fn new(state: State, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> (Handle, Writer) {
    let (sender, commands) = mpsc::channel(QUEUE);
    let (committed, receiver) = watch::channel(Arc::new(Committed::first(state)));
    (Handle { commands: sender, committed: receiver }, Writer { store, clock, commands, committed })
}

impl Writer {
    pub async fn run(mut self) -> Result<(), StoreError> {
        let mut batch = Vec::new();
        while self.commands.recv_many(&mut batch, QUEUE).await > 0 {
            self.commit(std::mem::take(&mut batch)).await?;
        }
        Ok(())
    }

    async fn commit(&self, batch: Vec<Command>) -> Result<(), StoreError> {
        let current = Arc::clone(&self.committed.borrow());
        let mut transaction = Transaction::new(current.state.clone(), self.clock.now());
        let answers: Vec<Answer> =
            batch.into_iter().map(|command| command(&mut transaction)).collect();
        if let Some(outcome) = transaction.finish() {
            if outcome.must_commit()
                && let Err(error) = self.store.commit(&outcome.changes).await
            {
                tracing::error!(error = %chain(&error), revision = outcome.changes.revision, "commit failed");
                answers.into_iter().for_each(|answer| answer(Err(stopping())));
                return match error {
                    StoreError::Unavailable(_) => Ok(()),
                    StoreError::Conflict { .. } | StoreError::Corrupt { .. } => Err(error),
                };
            }
            let sequence = current.sequence + 1;
            let mut log = current.log.clone();
            if log.len() == LOG_LENGTH {
                log.pop_front();
            }
            log.push_back(LogEntry {
                sequence,
                containers: outcome.containers.into_iter().collect(),
                nodes: outcome.nodes.into_iter().collect(),
            });
            self.committed.send_replace(Arc::new(Committed {
                state: outcome.state,
                sequence,
                log,
            }));
        }
        answers.into_iter().for_each(|answer| answer(Ok(())));
        Ok(())
    }
}

/// An error with all of its causes, for logs.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
