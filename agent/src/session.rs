//! The session with the controller: dial, greet, then state both ways until it breaks; then again.
//!
//! # Flow
//! A set arrives, is accepted durably, is acknowledged, and wakes the reconciler. What the reconciler observes is sent as it
//! changes, the latest of each container only. Everything is sent at the start and at the controller's period.
//!
//! # Guarantees
//! A session that ends, however it ends, changes nothing on this blade.

use std::{sync::Arc, time::Duration};

use berth_core::{
    clock::Clock, desired::Refusal, id::ContainerId, node::Inventory, observed::Observed,
};
use berth_proto::{
    agent::v1::{self as wire, agent_service_client::AgentServiceClient},
    convert::{agent as convert, usage::report_to_wire},
};
use berth_reconcile::{
    ledger::Ledger,
    reconciler::{AcceptError, Orphan, Reconciler},
    runtime::Runtime,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, interval_at},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};

use crate::{
    backoff::{Backoff, GOOD_LIFE},
    figures::Latest,
    relay::{Connect, Relays},
};

const PROTOCOL: u32 = 1;
/// 10,000 containers are 15 MiB.
const MESSAGE_MAXIMUM: usize = 64 << 20;
/// Messages that wait for the network. Reports are coalesced before they get here.
const OUTBOX: usize = 16;
/// A controller that does not greet back within this is no controller.
const GREETING: Duration = Duration::from_secs(10);

/// What a session is held with.
pub struct Agent<R, L> {
    pub reconciler: Arc<Reconciler<R, L>>,
    pub inventory: watch::Receiver<Inventory>,
    /// What is used, as it was last seen.
    pub figures: Latest,
    pub clock: Arc<dyn Clock>,
    pub relays: Relays,
    /// Made at each start of the process.
    pub instance_id: String,
    pub boot_id: String,
}

/// How a session ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    #[error("the controller says goodbye: {reason:?} {detail}")]
    Goodbye { reason: wire::goodbye::Reason, detail: String },
    #[error("the connection broke: {}", .0.message())]
    Broken(tonic::Status),
    #[error("the controller closed the session")]
    Closed,
    #[error("the controller did not greet back")]
    NoGreeting,
}

/// What a connection attempt comes to; the caller knows how to dial and who we are.
pub type Connected = Result<Channel, Box<dyn std::error::Error + Send + Sync>>;

impl<R: Runtime, L: Ledger> Agent<R, L> {
    /// Sessions, one after another, for ever. `connect` is asked for a fresh channel each time.
    pub async fn run(mut self, connect: Connect, random: impl Fn() -> f64) {
        let mut backoff = Backoff::default();
        loop {
            match connect().await {
                Ok(channel) => {
                    let begun = Instant::now();
                    let end = self.session(channel).await;
                    tracing::info!(%end, "session ended");
                    if begun.elapsed() >= GOOD_LIFE {
                        backoff.reset();
                    }
                }
                Err(error) => tracing::warn!(error = %chain(error.as_ref()), "no connection"),
            }
            tokio::time::sleep(backoff.pause(random())).await;
        }
    }

    async fn session(&mut self, channel: Channel) -> End {
        let (outbox, outgoing) = mpsc::channel(OUTBOX);
        let hello = self.hello();
        if send(&outbox, wire::agent_message::Body::Hello(hello)).await.is_err() {
            return End::Closed;
        }
        let mut client = AgentServiceClient::new(channel)
            .max_decoding_message_size(MESSAGE_MAXIMUM)
            .max_encoding_message_size(MESSAGE_MAXIMUM);
        let opened =
            tokio::time::timeout(GREETING, client.session(ReceiverStream::new(outgoing))).await;
        let mut inbound = match opened {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return End::Broken(status),
            Err(_) => return End::NoGreeting,
        };
        let welcome = match tokio::time::timeout(GREETING, welcome(&mut inbound)).await {
            Ok(Ok(welcome)) => welcome,
            Ok(Err(end)) => return end,
            Err(_) => return End::NoGreeting,
        };
        tracing::info!(session.id = %welcome.session_id, "session begins");
        if let Some(holding) = self.holding(&welcome.cluster_epoch)
            && let Err(end) = send(&outbox, wire::agent_message::Body::Holding(holding)).await
        {
            return end;
        }
        match self.converse(&outbox, &mut inbound, &welcome).await {
            Ok(()) => End::Closed,
            Err(end) => end,
        }
    }

    fn hello(&mut self) -> wire::Hello {
        let held = self.reconciler.held();
        wire::Hello {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_min: PROTOCOL,
            protocol_max: PROTOCOL,
            features: vec!["docker".to_owned()],
            instance_id: self.instance_id.clone(),
            boot_id: self.boot_id.clone(),
            cluster_epoch: held.map(|(epoch, _)| epoch.to_string()).unwrap_or_default(),
            accepted_generation: held.map_or(0, |(_, generation)| generation),
            inventory: Some(convert::inventory_to_wire(&self.inventory.borrow_and_update())),
        }
    }

    /// What a controller with another epoch cannot know; and what earlier ones left, which it may know by now.
    fn holding(&self, epoch: &str) -> Option<wire::Holding> {
        let (set, retained) = self.reconciler.holding();
        let set = set?;
        let same = set.epoch.to_string() == epoch;
        if same && retained.is_empty() {
            return None;
        }
        let wire = convert::desired_container_to_wire;
        Some(wire::Holding {
            cluster_epoch: set.epoch.to_string(),
            generation: set.generation,
            containers: if same { Vec::new() } else { set.containers.values().map(wire).collect() },
            retained: retained.iter().map(wire).collect(),
        })
    }

    async fn converse(
        &mut self,
        outbox: &mpsc::Sender<wire::AgentMessage>,
        inbound: &mut Streaming<wire::ControllerMessage>,
        welcome: &wire::Welcome,
    ) -> Result<(), End> {
        let mut heartbeats =
            interval(period(welcome.heartbeat_period.as_ref(), Duration::from_secs(5)));
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let repeat = period(welcome.report_period.as_ref(), Duration::from_secs(600));
        let mut full_reports = interval_at(Instant::now() + repeat, repeat);
        let mut seq = 0;
        // Everything first, and after the controller's set, which is its first word: what is said then is said of that set.
        // Before the engine has been listed there is nothing to say; then the first change says it all.
        let mut full_due = true;
        let mut told = false;
        let mut heartbeat_seq = 0;
        loop {
            if told
                && full_due
                && let Some(all) = self.reconciler.everything()
            {
                full_due = false;
                self.report(outbox, &mut seq, Fullness::Everything, all).await?;
            }
            // Every arm is cancel-safe: a tonic stream's message, intervals, a Notify, a watch's changed. In this order, not by
            // chance: what is rare goes first, so nothing is starved, and the simulation can repeat a run.
            tokio::select! {
                biased;
                _ = heartbeats.tick() => {
                    heartbeat_seq += 1;
                    send(outbox, wire::agent_message::Body::Heartbeat(wire::Heartbeat { seq: heartbeat_seq })).await?;
                }
                _ = full_reports.tick() => full_due = true,
                () = news(&mut self.inventory) => {
                    let inventory = convert::inventory_to_wire(&self.inventory.borrow_and_update());
                    send(outbox, wire::agent_message::Body::Inventory(inventory)).await?;
                }
                () = news(&mut self.figures) => self.tell_figures(outbox),
                message = inbound.message() => match message {
                    Ok(Some(message)) => {
                        told |= matches!(
                            message.body,
                            Some(wire::controller_message::Body::Desired(_))
                        );
                        self.message(outbox, message).await?;
                    }
                    Ok(None) => return Err(End::Closed),
                    Err(status) => return Err(End::Broken(status)),
                },
                () = self.reconciler.changed() => {
                    if !full_due && let Some(changes) = self.reconciler.take_changes() {
                        self.report(outbox, &mut seq, Fullness::Changes, changes).await?;
                    }
                }
            }
        }
    }

    /// Only where there is room: what is used must never hold up what is said for good, and the next look is newer.
    fn tell_figures(&mut self, outbox: &mpsc::Sender<wire::AgentMessage>) {
        let latest = self.figures.borrow_and_update().clone();
        if let Some(report) = latest
            && outbox.capacity() > OUTBOX / 2
        {
            let body = wire::agent_message::Body::Figures(report_to_wire(&report));
            // A closed outbox is noticed by the next thing that is said for good.
            drop(outbox.try_send(wire::AgentMessage { body: Some(body) }));
        }
    }

    async fn message(
        &self,
        outbox: &mpsc::Sender<wire::AgentMessage>,
        message: wire::ControllerMessage,
    ) -> Result<(), End> {
        match message.body {
            Some(wire::controller_message::Body::Desired(desired)) => {
                let ack = self.accept(desired).await;
                send(outbox, wire::agent_message::Body::DesiredAck(ack)).await
            }
            Some(wire::controller_message::Body::OpenRelay(open)) => {
                self.relays.begin(open);
                Ok(())
            }
            Some(wire::controller_message::Body::Goodbye(goodbye)) => {
                let reason = goodbye.reason();
                Err(End::Goodbye { reason, detail: goodbye.detail })
            }
            Some(
                wire::controller_message::Body::Welcome(_)
                | wire::controller_message::Body::HeartbeatAck(_)
                | wire::controller_message::Body::ObservedAck(_),
            )
            // A newer controller may say more than we know.
            | None => Ok(()),
        }
    }

    /// Durable before it is acknowledged.
    async fn accept(&self, desired: wire::Desired) -> wire::DesiredAck {
        let generation = desired.generation;
        let refuse = |refusal: wire::Refusal, detail: String| {
            tracing::warn!(generation, ?refusal, %detail, "desired set refused");
            wire::DesiredAck { generation, refusal: refusal.into(), detail }
        };
        let update = match convert::desired_from_wire(desired) {
            Ok(update) => update,
            Err(error) => return refuse(wire::Refusal::Conflict, error.to_string()),
        };
        match self.reconciler.accept(update).await {
            Ok(generation) => {
                tracing::debug!(generation, "desired set accepted");
                wire::DesiredAck {
                    generation,
                    refusal: wire::Refusal::Unspecified.into(),
                    detail: String::new(),
                }
            }
            Err(AcceptError::Refused(refusal)) => {
                let code = match refusal {
                    Refusal::Stale => wire::Refusal::Stale,
                    Refusal::Conflict => wire::Refusal::Conflict,
                    Refusal::NeedsCompleteSet => wire::Refusal::NeedsCompleteSet,
                };
                refuse(code, refusal.to_string())
            }
            Err(AcceptError::Ledger(error)) => {
                refuse(wire::Refusal::LedgerFailed, error.to_string())
            }
        }
    }

    async fn report(
        &self,
        outbox: &mpsc::Sender<wire::AgentMessage>,
        seq: &mut u64,
        fullness: Fullness,
        containers: Vec<(ContainerId, Observed, Orphan)>,
    ) -> Result<(), End> {
        *seq += 1;
        let containers = containers
            .into_iter()
            .map(|(id, observed, orphan)| {
                convert::observed_to_wire(id, &observed, orphan == Orphan::Yes)
            })
            .collect();
        let observed = wire::Observed {
            seq: *seq,
            full: fullness == Fullness::Everything,
            reconciled_generation: self.reconciler.reconciled_generation(),
            containers,
        };
        send(outbox, wire::agent_message::Body::Observed(observed)).await
    }
}

/// Waits for something new. Where nobody looks any more (the task has died, or it is a simulation), what was last seen stays
/// true enough until the process ends. Cancel-safe.
async fn news<T>(latest: &mut watch::Receiver<T>) {
    if latest.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fullness {
    Everything,
    Changes,
}

async fn welcome(inbound: &mut Streaming<wire::ControllerMessage>) -> Result<wire::Welcome, End> {
    loop {
        match inbound.message().await.map_err(End::Broken)?.ok_or(End::Closed)?.body {
            Some(wire::controller_message::Body::Welcome(welcome)) => return Ok(welcome),
            Some(wire::controller_message::Body::Goodbye(goodbye)) => {
                return Err(End::Goodbye { reason: goodbye.reason(), detail: goodbye.detail });
            }
            Some(_) | None => {}
        }
    }
}

async fn send(
    outbox: &mpsc::Sender<wire::AgentMessage>,
    body: wire::agent_message::Body,
) -> Result<(), End> {
    outbox.send(wire::AgentMessage { body: Some(body) }).await.map_err(|_| End::Closed)
}

fn period(duration: Option<&prost_types::Duration>, default: Duration) -> Duration {
    duration
        .and_then(|duration| Duration::try_from(*duration).ok())
        // Whatever a controller says: not so often that it hurts, not so seldom that it counts as silence.
        .map_or(default, |period| {
            period.clamp(Duration::from_millis(100), Duration::from_secs(3600))
        })
}

/// An error with all of its causes, for logs.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
