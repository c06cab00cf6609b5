//! How much of a container goes on at a time: nobody's page takes all the relays of a blade, or the controller's memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use berth_core::id::ContainerId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::headers::Passing;

/// Requests that are answered. A page may ask for hundreds of files at once (a browser sends a hundred over HTTP/2): those
/// beyond it wait a little. With what relays queue, up to half a megabyte each.
const REQUESTS: usize = 64;
/// WebSockets, which last: more are refused.
const WEBSOCKETS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(20);
/// Beyond this many containers those of which nothing goes on are forgotten.
const KEPT: usize = 256;

type Key = (ContainerId, Passing);

#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<HashMap<Key, Arc<Semaphore>>>>);

/// Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(#[allow(dead_code, reason = "it is held")] OwnedSemaphorePermit);

impl Turns {
    /// `None`: too much goes on, and does not end soon.
    pub(crate) async fn take(&self, container: ContainerId, passing: Passing) -> Option<Turn> {
        let semaphore = self.of((container, passing));
        let permit = match passing {
            Passing::Message => timeout(PATIENCE, semaphore.acquire_owned()).await.ok()?.ok(),
            Passing::WebSocket => semaphore.try_acquire_owned().ok(),
        };
        permit.map(Turn)
    }

    fn of(&self, key: Key) -> Arc<Semaphore> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > KEPT {
            // Whoever holds or awaits a turn holds the semaphore, too.
            all.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        }
        let count = match key.1 {
            Passing::Message => REQUESTS,
            Passing::WebSocket => WEBSOCKETS,
        };
        Arc::clone(all.entry(key).or_insert_with(|| Arc::new(Semaphore::new(count))))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn container(number: u128) -> ContainerId {
        ContainerId::new(Uuid::from_u128(number))
    }

    #[tokio::test(start_paused = true)]
    async fn each_has_its_own() {
        let turns = Turns::default();
        for (passing, count) in [(Passing::Message, REQUESTS), (Passing::WebSocket, WEBSOCKETS)] {
            let mut held = Vec::new();
            for _ in 0..count {
                held.push(turns.take(container(1), passing).await.unwrap());
            }
            assert!(turns.take(container(1), passing).await.is_none());
            assert!(turns.take(container(2), passing).await.is_some());
            drop(held.pop());
            assert!(turns.take(container(1), passing).await.is_some());
        }
    }

    #[tokio::test]
    async fn a_request_waits_for_its_turn() {
        let turns = Turns::default();
        let mut held = Vec::new();
        for _ in 0..REQUESTS {
            held.push(turns.take(container(1), Passing::Message).await.unwrap());
        }
        let next = turns.take(container(1), Passing::Message);
        tokio::pin!(next);
        tokio::select! {
            biased;
            _ = &mut next => panic!("there was none"),
            () = tokio::task::yield_now() => {}
        }
        held.pop();
        assert!(next.await.is_some());
    }

    #[tokio::test]
    async fn what_is_over_is_forgotten() {
        let turns = Turns::default();
        let held = turns.take(container(0), Passing::Message).await.unwrap();
        for number in 1..=1000 {
            turns.take(container(number), Passing::Message).await.unwrap();
        }
        let kept = turns.0.lock().unwrap();
        assert!(kept.len() <= KEPT + 1 && kept.contains_key(&(container(0), Passing::Message)));
        drop(held);
    }
}
