//! The loop around one session.

use std::sync::Arc;

use berth_app::{
    adopt::{self, Holding},
    figures::Figures,
    observe::{self, Report},
    writer::{Committed, Handle, chain},
};
use berth_core::{
    clock::Clock,
    desired::DesiredUpdate,
    desired::Refusal,
    id::NodeId,
    node::{Inventory, Liveness, Trouble},
};
use berth_proto::{
    agent::v1 as wire,
    convert::{agent as convert, usage::report_from_wire as report_from_blade},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use crate::{
    registry::{End, Registry, Seat, Timing},
    session::Desired,
};

/// Messages to an agent that wait for the network. Desired sets are coalesced before they get here, so this holds acks.
const OUTBOX: usize = 64;

pub(crate) type Outbox = mpsc::Sender<Result<wire::ControllerMessage, Status>>;

pub(crate) struct Runner {
    pub(crate) node: NodeId,
    pub(crate) handle: Handle,
    pub(crate) registry: Registry,
    pub(crate) timing: Timing,
    pub(crate) outbox: Outbox,
    pub(crate) figures: Figures,
    pub(crate) clock: Arc<dyn Clock>,
}

pub(crate) fn outbox() -> (Outbox, mpsc::Receiver<Result<wire::ControllerMessage, Status>>) {
    mpsc::channel(OUTBOX)
}

/// The session's end, as it is told to the agent.
enum Stop {
    Goodbye(wire::goodbye::Reason, &'static str),
    /// The agent hung up, or cannot be reached.
    Gone,
}

impl Runner {
    pub(crate) async fn run(
        self,
        seat: Seat,
        ended: oneshot::Receiver<End>,
        inbound: impl Stream<Item = Result<wire::AgentMessage, Status>> + Unpin,
        hello: wire::Hello,
    ) {
        let session = uuid::Uuid::from_u128(rand::random()).to_string();
        tracing::info!(node.id = %self.node, session.id = %session, agent.version = %hello.agent_version, "session begins");
        if let Stop::Goodbye(reason, detail) = self.converse(ended, inbound, hello, session).await {
            tracing::info!(node.id = %self.node, ?reason, "session ends");
            let goodbye = wire::Goodbye { reason: reason.into(), detail: detail.to_owned() };
            self.send(wire::controller_message::Body::Goodbye(goodbye)).await;
        } else {
            tracing::info!(node.id = %self.node, "session lost");
        }
        drop(seat);
    }

    async fn converse(
        &self,
        mut ended: oneshot::Receiver<End>,
        mut inbound: impl Stream<Item = Result<wire::AgentMessage, Status>> + Unpin,
        mut hello: wire::Hello,
        session_id: String,
    ) -> Stop {
        let epoch = self.handle.committed().state.epoch.to_string();
        let inventory = match convert::inventory_from_wire(
            hello.inventory.take().unwrap_or_default(),
        ) {
            Ok(inventory) => inventory,
            Err(error) => {
                tracing::warn!(node.id = %self.node, %error, "the agent's inventory cannot be read");
                return Stop::Goodbye(
                    wire::goodbye::Reason::AgentTooOld,
                    "the inventory cannot be read",
                );
            }
        };
        self.send(wire::controller_message::Body::Welcome(wire::Welcome {
            protocol: 1,
            heartbeat_period: prost_duration(self.timing.heartbeat),
            report_period: prost_duration(self.timing.repeat),
            session_id,
            cluster_epoch: epoch.clone(),
        }))
        .await;
        // Before it counts as ready: nothing may be placed over what it holds.
        if !hello.cluster_epoch.is_empty() && hello.cluster_epoch != epoch {
            let patience = self.timing.unreachable_after;
            match tokio::time::timeout(patience, holding(&mut inbound)).await {
                Ok(Some(held)) => {
                    if self.adopt(held).await.is_err() {
                        return Stop::Gone;
                    }
                }
                Ok(None) | Err(_) => return Stop::Gone,
            }
        }
        if self.connected(&hello.agent_version, inventory).await.is_err() {
            return Stop::Gone;
        }
        self.compare_ledger(&hello, &epoch).await;

        let (reports, reporting) = self.reporter();
        // What the agent held when it spoke: messages of a session arrive in their order.
        let mut held = if hello.cluster_epoch == epoch { hello.accepted_generation } else { 0 };
        let mut desired = Desired::default();
        let mut committed = self.handle.subscribe();
        let mut generation = None;
        let mut repeat = interval_at(Instant::now() + self.timing.repeat, self.timing.repeat);
        repeat.set_missed_tick_behavior(MissedTickBehavior::Delay);

        let stop = loop {
            // Every arm is cancel-safe: a stream's next, a watch's changed, an interval's tick, a oneshot by reference.
            let update = tokio::select! {
                biased;
                end = &mut ended => break match end {
                    Ok(End::Superseded) => Stop::Goodbye(wire::goodbye::Reason::Superseded, "a newer session of this node"),
                    Ok(End::ShuttingDown) | Err(_) => {
                        Stop::Goodbye(wire::goodbye::Reason::ShuttingDown, "the controller stops")
                    }
                },
                changed = committed.changed() => {
                    if changed.is_err() {
                        break Stop::Goodbye(wire::goodbye::Reason::ShuttingDown, "the controller stops");
                    }
                    let committed: Arc<Committed> = Arc::clone(&committed.borrow_and_update());
                    let Some(node) = committed.state.nodes.get(&self.node) else {
                        break Stop::Goodbye(wire::goodbye::Reason::NodeDeleted, "this node was deleted");
                    };
                    if generation == Some(node.desired_generation) {
                        continue;
                    }
                    generation = Some(node.desired_generation);
                    desired.changed(Arc::new(committed.state.desired_set(self.node)))
                }
                message = inbound.next() => match message {
                    Some(Ok(message)) => {
                        self.registry.heard(self.node);
                        self.revive().await;
                        match message.body {
                            Some(body) => self.message(body, &mut desired, &mut held, &reports).await,
                            // A kind of message that a newer agent knows: nothing is lost by not knowing it.
                            None => None,
                        }
                    }
                    Some(Err(_)) | None => break Stop::Gone,
                },
                _ = repeat.tick() => desired.repeat(),
            };
            if let Some(update) = update {
                self.send_desired(&update).await;
            }
            if self.outbox.is_closed() {
                break Stop::Gone;
            }
        };
        drop(reports);
        // Reports that were received are applied, also when the agent has gone.
        drop(reporting.await);
        stop
    }

    async fn message(
        &self,
        body: wire::agent_message::Body,
        desired: &mut Desired,
        held: &mut u64,
        reports: &mpsc::Sender<(u64, wire::Observed)>,
    ) -> Option<DesiredUpdate> {
        match body {
            // The greeting comes once; a second one changes nothing.
            wire::agent_message::Body::Hello(_) => None,
            wire::agent_message::Body::Heartbeat(heartbeat) => {
                let ack = wire::HeartbeatAck { seq: heartbeat.seq };
                self.send(wire::controller_message::Body::HeartbeatAck(ack)).await;
                None
            }
            wire::agent_message::Body::DesiredAck(ack) => {
                match ack.refusal() {
                    wire::Refusal::Unspecified => {
                        *held = ack.generation;
                        self.set_ahead(Ahead::No).await;
                    }
                    wire::Refusal::Stale | wire::Refusal::Conflict => {
                        self.set_ahead(Ahead::Yes).await;
                    }
                    wire::Refusal::NeedsCompleteSet | wire::Refusal::LedgerFailed => {}
                }
                self.acknowledge(&ack, desired)
            }
            wire::agent_message::Body::Observed(observed) => {
                // A full queue makes the agent wait: its reports are coalesced there. The task ends after this sender.
                drop(reports.send((*held, observed)).await);
                None
            }
            wire::agent_message::Body::Inventory(inventory) => {
                self.inventory(inventory).await;
                None
            }
            wire::agent_message::Body::Holding(held) => {
                // Not applied: it says it again in its next session.
                drop(self.adopt(held).await);
                None
            }
            wire::agent_message::Body::Figures(figures) => {
                self.record(&figures);
                None
            }
        }
    }

    fn acknowledge(&self, ack: &wire::DesiredAck, desired: &mut Desired) -> Option<DesiredUpdate> {
        let refusal = match ack.refusal() {
            wire::Refusal::Unspecified => return desired.acknowledged(ack.generation),
            wire::Refusal::Stale => Refusal::Stale,
            wire::Refusal::Conflict => Refusal::Conflict,
            // Its disk would not take it: everything is sent anew when it asks again.
            wire::Refusal::NeedsCompleteSet | wire::Refusal::LedgerFailed => {
                Refusal::NeedsCompleteSet
            }
        };
        tracing::warn!(node.id = %self.node, generation = ack.generation, ?refusal, detail = %ack.detail, "desired set refused");
        desired.refused(ack.generation, refusal)
    }

    /// The ledger of another epoch, into the database.
    async fn adopt(&self, held: wire::Holding) -> Result<(), berth_app::error::Error> {
        let (containers, malformed) = convert::held_from_wire(held.containers);
        let (retained, also) = convert::held_from_wire(held.retained);
        for error in malformed.into_iter().chain(also) {
            tracing::error!(node.id = %self.node, %error, "a container of the blade's ledger cannot be read and is not adopted");
        }
        let Ok(epoch) = held.cluster_epoch.parse() else {
            tracing::error!(node.id = %self.node, "the epoch of the blade's ledger cannot be read");
            return Ok(());
        };
        let holding = Holding { epoch, generation: held.generation, containers, retained };
        let node = self.node;
        let result = self
            .handle
            .apply(move |transaction| Ok(adopt::adopt(transaction, node, holding)))
            .await;
        match &result {
            Ok(adopted) => {
                tracing::warn!(
                    node.id = %node, unknown = adopted.unknown, later = adopted.later, gone = adopted.gone, left = adopted.left,
                    "the blade's ledger was adopted"
                );
            }
            Err(error) => {
                tracing::warn!(node.id = %node, error = %chain(error), "the blade's ledger was not adopted");
            }
        }
        result.map(drop)
    }

    /// A ledger of this epoch that has come further than the database: somebody has put an older one back.
    async fn compare_ledger(&self, hello: &wire::Hello, epoch: &str) {
        let committed = self.handle.committed();
        let Some(node) = committed.state.nodes.get(&self.node) else { return };
        if hello.cluster_epoch == epoch && hello.accepted_generation > node.desired_generation {
            self.set_ahead(Ahead::Yes).await;
        }
    }

    async fn set_ahead(&self, ahead: Ahead) {
        let committed = self.handle.committed();
        let Some(node) = committed.state.nodes.get(&self.node) else { return };
        let is = node.troubles.contains(&Trouble::LedgerAhead);
        if is == (ahead == Ahead::Yes) {
            return;
        }
        let node = self.node;
        tracing::warn!(node.id = %node, ?ahead, "whether the blade's ledger is ahead of the database");
        let done = self
            .handle
            .apply(move |transaction| {
                match ahead {
                    Ahead::Yes => {
                        observe::trouble_begins(transaction, node, Trouble::LedgerAhead);
                    }
                    Ahead::No => observe::trouble_ends(transaction, node, Trouble::LedgerAhead),
                }
                Ok(())
            })
            .await;
        if let Err(error) = done {
            tracing::warn!(node.id = %node, error = %chain(&error), "a trouble was not recorded");
        }
    }

    /// Applies reports in their order, beside the conversation: a commit must not hold back the next desired set.
    fn reporter(&self) -> (mpsc::Sender<(u64, wire::Observed)>, tokio::task::JoinHandle<()>) {
        let (sender, mut receiver) = mpsc::channel::<(u64, wire::Observed)>(OUTBOX);
        let (node, handle, outbox) = (self.node, self.handle.clone(), self.outbox.clone());
        let task = tokio::spawn(async move {
            while let Some((held, observed)) = receiver.recv().await {
                let seq = observed.seq;
                let report = match report_from_wire(held, observed) {
                    Ok(report) => report,
                    Err(error) => {
                        tracing::warn!(node.id = %node, %error, "a report cannot be read");
                        continue;
                    }
                };
                let applied = handle
                    .apply(move |transaction| {
                        observe::report(transaction, node, report);
                        Ok(())
                    })
                    .await;
                match applied {
                    Ok(()) => {
                        let body =
                            wire::controller_message::Body::ObservedAck(wire::ObservedAck { seq });
                        // The agent may have gone; it reports everything when it is back.
                        drop(outbox.send(Ok(wire::ControllerMessage { body: Some(body) })).await);
                    }
                    // Not acknowledged: the agent's next full report says it again.
                    Err(error) => {
                        tracing::warn!(node.id = %node, error = %chain(&error), "a report was not recorded");
                    }
                }
            }
        });
        (sender, task)
    }

    async fn connected(
        &self,
        version: &str,
        inventory: Inventory,
    ) -> Result<(), berth_app::error::Error> {
        self.registry.heard(self.node);
        let (node, version) = (self.node, version.to_owned());
        self.handle
            .apply(move |transaction| {
                observe::connected(transaction, node, &version, inventory);
                Ok(())
            })
            .await
    }

    /// Two agents with this identity: nothing new is placed there until somebody has looked.
    pub(crate) async fn found_two(&self) {
        let node = self.node;
        tracing::error!(node.id = %node, "two agents take turns with one identity; the blade is cordoned");
        let done = self
            .handle
            .apply(move |transaction| {
                observe::trouble_begins(transaction, node, Trouble::TwoAgents);
                Ok(())
            })
            .await;
        if let Err(error) = done {
            tracing::warn!(node.id = %node, error = %chain(&error), "a trouble was not recorded");
        }
    }

    /// It was taken for silent, and speaks.
    async fn revive(&self) {
        let committed = self.handle.committed();
        if committed.state.nodes.get(&self.node).is_none_or(|node| node.liveness == Liveness::Ready)
        {
            return;
        }
        let node = self.node;
        let done = self
            .handle
            .apply(move |transaction| {
                observe::liveness(transaction, node, Liveness::Ready);
                Ok(())
            })
            .await;
        if let Err(error) = done {
            tracing::warn!(node.id = %node, error = %chain(&error), "liveness was not recorded");
        }
    }

    async fn inventory(&self, inventory: wire::Inventory) {
        let inventory = match convert::inventory_from_wire(inventory) {
            Ok(inventory) => inventory,
            Err(error) => {
                tracing::warn!(node.id = %self.node, %error, "the agent's inventory cannot be read");
                return;
            }
        };
        let node = self.node;
        let done = self
            .handle
            .apply(move |transaction| {
                observe::inventory(transaction, node, inventory);
                Ok(())
            })
            .await;
        if let Err(error) = done {
            tracing::warn!(node.id = %node, error = %chain(&error), "the inventory was not recorded");
        }
    }

    /// In memory alone, and never acknowledged: a lost one is a gap.
    fn record(&self, figures: &wire::Figures) {
        let report = report_from_blade(figures);
        let committed = self.handle.committed();
        self.figures.record(&committed.state, self.node, &report, self.clock.now());
    }

    async fn send_desired(&self, update: &DesiredUpdate) {
        tracing::debug!(
            node.id = %self.node, generation = update.generation, base = update.base, containers = update.containers.len(),
            "desired set sent"
        );
        self.send(wire::controller_message::Body::Desired(convert::desired_to_wire(update))).await;
    }

    /// A closed outbox is noticed by the loop.
    async fn send(&self, body: wire::controller_message::Body) {
        drop(self.outbox.send(Ok(wire::ControllerMessage { body: Some(body) })).await);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    Yes,
    No,
}

/// The ledger that was asked for; what comes before it is of no use yet.
async fn holding(
    inbound: &mut (impl Stream<Item = Result<wire::AgentMessage, Status>> + Unpin),
) -> Option<wire::Holding> {
    while let Some(Ok(message)) = inbound.next().await {
        if let Some(wire::agent_message::Body::Holding(holding)) = message.body {
            return Some(holding);
        }
    }
    None
}

fn report_from_wire(held: u64, observed: wire::Observed) -> Result<Report, convert::Malformed> {
    let mut containers = Vec::with_capacity(observed.containers.len());
    let mut orphans = 0;
    for container in observed.containers {
        let (id, observed, orphan) = convert::observed_from_wire(container)?;
        orphans += u32::from(orphan);
        if !orphan {
            containers.push((id, observed));
        }
    }
    let orphans = observed.full.then_some(orphans);
    Ok(Report {
        full: observed.full,
        held,
        reconciled_generation: observed.reconciled_generation,
        containers,
        orphans,
    })
}

fn prost_duration(duration: std::time::Duration) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(duration).ok()
}
