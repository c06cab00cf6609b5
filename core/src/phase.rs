//! What a person sees: one phase and, where there is something to explain, a reason. Derived, never stored.

use crate::{
    container::{Container, DesiredPhase, StopCause},
    explanation::Explanation,
    fault::Fault,
    node::Liveness,
    observed::{Observed, ObservedPhase},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    Pending,
    Pulling,
    Starting,
    Running,
    Stopping,
    Stopped,
    Failed,
    Deleting,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    WaitingForRoom(Explanation),
    SentToNode,
    NodeUnreachable,
    Fault {
        fault: Fault,
        retrying: bool,
    },
    Exited {
        exit_code: i32,
        at_once: bool,
    },
    OutOfMemory,
    StoppedByUser,
    LeaseEnded,
    OverQuota,
    /// Its blade has nothing of it any more.
    Gone,
}

/// `liveness` is that of the blade it is placed on.
pub fn of(container: &Container, liveness: Liveness) -> (Phase, Option<Reason>) {
    match container.desired {
        DesiredPhase::Removed => (Phase::Deleting, unreachable(liveness)),
        DesiredPhase::Stopped => stopped(container, liveness),
        DesiredPhase::Running if !container.admitted => {
            (Phase::Pending, container.waiting.clone().map(Reason::WaitingForRoom))
        }
        DesiredPhase::Running => match container.current_observed() {
            None => (Phase::Starting, unreachable(liveness).or(Some(Reason::SentToNode))),
            Some(observed) => running(container, observed, liveness),
        },
    }
}

fn running(
    container: &Container,
    observed: &Observed,
    liveness: Liveness,
) -> (Phase, Option<Reason>) {
    let fault =
        || observed.fault.clone().map(|fault| Reason::Fault { fault, retrying: observed.retrying });
    let order_pending = observed.restart_nonce < container.restart_nonce;
    match observed.phase {
        ObservedPhase::Pulling => (Phase::Pulling, unreachable(liveness).or_else(fault)),
        ObservedPhase::Running if !order_pending => (Phase::Running, unreachable(liveness)),
        ObservedPhase::Failed if !observed.retrying && !order_pending => (Phase::Failed, fault()),
        ObservedPhase::Absent
        | ObservedPhase::Starting
        | ObservedPhase::Running
        | ObservedPhase::Stopping
        | ObservedPhase::Exited
        | ObservedPhase::Removed
        | ObservedPhase::Failed => (Phase::Starting, unreachable(liveness).or_else(fault)),
    }
}

fn stopped(container: &Container, liveness: Liveness) -> (Phase, Option<Reason>) {
    if container.admitted && !container.is_known_idle() {
        return (Phase::Stopping, unreachable(liveness));
    }
    match &container.stop_cause {
        None => (Phase::Stopped, None),
        Some(StopCause::ByUser) => (Phase::Stopped, Some(Reason::StoppedByUser)),
        Some(StopCause::LeaseEnded) => (Phase::Stopped, Some(Reason::LeaseEnded)),
        Some(StopCause::OverQuota) => (Phase::Stopped, Some(Reason::OverQuota)),
        Some(StopCause::Gone) => (Phase::Stopped, Some(Reason::Gone)),
        Some(StopCause::Failed(fault)) => {
            (Phase::Failed, Some(Reason::Fault { fault: fault.clone(), retrying: false }))
        }
        Some(StopCause::Exited { out_of_memory: true, .. }) => {
            (Phase::Failed, Some(Reason::OutOfMemory))
        }
        Some(StopCause::Exited { exit_code, at_once, out_of_memory: false }) => {
            let phase = if *exit_code == 0 { Phase::Stopped } else { Phase::Failed };
            (phase, Some(Reason::Exited { exit_code: *exit_code, at_once: *at_once }))
        }
    }
}

fn unreachable(liveness: Liveness) -> Option<Reason> {
    match liveness {
        Liveness::Unreachable => Some(Reason::NodeUnreachable),
        Liveness::Ready | Liveness::Unknown => None,
    }
}
