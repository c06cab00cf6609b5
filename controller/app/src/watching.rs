//! Watching: first everything, then what changed, for as long as the watcher likes.
//!
//! A watcher that is slow does not build up a backlog: it is told the latest state of what changed meanwhile. One that
//! comes back with a token goes on from there, if it was not away for too long.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::watch;

use crate::{
    error::Error,
    writer::{Committed, Handle},
};

/// Where a watcher stands: this life of the controller, and a sequence in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Token {
    life: u64,
    sequence: u64,
}

impl Token {
    fn parse(text: &str) -> Option<Self> {
        let (life, sequence) = text.split_once('-')?;
        Some(Self { life: u64::from_str_radix(life, 16).ok()?, sequence: sequence.parse().ok()? })
    }
}

/// What a watcher is to be told next.
pub enum Next<Id> {
    /// Everything, as it is in this state.
    Snapshot(Arc<Committed>),
    /// These, as they are in this state; those that are not in it are gone.
    Changed(Arc<Committed>, BTreeSet<Id>),
}

pub struct Watcher<Id> {
    life: u64,
    receiver: watch::Receiver<Arc<Committed>>,
    seen: Option<u64>,
    touched_since: fn(&Committed, u64) -> Option<BTreeSet<Id>>,
}

impl<Id: Ord> Watcher<Id> {
    /// `life` tells this process's sequences from those of the one before it.
    pub fn new(
        handle: &Handle,
        life: u64,
        resume_token: &str,
        touched_since: fn(&Committed, u64) -> Option<BTreeSet<Id>>,
    ) -> Self {
        let seen = Token::parse(resume_token)
            .filter(|token| token.life == life)
            .map(|token| token.sequence);
        Self { life, receiver: handle.subscribe(), seen, touched_since }
    }

    /// For the response that tells what `next` returned.
    pub fn token(&self) -> String {
        format!("{:x}-{}", self.life, self.seen.unwrap_or_default())
    }

    /// Waits until there is something to tell. Cancel-safe: what was not returned is found again.
    pub async fn next(&mut self) -> Result<Next<Id>, Error> {
        loop {
            self.receiver.changed().await.map_err(|_| Error::Unavailable {
                retry_after: std::time::Duration::from_secs(1),
            })?;
            let committed = Arc::clone(&self.receiver.borrow_and_update());
            let touched = self.seen.and_then(|seen| (self.touched_since)(&committed, seen));
            self.seen = Some(committed.sequence);
            match touched {
                None => return Ok(Next::Snapshot(committed)),
                Some(touched) if touched.is_empty() => {}
                Some(touched) => return Ok(Next::Changed(committed, touched)),
            }
        }
    }
}
