//! Byte streams that the controller asks for: a call for each, on connections of their own, so that no stalled one holds up
//! the session.
//!
//! # Flow
//! `OpenRelay` comes by the session; a call `Relay` begins with its token; the operation reads and writes frames; its end is
//! the last frame. Whoever hangs up ends the operation.
//!
//! # Caveats
//! `OpenRelay` is not repeated. If it is lost, or the call fails, somebody's call fails, and nothing else changes.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use berth_core::relay::{End, EndReason, Frame, Operation};
use berth_proto::{
    agent::v1::{self as wire, agent_service_client::AgentServiceClient},
    convert::relay as convert,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Streaming, transport::Channel};

use crate::session::{Connected, chain};

/// Frames that wait here in each direction.
const FRAMES: usize = 8;
/// Of the 64 that a connection may have at the controller: the next one is dialed before it is full.
const STREAMS: usize = 48;
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection that nobody uses is kept.
const LINGER: Duration = Duration::from_secs(60);
/// How long an operation may go on after its caller has hung up, and the call after its end was said.
const FAREWELL: Duration = Duration::from_secs(30);

/// What is done at the blade's end.
#[async_trait]
pub trait Operator: Send + Sync + 'static {
    /// `from` ends when the caller has gone: then the operation ends soon.
    async fn perform(
        &self,
        operation: Operation,
        from: mpsc::Receiver<Frame>,
        to: mpsc::Sender<Frame>,
    ) -> End;
}

/// For a blade whose engine can do none of it.
pub struct NoOperator;

#[async_trait]
impl Operator for NoOperator {
    async fn perform(&self, _: Operation, _: mpsc::Receiver<Frame>, _: mpsc::Sender<Frame>) -> End {
        End::new(EndReason::Unsupported, "this agent has no byte streams")
    }
}

pub type Connecting = Pin<Box<dyn Future<Output = Connected> + Send>>;
/// Dials the controller.
pub type Connect = Arc<dyn Fn() -> Connecting + Send + Sync>;

/// Cheap to clone.
#[derive(Clone)]
pub struct Relays {
    operator: Arc<dyn Operator>,
    connect: Connect,
    pool: Arc<Mutex<Vec<Line>>>,
}

/// A connection, and who uses it: it is closed with the last of them.
struct Line {
    channel: Channel,
    users: Weak<()>,
}

impl Relays {
    pub fn new(operator: Arc<dyn Operator>, connect: Connect) -> Self {
        Self { operator, connect, pool: Arc::default() }
    }

    /// Returns at once; what comes of it is the caller's to see.
    pub fn begin(&self, open: wire::OpenRelay) {
        let relays = self.clone();
        tokio::spawn(async move {
            let relay = open.relay_id.clone();
            if let Err(error) = relays.serve(open).await {
                tracing::warn!(relay.id = relay, error = %chain(error.as_ref()), "a relay failed");
            }
        });
    }

    async fn serve(
        &self,
        open: wire::OpenRelay,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let within = open.open_within.and_then(|within| Duration::try_from(within).ok());
        let within = within.unwrap_or(OPEN_WITHIN).min(OPEN_WITHIN);
        let operation = open.operation.map(convert::operation_from_wire).transpose()?.flatten();
        let opened = wire::RelayOpened { relay_id: open.relay_id, token: open.token };
        let opened = wire::RelayFrame { body: Some(wire::relay_frame::Body::Opened(opened)) };
        let (to, outgoing) = mpsc::channel::<Frame>(FRAMES);
        let outgoing = tokio_stream::once(opened)
            .chain(ReceiverStream::new(outgoing).map(convert::frame_to_wire));
        let calling = async {
            let (channel, user) = self.line().await?;
            let response = AgentServiceClient::new(channel).relay(outgoing).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((response.into_inner(), user))
        };
        let (inbound, user) = timeout(within, calling).await??;
        let _user = Lingering(Some(user));
        let (from, hung_up) = listen(inbound);
        let end = match operation {
            Some(operation) => {
                let farewell = async {
                    hung_up.notified().await;
                    tokio::time::sleep(FAREWELL).await;
                };
                // The operation is dropped only when it has not ended by itself long after its caller has gone.
                tokio::select! {
                    end = self.operator.perform(operation, from, to.clone()) => end,
                    () = farewell => return Ok(()),
                }
            }
            None => End::new(EndReason::Unsupported, "an operation that this agent does not know"),
        };
        // A caller who has gone does not read it.
        drop(to.send(Frame::End(end)).await);
        drop(to);
        // Hanging up first would throw away what is still on its way.
        drop(timeout(FAREWELL, hung_up.notified()).await);
        Ok(())
    }

    /// A connection with room for one more, dialed if there is none.
    async fn line(&self) -> Result<(Channel, Arc<()>), Box<dyn std::error::Error + Send + Sync>> {
        if let Some(found) = self.lock().iter().find_map(Line::take) {
            return Ok(found);
        }
        let channel = (self.connect)().await?;
        let user = Arc::new(());
        let mut pool = self.lock();
        pool.retain(|line| line.users.strong_count() > 0);
        pool.push(Line { channel: channel.clone(), users: Arc::downgrade(&user) });
        Ok((channel, user))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        // Nothing panics while it is held.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a connection for whoever comes next: dialing costs more than most operations.
struct Lingering(Option<Arc<()>>);

impl Drop for Lingering {
    fn drop(&mut self) {
        let user = self.0.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(LINGER).await;
                drop(user);
            });
        }
    }
}

impl Line {
    fn take(&self) -> Option<(Channel, Arc<()>)> {
        let user = self.users.upgrade()?;
        // One is the upgrade itself.
        // Those who linger are counted too: a burst may dial one connection more than it needs.
        (Arc::strong_count(&user) <= STREAMS).then(|| (self.channel.clone(), user))
    }
}

/// Frames from the controller, and a word when it has hung up.
fn listen(
    mut inbound: Streaming<wire::RelayFrame>,
) -> (mpsc::Receiver<Frame>, Arc<tokio::sync::Notify>) {
    let (sender, receiver) = mpsc::channel(FRAMES);
    let hung_up = Arc::new(tokio::sync::Notify::new());
    let notify = Arc::clone(&hung_up);
    tokio::spawn(async move {
        let mut sender = Some(sender);
        while let Ok(Some(frame)) = inbound.message().await {
            match convert::frame_from_wire(frame) {
                // An operation that has ended does not listen; the controller is heard until it hangs up.
                Ok(Some(frame)) => {
                    if let Some(open) = &sender
                        && open.send(frame).await.is_err()
                    {
                        sender = None;
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a relay's frame cannot be read"),
            }
        }
        drop(sender);
        notify.notify_one();
    });
    (receiver, hung_up)
}
