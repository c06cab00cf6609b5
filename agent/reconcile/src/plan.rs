//! What to do next for one container. Pure: one step, from what is wanted, what the engine has, and what was tried.

use std::{collections::BTreeSet, time::Duration};

use berth_core::{
    clock::Timestamp,
    container::DesiredPhase,
    desired::{DesiredContainer, DesiredSet},
    fault::Fault,
    id::UserId,
    image::ImageRef,
    observed::PullProgress,
};

use crate::{
    ledger::{Begun, Restart},
    point::PlantedFault,
    runtime::{CreateOrder, EngineContainer, EngineId, EngineState},
};

/// All that a plan looks at.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// `None`: in no set, an orphan.
    pub desired: Option<&'a DesiredContainer>,
    /// Everything the engine has of this container, all incarnations.
    pub engine: &'a [EngineContainer],
    pub restart: Option<&'a Restart>,
    pub memo: &'a Memo,
    /// Kept from an earlier epoch, to be adopted.
    pub retained: bool,
    pub now: Timestamp,
    /// The engine has run since then without a break; what it says was started earlier was ended by its stop or by the
    /// machine's.
    pub up_since: Timestamp,
    pub orphan_grace: Duration,
    pub planted: Option<PlantedFault>,
}

/// What was tried since the agent's start. Losing it costs time, nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memo {
    pub need: Option<Need>,
    /// The image was fetched for it; if it is missing again, fetching it again will not help.
    pub pulled: bool,
    pub fault: Option<Fault>,
    pub attempts: u32,
    /// The pause after a failure ends then.
    pub not_before: Option<Timestamp>,
    /// Trying again cannot help until it is ordered anew: (incarnation, restart_nonce).
    pub gave_up: Option<(u32, u64)>,
    pub orphan_since: Option<Timestamp>,
    pub pull: Option<PullProgress>,
    /// What is being done at this moment.
    pub doing: Option<Step>,
    /// The engine did not answer a call that may have had its effect: until the engine is listed, what is known is a guess.
    pub unsure: bool,
}

/// What the engine said was missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Image,
    Network,
}

impl Memo {
    /// The engine shows something new of a container whose last call was not answered: the call had its effect, and was no
    /// failure.
    pub(crate) fn answered_late(&mut self) {
        if std::mem::take(&mut self.unsure) {
            self.fault = None;
            self.not_before = None;
            self.attempts = 0;
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    CreateNetwork(UserId),
    Pull(ImageRef),
    Create(Box<CreateOrder>),
    Start(EngineId),
    Stop(EngineId),
    Remove(EngineId),
    /// Writes down that a restart begins.
    BeginRestart(Begun),
    /// Writes down that it has happened.
    FinishRestart {
        nonce: u64,
    },
}

/// A step, or none and a time at which to look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    pub step: Option<Step>,
    pub wake_at: Option<Timestamp>,
}

impl Next {
    fn step(step: Step) -> Self {
        Self { step: Some(step), wake_at: None }
    }

    fn done() -> Self {
        Self { step: None, wake_at: None }
    }

    fn wait(until: Timestamp) -> Self {
        Self { step: None, wake_at: Some(until) }
    }
}

/// Removals come first: what is superseded must be gone before its successor is made, since it may hold the same ports.
pub fn next(s: &Situation<'_>) -> Next {
    let Some(desired) = s.desired else { return orphan(s) };
    let obsolete = s.engine.iter().find(|container| {
        container.incarnation < desired.incarnation || desired.phase == DesiredPhase::Removed
    });
    if let Some(obsolete) = obsolete {
        return Next::step(take_away(obsolete));
    }
    if s.engine.iter().any(|container| container.incarnation > desired.incarnation) {
        // An order from before what is here was made: a database was put back. Beside it, nothing is made.
        return Next::done();
    }
    let current = s.engine.iter().find(|container| container.incarnation == desired.incarnation);
    match desired.phase {
        DesiredPhase::Removed => Next::done(),
        DesiredPhase::Stopped => stopped(current),
        DesiredPhase::Running if desired.not_after <= s.now => lease_ended(s, desired, current),
        DesiredPhase::Running => {
            let mut next = running(s, desired, current);
            // The end of the lease comes, also when nobody says so.
            next.wake_at =
                Some(next.wake_at.map_or(desired.not_after, |at| at.min(desired.not_after)));
            next
        }
    }
}

/// Absence is no permission to destroy: it is stopped after a grace, and kept.
fn orphan(s: &Situation<'_>) -> Next {
    if s.planted == Some(PlantedFault::AbsenceDestroys) {
        return s
            .engine
            .first()
            .map_or_else(Next::done, |container| Next::step(take_away(container)));
    }
    let running =
        s.engine.iter().find(|container| matches!(container.state, EngineState::Running { .. }));
    match (running, s.memo.orphan_since) {
        (Some(_), _) if s.retained => Next::done(),
        (Some(container), Some(since)) if since + s.orphan_grace <= s.now => {
            Next::step(Step::Stop(container.id.clone()))
        }
        (Some(_), Some(since)) => Next::wait(since + s.orphan_grace),
        (Some(_), None) | (None, _) => Next::done(),
    }
}

fn take_away(container: &EngineContainer) -> Step {
    match container.state {
        // Its program is told to end before it is killed.
        EngineState::Running { .. } => Step::Stop(container.id.clone()),
        EngineState::Created | EngineState::Exited { .. } | EngineState::Removing => {
            Step::Remove(container.id.clone())
        }
    }
}

fn stopped(current: Option<&EngineContainer>) -> Next {
    match current {
        Some(EngineContainer { id, state: EngineState::Running { .. }, .. }) => {
            Next::step(Step::Stop(id.clone()))
        }
        Some(_) | None => Next::done(),
    }
}

/// Stopped by this blade's own clock. That it was our doing is written down first, so that it starts again if the lease was
/// extended meanwhile.
fn lease_ended(
    s: &Situation<'_>,
    desired: &DesiredContainer,
    current: Option<&EngineContainer>,
) -> Next {
    let Some(EngineContainer { state: EngineState::Running { started_at }, .. }) = current else {
        return Next::done();
    };
    match begun(s, desired) {
        Some(begun) if begun.started_before == *started_at => stopped(current),
        Some(begun) => Next::step(Step::FinishRestart { nonce: begun.nonce }),
        None => {
            let nonce = applied(s, desired, current);
            Next::step(Step::BeginRestart(Begun { nonce, started_before: *started_at }))
        }
    }
}

fn running(
    s: &Situation<'_>,
    desired: &DesiredContainer,
    current: Option<&EngineContainer>,
) -> Next {
    if s.memo.gave_up == Some((desired.incarnation, desired.restart_nonce)) {
        return Next::done();
    }
    if let Some(until) = s.memo.not_before.filter(|until| *until > s.now) {
        return Next::wait(until);
    }
    match s.memo.need {
        Some(Need::Network) => return Next::step(Step::CreateNetwork(desired.spec.user)),
        Some(Need::Image) if current.is_none() => {
            return Next::step(Step::Pull(desired.spec.image.clone()));
        }
        Some(Need::Image) | None => {}
    }
    let Some(current) = current else {
        return Next::step(Step::Create(Box::new(CreateOrder {
            container: desired.id,
            incarnation: desired.incarnation,
            restart_nonce: desired.restart_nonce,
            spec: desired.spec.clone(),
        })));
    };
    let ordered_anew = desired.restart_nonce > applied(s, desired, Some(current));
    let begun = begun(s, desired);
    let begin = |started_before| {
        Next::step(Step::BeginRestart(Begun { nonce: desired.restart_nonce, started_before }))
    };
    let start = || Next::step(Step::Start(current.id.clone()));
    match &current.state {
        EngineState::Removing => Next::step(Step::Remove(current.id.clone())),
        EngineState::Created => match begun {
            None if ordered_anew => begin(Timestamp::default()),
            Some(begun) if begun.nonce < desired.restart_nonce => begin(Timestamp::default()),
            _ => start(),
        },
        EngineState::Running { started_at } => match begun {
            Some(begun) if begun.started_before == *started_at && ordered_anew => {
                Next::step(Step::Stop(current.id.clone()))
            }
            Some(begun) => Next::step(Step::FinishRestart { nonce: begun.nonce }),
            None if ordered_anew => begin(*started_at),
            None => Next::done(),
        },
        EngineState::Exited { started_at, .. } => match begun {
            // Another order meanwhile, while it does not run: one start carries out both.
            Some(begun)
                if begun.started_before == *started_at && begun.nonce < desired.restart_nonce =>
            {
                begin(*started_at)
            }
            Some(begun) if begun.started_before == *started_at => start(),
            Some(begun) => Next::step(Step::FinishRestart { nonce: begun.nonce }),
            None if ordered_anew => begin(*started_at),
            // The machine or its engine went down and came back: it runs again, as before.
            None if *started_at < s.up_since => start(),
            // It ended by itself. Whether it is started again is for its owner to say.
            None => Next::done(),
        },
    }
}

fn begun(s: &Situation<'_>, desired: &DesiredContainer) -> Option<Begun> {
    s.restart.filter(|restart| restart.incarnation == desired.incarnation)?.begun
}

/// The last order to start anew that was carried out on this engine container.
pub(crate) fn applied(
    s: &Situation<'_>,
    desired: &DesiredContainer,
    current: Option<&EngineContainer>,
) -> u64 {
    let recorded = s.restart.filter(|restart| restart.incarnation == desired.incarnation);
    let created = current.map_or(0, |container| container.created_nonce);
    recorded.map_or(created, |restart| restart.applied.max(created))
}

/// Users whose network is no longer needed: nobody here is theirs, wanted or left over.
pub fn networks_to_remove<'a>(
    set: &DesiredSet,
    engine: impl Iterator<Item = &'a EngineContainer>,
    networks: &BTreeSet<UserId>,
) -> Vec<UserId> {
    let mut needed: BTreeSet<UserId> = engine.map(|container| container.user).collect();
    let wanted =
        set.containers.values().filter(|container| container.phase != DesiredPhase::Removed);
    needed.extend(wanted.map(|container| container.spec.user));
    networks.difference(&needed).copied().collect()
}

/// 1 s, 2 s, 4 s ... 60 s.
pub fn pause(attempts: u32) -> Duration {
    Duration::from_secs(1 << attempts.min(6)).min(Duration::from_secs(60))
}
