//! What must be so once everything works again and nobody asks for anything: each engine has exactly what its rows say.

use std::collections::{BTreeMap, BTreeSet};

use berth_app::state::State;
use berth_core::{
    container::{Container, DesiredPhase},
    fault::{Fault, FaultKind},
    id::{ContainerId, NodeId, UserId},
    node::Liveness,
};
use berth_reconcile::runtime::{EngineContainer, EngineState};
use berth_scheduler::{Decision, PlacementRequest, Usage, place};

use crate::{blade::Blade, world::World};

/// What is not so yet; nothing when the run has come to rest.
pub(crate) fn unsettled(world: &World) -> Vec<String> {
    let Some(handle) = world.live() else { return vec!["no controller".to_owned()] };
    let committed = handle.committed();
    let state = &committed.state;
    let mut open = Vec::new();
    let mut engines: BTreeMap<(NodeId, ContainerId), Vec<EngineContainer>> = BTreeMap::new();
    for blade in &world.blades {
        for engine in blade.machine.containers() {
            engines.entry((blade.node, engine.container)).or_default().push(engine);
        }
    }
    for row in state.containers.values() {
        let here = row.placement.as_ref().and_then(|p| engines.remove(&(p.node, row.id)));
        if !is_kept_from_starting(world, row) {
            open.extend(row_open(state, row, &here.unwrap_or_default()));
        }
    }
    // What is left has no row, or its row is of another blade.
    open.extend(engines.keys().map(|(node, id)| format!("leak: {id} on {node} has no row")));
    for blade in &world.blades {
        open.extend(blade_open(state, blade));
    }
    open
}

fn row_open(state: &State, row: &Container, engine: &[EngineContainer]) -> Option<String> {
    let running: Vec<_> =
        engine.iter().filter(|e| matches!(e.state, EngineState::Running { .. })).collect();
    let id = row.id;
    match row.desired {
        DesiredPhase::Removed => Some(format!("stays deleting: {id}")),
        DesiredPhase::Stopped if row.admitted => Some(format!("its room is not given back: {id}")),
        DesiredPhase::Stopped | DesiredPhase::Running if !row.admitted => {
            if !running.is_empty() {
                return Some(format!("runs although it is not to: {id}"));
            }
            waits_in_vain(state, row).then(|| format!("waits although there is room: {id}"))
        }
        DesiredPhase::Stopped => None,
        DesiredPhase::Running => match (running.as_slice(), engine) {
            ([one], [_]) if one.incarnation == row.incarnation => {
                let carried_out =
                    row.current_observed().is_some_and(|o| o.restart_nonce >= row.restart_nonce);
                (!carried_out).then(|| format!("its restart is not carried out: {id}"))
            }
            ([], _) => Some(format!("does not run: {id} {engine:?} {:?}", row.observed)),
            (_, _) => Some(format!("has more than one: {id} {engine:?}")),
        },
    }
}

/// It ran before, and what it wrote is there: it waits for its own port, which a foreign process has taken meanwhile.
fn is_kept_from_starting(world: &World, row: &Container) -> bool {
    let Some(observed) = row.current_observed() else { return false };
    let Some(Fault { kind: FaultKind::PortInUse { port }, .. }) = &observed.fault else {
        return false;
    };
    let node = row.placement.as_ref().map(|placement| placement.node);
    row.admitted
        && row.desired == DesiredPhase::Running
        && observed.retrying
        && observed.started_at.is_some()
        && world.blades.iter().any(|blade| Some(blade.node) == node && blade.is_foreign(*port))
}

fn waits_in_vain(state: &State, row: &Container) -> bool {
    let nothing = Usage::default();
    let published = row.spec.published();
    let request = PlacementRequest {
        container: row.id,
        resources: row.spec.resources,
        gpus: row.spec.gpus,
        guest_ports: &published,
        node_labels: &row.spec.node_labels,
        runtime: row.spec.runtime,
        run_as: row.spec.run_as,
        volumes: vec![],
        previous: row.placement.as_ref(),
    };
    row.desired == DesiredPhase::Running
        && matches!(place(&state.cluster_snapshot(&nothing), &request), Decision::Placed { .. })
}

fn blade_open(state: &State, blade: &Blade) -> Vec<String> {
    let mut open = Vec::new();
    let Some(node) = state.nodes.get(&blade.node) else {
        return vec![format!("{} has no row", blade.name)];
    };
    if node.liveness != Liveness::Ready {
        open.push(format!("{} is not ready", blade.name));
    }
    let wanted = state.desired_set(blade.node);
    let held = blade.machine.ledger().set;
    if held.as_ref() != Some(&wanted) {
        let generation = held.map(|set| set.generation);
        open.push(format!("{} holds {generation:?} of {}", blade.name, wanted.generation));
    }
    if node.reconciled_generation < wanted.generation {
        open.push(format!(
            "{} has reconciled {} of {}",
            blade.name, node.reconciled_generation, wanted.generation
        ));
    }
    let mut needed: BTreeSet<UserId> =
        wanted.containers.values().map(|container| container.spec.user).collect();
    needed.extend(blade.machine.containers().iter().map(|engine| engine.user));
    if !blade.machine.networks().is_subset(&needed) {
        open.push(format!("leak: {} has a network without users", blade.name));
    }
    if node.orphans > 0 {
        open.push(format!("{} has orphans", blade.name));
    }
    open
}

/// The sums that are kept are the sums.
pub(crate) fn check_sums(world: &World, state: &State) {
    for node in state.nodes.keys() {
        if state.usage(*node) != state.usage_recounted(*node) {
            world.journal.violation("the usage that is kept is not the usage");
        }
    }
    if !state.gpus_lent_twice().is_empty() {
        world.journal.violation("a GPU is lent twice");
    }
}
