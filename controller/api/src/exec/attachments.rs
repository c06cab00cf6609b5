//! For callers that can only stream one way: which terminal their typing belongs to.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use berth_app::error::{Error, Kind};
use berth_core::{
    id::UserId,
    relay::{FRAME_MAXIMUM, Frame, Size},
};
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

/// How long typing waits for what was typed before it, and for a terminal that does not take it.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Default)]
pub(crate) struct Attachments(Arc<Mutex<BTreeMap<String, Attachment>>>);

#[derive(Clone)]
struct Attachment {
    user: UserId,
    to: mpsc::Sender<Frame>,
    /// The call that may be taken next. Its lock is held while one is taken.
    next: Arc<tokio::sync::Mutex<u64>>,
    taken: Arc<watch::Sender<u64>>,
}

/// Leaves the table when dropped.
pub(crate) struct Registered {
    attachments: Attachments,
    id: String,
}

impl Registered {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.attachments.lock().remove(&self.id);
    }
}

impl Attachments {
    pub(crate) fn register(&self, id: String, user: UserId, to: mpsc::Sender<Frame>) -> Registered {
        let attachment = Attachment {
            user,
            to,
            next: Arc::new(1.into()),
            taken: Arc::new(watch::Sender::new(0)),
        };
        self.lock().insert(id.clone(), attachment);
        Registered { attachments: self.clone(), id }
    }

    /// In the order of their numbers: what comes twice is taken once, what comes too early waits.
    pub(crate) async fn input(
        &self,
        user: UserId,
        id: &str,
        seq: u64,
        data: Bytes,
    ) -> Result<(), Error> {
        let attachment = self.find(user, id)?;
        let taking = async {
            let mut taken = attachment.taken.subscribe();
            // The sender lives in `attachment`.
            let _ = taken.wait_for(|taken| taken.saturating_add(1) >= seq).await;
            let mut next = attachment.next.lock().await;
            if *next != seq {
                return Ok(());
            }
            for piece in pieces(data) {
                attachment.to.send(Frame::Data(piece)).await.map_err(|_| gone(id))?;
            }
            *next += 1;
            attachment.taken.send_replace(seq);
            Ok(())
        };
        tokio::time::timeout(PATIENCE, taking).await.unwrap_or_else(|_| Err(super::broke()))
    }

    pub(crate) async fn resize(&self, user: UserId, id: &str, size: Size) -> Result<(), Error> {
        let attachment = self.find(user, id)?;
        let sent = tokio::time::timeout(PATIENCE, attachment.to.send(Frame::Size(size))).await;
        match sent {
            Ok(sent) => sent.map_err(|_| gone(id)),
            Err(_) => Err(super::broke()),
        }
    }

    /// Somebody else's does not exist.
    fn find(&self, user: UserId, id: &str) -> Result<Attachment, Error> {
        let table = self.lock();
        table.get(id).filter(|found| found.user == user).cloned().ok_or_else(|| gone(id))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Attachment>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gone(id: &str) -> Error {
    Error::not_found(Kind::Terminal, id)
}

/// In frames of at most [`FRAME_MAXIMUM`].
pub(crate) fn pieces(mut data: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        (!data.is_empty()).then(|| data.split_to(data.len().min(FRAME_MAXIMUM)))
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn in_order_once_and_only_by_the_one_whose_it_is() {
        let (attachments, (to, mut from)) = (Attachments::default(), mpsc::channel(8));
        let (ann, ben) = (UserId::new(Uuid::from_u128(1)), UserId::new(Uuid::from_u128(2)));
        let registered = attachments.register("a".to_owned(), ann, to);
        let second = {
            let attachments = attachments.clone();
            tokio::spawn(async move { attachments.input(ann, "a", 2, "b".into()).await })
        };
        attachments.input(ann, "a", 1, "a".into()).await.unwrap();
        second.await.unwrap().unwrap();
        attachments.input(ann, "a", 1, "a".into()).await.unwrap();
        attachments.input(ann, "a", 3, "c".into()).await.unwrap();
        assert!(matches!(
            attachments.input(ben, "a", 4, "x".into()).await,
            Err(Error::NotFound { .. })
        ));
        drop(registered);
        assert!(attachments.input(ann, "a", 4, "x".into()).await.is_err());
        let mut typed = Vec::new();
        while let Some(Frame::Data(data)) = from.recv().await {
            typed.extend_from_slice(&data);
        }
        assert_eq!(typed, b"abc");
    }

    #[test]
    fn large_input_goes_in_pieces() {
        let all = Bytes::from(vec![7; FRAME_MAXIMUM * 2 + 1]);
        let lengths: Vec<usize> = pieces(all).map(|piece| piece.len()).collect();
        assert_eq!(lengths, [FRAME_MAXIMUM, FRAME_MAXIMUM, 1]);
        assert_eq!(pieces(Bytes::new()).count(), 0);
    }
}
