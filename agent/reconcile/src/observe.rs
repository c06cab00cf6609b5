//! What is said of a container. Pure, from the same situation that the plan sees.

use berth_core::{
    container::DesiredPhase,
    desired::DesiredContainer,
    observed::{Observed, ObservedPhase},
};

use crate::{
    plan::{Situation, Step, applied, next},
    runtime::{EngineContainer, EngineState},
};

pub fn observe(s: &Situation<'_>) -> Observed {
    let Some(desired) = s.desired else { return orphan(s) };
    let current = s.engine.iter().find(|container| container.incarnation == desired.incarnation);
    let mut observed = Observed::new(desired.incarnation, phase(s, desired, current));
    observed.restart_nonce = carried_out(s, desired, current);
    if let Some(current) = current {
        describe(&mut observed, current);
    }
    if observed.phase == ObservedPhase::Pulling {
        observed.pull = s.memo.pull;
    }
    if desired.phase == DesiredPhase::Running {
        observed.fault = s.memo.fault.clone();
        let gave_up = s.memo.gave_up == Some((desired.incarnation, desired.restart_nonce));
        observed.retrying = observed.fault.is_some() && !gave_up;
    }
    observed
}

fn phase(
    s: &Situation<'_>,
    desired: &DesiredContainer,
    current: Option<&EngineContainer>,
) -> ObservedPhase {
    // A call is under way, or its answer was lost: a creation or a start may have its effect yet. Who is told that nothing
    // runs gives its GPU to somebody else; who is told that it is gone forgets it.
    let unsure = s.memo.doing.is_some() || s.memo.unsure;
    // An earlier incarnation uses the same GPUs until it is stopped.
    let another_runs = s.engine.iter().any(|container| {
        container.incarnation != desired.incarnation
            && matches!(container.state, EngineState::Running { .. })
    });
    if desired.phase != DesiredPhase::Running && (unsure || another_runs) {
        return ObservedPhase::Stopping;
    }
    if desired.phase == DesiredPhase::Removed {
        return if s.engine.is_empty() { ObservedPhase::Removed } else { ObservedPhase::Stopping };
    }
    match (&s.memo.doing, current.map(|container| &container.state)) {
        (Some(Step::Stop(_)), _) => return ObservedPhase::Stopping,
        (Some(Step::Pull(_)), _) => return ObservedPhase::Pulling,
        _ => {}
    }
    let wants_to_run = desired.phase == DesiredPhase::Running && desired.not_after > s.now;
    if wants_to_run
        && s.memo.fault.is_some()
        && !matches!(current, Some(EngineContainer { state: EngineState::Running { .. }, .. }))
    {
        return ObservedPhase::Failed;
    }
    // A step that is still to come means that the engine's state is not the last word.
    let on_its_way = wants_to_run && next(s).step.is_some();
    match current.map(|container| &container.state) {
        None if wants_to_run => ObservedPhase::Starting,
        None => ObservedPhase::Absent,
        Some(EngineState::Created) if wants_to_run => ObservedPhase::Starting,
        // Never ran, and is not meant to.
        Some(EngineState::Created) => ObservedPhase::Absent,
        Some(EngineState::Running { .. }) if desired.phase == DesiredPhase::Stopped => {
            ObservedPhase::Stopping
        }
        Some(EngineState::Running { .. }) => ObservedPhase::Running,
        Some(EngineState::Exited { .. }) if on_its_way => ObservedPhase::Starting,
        Some(EngineState::Exited { .. }) => ObservedPhase::Exited,
        Some(EngineState::Removing) => ObservedPhase::Stopping,
    }
}

/// While a restart is under way, or a stop by the lease's end that an extension may take back, the order is not done.
fn carried_out(
    s: &Situation<'_>,
    desired: &DesiredContainer,
    current: Option<&EngineContainer>,
) -> u64 {
    let gave_up = s.memo.gave_up == Some((desired.incarnation, desired.restart_nonce));
    if current.is_none() || gave_up {
        // There is nothing that could be restarted: making it anew carries out the order.
        return desired.restart_nonce;
    }
    let applied = applied(s, desired, current);
    let begun = s
        .restart
        .filter(|restart| restart.incarnation == desired.incarnation)
        .and_then(|r| r.begun);
    match begun {
        Some(begun) => applied.min(begun.nonce.saturating_sub(1)),
        None => applied,
    }
}

fn describe(observed: &mut Observed, container: &EngineContainer) {
    observed.image_digest.clone_from(&container.image_digest);
    match &container.state {
        EngineState::Created | EngineState::Removing => {}
        EngineState::Running { started_at } => observed.started_at = Some(*started_at),
        EngineState::Exited { started_at, finished_at, exit_code, out_of_memory } => {
            observed.started_at = Some(*started_at);
            observed.finished_at = Some(*finished_at);
            observed.exit_code = *exit_code;
            observed.out_of_memory = *out_of_memory;
        }
    }
}

fn orphan(s: &Situation<'_>) -> Observed {
    let Some(newest) = s.engine.iter().max_by_key(|container| container.incarnation) else {
        return Observed::new(0, ObservedPhase::Absent);
    };
    let phase = match newest.state {
        EngineState::Created => ObservedPhase::Absent,
        EngineState::Running { .. } => ObservedPhase::Running,
        EngineState::Exited { .. } => ObservedPhase::Exited,
        EngineState::Removing => ObservedPhase::Stopping,
    };
    let mut observed = Observed::new(newest.incarnation, phase);
    describe(&mut observed, newest);
    observed
}
