//! Where a person's call meets the stream that its blade opens for it.
//!
//! # Flow
//! `open` leaves a ticket here, tells the blade by its session, and waits; the blade calls `Relay` with the ticket's token;
//! `join` finds the ticket and gives each side the other's end. From then on frames are passed on one by one: whoever does
//! not read stops the one who writes, by HTTP/2's own flow control, and nobody else.
//!
//! # Guarantees
//! A ticket is good once, for one node, for [`OPEN_WITHIN`]. Dropping either side ends the other.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use berth_app::ports::{Relay, RelayError, Relays};
use berth_core::{
    id::NodeId,
    relay::{Frame, Operation},
};
use berth_proto::{agent::v1 as wire, convert::relay as convert};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{Status, Streaming};
use uuid::Uuid;

use crate::registry::Registry;

/// A blade that is there opens within milliseconds.
pub const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// Frames that wait here in each direction: what waits longer waits in HTTP/2's window.
const FRAMES: usize = 2;

/// Cheap to clone: one for the whole controller.
#[derive(Clone)]
pub struct Rendezvous {
    registry: Registry,
    tickets: Arc<Mutex<BTreeMap<Uuid, Ticket>>>,
}

struct Ticket {
    node: NodeId,
    token: [u8; 32],
    hand_over: oneshot::Sender<Relay>,
}

/// Takes its ticket back when the caller has gone or given up.
struct Waiting<'a> {
    rendezvous: &'a Rendezvous,
    id: Uuid,
}

impl Rendezvous {
    pub fn new(registry: Registry) -> Self {
        Self { registry, tickets: Arc::default() }
    }

    /// The blade's side.
    pub(crate) async fn join(
        &self,
        node: NodeId,
        mut from_agent: Streaming<wire::RelayFrame>,
    ) -> Result<impl Stream<Item = Result<wire::RelayFrame, Status>> + use<>, Status> {
        let first = timeout(OPEN_WITHIN, from_agent.message())
            .await
            .map_err(|_| Status::deadline_exceeded("a relay begins with its token"))??;
        let Some(wire::RelayFrame { body: Some(wire::relay_frame::Body::Opened(opened)) }) = first
        else {
            return Err(Status::invalid_argument("a relay begins with its token"));
        };
        let ticket = self
            .take(node, &opened)
            .ok_or_else(|| Status::not_found("nobody waits for this relay"))?;
        let (to, outgoing) = mpsc::channel::<Frame>(FRAMES);
        let (incoming, from) = mpsc::channel(FRAMES);
        if ticket.hand_over.send(Relay { to, from }).is_err() {
            return Err(Status::cancelled("nobody waits for this relay any more"));
        }
        tokio::spawn(pump(node, from_agent, incoming));
        Ok(ReceiverStream::new(outgoing).map(|frame| Ok(convert::frame_to_wire(frame))))
    }

    fn take(&self, node: NodeId, opened: &wire::RelayOpened) -> Option<Ticket> {
        let id: Uuid = opened.relay_id.parse().ok()?;
        let mut tickets = self.lock();
        let ticket = tickets.get(&id)?;
        // The id is as secret as the token and is looked up, so the time that a comparison takes tells nothing more.
        if ticket.node != node || ticket.token[..] != opened.token[..] {
            return None;
        }
        tickets.remove(&id)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Ticket>> {
        // Nothing panics while it is held.
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.rendezvous.lock().remove(&self.id);
    }
}

#[async_trait]
impl Relays for Rendezvous {
    async fn open(&self, node: NodeId, operation: Operation) -> Result<Relay, RelayError> {
        let outbox = self.registry.outbox(node).ok_or(RelayError::NotConnected)?;
        let (id, token) = (Uuid::from_u128(rand::random()), rand::random::<[u8; 32]>());
        let (hand_over, handed) = oneshot::channel();
        self.lock().insert(id, Ticket { node, token, hand_over });
        let _waiting = Waiting { rendezvous: self, id };
        let open = wire::OpenRelay {
            relay_id: id.to_string(),
            token: token.to_vec(),
            open_within: OPEN_WITHIN.try_into().ok(),
            operation: Some(convert::operation_to_wire(operation)),
        };
        let body = Some(wire::controller_message::Body::OpenRelay(open));
        let meeting = async {
            outbox
                .send(Ok(wire::ControllerMessage { body }))
                .await
                .map_err(|_| RelayError::NotConnected)?;
            handed.await.map_err(|_| RelayError::NotConnected)
        };
        timeout(OPEN_WITHIN, meeting).await.unwrap_or(Err(RelayError::TooLate))
    }
}

/// From the blade to the caller, until either has gone.
async fn pump(node: NodeId, mut from: Streaming<wire::RelayFrame>, to: mpsc::Sender<Frame>) {
    loop {
        // Both are cancel-safe; a caller who has gone is noticed also while the blade is silent.
        let message = tokio::select! {
            () = to.closed() => return,
            message = from.message() => message,
        };
        let frame = match message {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(status) => {
                tracing::debug!(node.id = %node, status = status.message(), "a relay broke");
                return;
            }
        };
        match convert::frame_from_wire(frame) {
            Ok(Some(frame)) => {
                if to.send(frame).await.is_err() {
                    return;
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(node.id = %node, %error, "a relay's frame cannot be read");
                return;
            }
        }
    }
}
