//! What blades say, and what that leads to. Observed fields have one writer: this file.

use berth_core::{
    container::{Container, DesiredPhase, PortBinding, StopCause},
    fault::FaultKind,
    id::{ContainerId, NodeId},
    node::{Availability, Inventory, Liveness, Node, Trouble},
    observed::{Observed, ObservedPhase},
};

use crate::{state::State, transaction::Transaction};

/// A program that ends sooner than this after its start ended "at once".
const AT_ONCE: std::time::Duration = std::time::Duration::from_secs(5);

/// One report: everything a blade knows, or what changed.
#[derive(Debug, Clone)]
pub struct Report {
    pub full: bool,
    /// The generation that the blade held when it said this.
    pub held: u64,
    pub reconciled_generation: u64,
    pub containers: Vec<(ContainerId, Observed)>,
    /// Ours by their labels, in no desired set. `None` when the report does not say.
    pub orphans: Option<u32>,
}

pub fn connected(transaction: &mut Transaction, id: NodeId, version: &str, inventory: Inventory) {
    let epoch = transaction.state().epoch;
    with_node(transaction, id, |node| {
        // What it holds of another epoch was taken in before.
        node.spoke_in = Some(epoch);
        node.agent_version = version.to_owned();
        set_inventory(node, inventory);
    });
    liveness(transaction, id, Liveness::Ready);
}

pub fn inventory(transaction: &mut Transaction, id: NodeId, inventory: Inventory) {
    with_node(transaction, id, |node| set_inventory(node, inventory));
}

fn set_inventory(node: &mut Node, inventory: Inventory) {
    // The agent looked again: a port that it no longer reports may be offered again.
    node.excluded_ports.retain(|port| inventory.foreign_ports.contains(port));
    node.inventory = inventory;
}

/// A change of liveness stops or allows new placements, and nothing else.
pub fn liveness(transaction: &mut Transaction, id: NodeId, liveness: Liveness) {
    let now = transaction.now();
    with_node(transaction, id, |node| {
        if node.liveness != liveness {
            node.liveness = liveness;
            node.liveness_since = now;
        }
    });
}

/// What the controller has against a blade, and what it has not.
pub fn trouble_begins(transaction: &mut Transaction, id: NodeId, trouble: Trouble) {
    with_node(transaction, id, |node| {
        node.troubles.insert(trouble);
        match trouble {
            Trouble::LedgerAhead => {}
            Trouble::TwoAgents => node.availability = Availability::Cordoned,
        }
    });
}

pub fn trouble_ends(transaction: &mut Transaction, id: NodeId, trouble: Trouble) {
    with_node(transaction, id, |node| {
        node.troubles.remove(&trouble);
    });
}

pub fn report(transaction: &mut Transaction, id: NodeId, report: Report) {
    with_node(transaction, id, |node| {
        node.reconciled_generation = node.reconciled_generation.max(report.reconciled_generation);
        if let Some(orphans) = report.orphans {
            node.orphans = orphans;
        }
    });
    for (container, observed) in report.containers {
        observe(transaction, id, report.held, container, &observed);
    }
}

fn observe(
    transaction: &mut Transaction,
    node: NodeId,
    held: u64,
    id: ContainerId,
    observed: &Observed,
) {
    let Some(container) = transaction.state().containers.get(&id) else { return };
    if container.placement.as_ref().is_none_or(|placement| placement.node != node) {
        return;
    }
    if container.desired == DesiredPhase::Removed && observed.phase == ObservedPhase::Removed {
        transaction.remove_container(id);
        return;
    }
    // A report of an earlier incarnation was on its way while a new one was ordered.
    if observed.incarnation != container.incarnation {
        return;
    }
    let mut container = Container::clone(container);
    container.observed = Some(observed.clone());
    let order_done = observed.restart_nonce >= container.restart_nonce;
    if container.desired == DesiredPhase::Running && container.admitted {
        match observed.phase {
            ObservedPhase::Exited if order_done => end(&mut container, exited(observed)),
            // A port that is in use keeps a start from being carried out at all.
            ObservedPhase::Failed if order_done || observed.retrying => {
                failed(transaction, node, &mut container, observed);
            }
            ObservedPhase::Exited | ObservedPhase::Failed => {}
            ObservedPhase::Absent
            | ObservedPhase::Pulling
            | ObservedPhase::Starting
            | ObservedPhase::Running
            | ObservedPhase::Stopping
            | ObservedPhase::Removed => {}
        }
    }
    // What it says is an answer to the order to stop only if it had heard it: otherwise an earlier order to run may still be
    // before it, and another would get the GPU that it is about to use.
    if container.desired != DesiredPhase::Running
        && container.is_known_idle()
        && transaction.state().stopped_in(id).is_some_and(|generation| held >= generation)
    {
        container.admitted = false;
    }
    // What is superseded is taken away before its successor is made.
    let is_over = !container.admitted || observed.phase == ObservedPhase::Running;
    if is_over && let Some(placement) = &mut container.placement {
        placement.leaving = None;
    }
    transaction.put_container(container);
}

fn failed(
    transaction: &mut Transaction,
    node: NodeId,
    container: &mut Container,
    observed: &Observed,
) {
    let Some(fault) = &observed.fault else { return };
    match fault.kind {
        // It never ran, so nothing of it is lost when it is made anew with another port.
        FaultKind::PortInUse { port } if observed.started_at.is_none() => {
            with_node(transaction, node, |node| {
                node.excluded_ports.insert(port);
            });
            // On the same blade: a try that is still under way there must not meet it running elsewhere. Where no port is left,
            // the agent goes on trying this one.
            if let Some(ports) = other_ports(transaction.state(), container)
                && let Some(placement) = &mut container.placement
            {
                placement.ports = ports;
                container.incarnation += 1;
                container.observed = None;
            }
        }
        _ if observed.retrying => {}
        _ => end(container, StopCause::Failed(fault.clone())),
    }
}

/// As many free ports of its blade, for the same guest ports.
fn other_ports(state: &State, container: &Container) -> Option<Vec<PortBinding>> {
    let placement = container.placement.as_ref()?;
    let node = state.nodes.get(&placement.node)?;
    let used = state.usage(placement.node).ports;
    let inventory = &node.inventory;
    let mut free = (inventory.ports.start..=inventory.ports.end).filter(|port| {
        !used.contains(port)
            && !inventory.foreign_ports.contains(port)
            && !node.excluded_ports.contains(port)
    });
    let bind = |binding: &PortBinding| Some(PortBinding { host: free.next()?, ..*binding });
    placement.ports.iter().map(bind).collect()
}

fn exited(observed: &Observed) -> StopCause {
    let at_once = match (observed.started_at, observed.finished_at) {
        (Some(started), Some(finished)) => finished.since(started) < AT_ONCE,
        _ => false,
    };
    StopCause::Exited {
        exit_code: observed.exit_code,
        out_of_memory: observed.out_of_memory,
        at_once,
    }
}

/// It is over until somebody starts it again: what it held goes to those who wait.
fn end(container: &mut Container, cause: StopCause) {
    container.desired = DesiredPhase::Stopped;
    container.stop_cause = Some(cause);
}

fn with_node(transaction: &mut Transaction, id: NodeId, change: impl FnOnce(&mut Node)) {
    // A blade that was deleted while its last words were on their way.
    let Some(node) = transaction.state().nodes.get(&id) else { return };
    let mut node = Node::clone(node);
    change(&mut node);
    transaction.put_node(node);
}
