//! Another definition for a container that is there.
//!
//! # Guarantees
//! A guest port that stays keeps its host port, and the GPUs stay where their number does. What a container has no use for any
//! more goes to nobody until the blade has said that the old one is gone. What does not fit on the container's own blade is
//! refused: home and volumes may be there.

use std::sync::Arc;

use berth_core::{
    clock::Timestamp,
    container::{Container, ContainerSpec, Leaving, Placement, StopCause},
    create::Limits,
    definition::change::{self, Change, Field, Plan},
    environment::Environment,
    id::ContainerId,
    node::Node,
    storage::Holder,
};
use berth_scheduler::{Held, NodeSnapshot, missing_label, revise};

use crate::{
    authz::Actor,
    containers::{self, Selector},
    error::{Error, Kind},
    placement,
    state::State,
    transaction::Transaction,
    volumes,
};

/// How far a change may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Nothing that the container wrote is lost.
    InPlace,
    Recreation,
}

/// A change, and how far it may go.
#[derive(Debug, Clone)]
pub struct Asked {
    pub change: Change,
    pub consent: Consent,
}

pub fn update(
    transaction: &mut Transaction,
    actor: &Actor,
    selector: &Selector,
    asked: &Asked,
    limits: &Limits,
) -> Result<ContainerId, Error> {
    let now = transaction.now();
    let (container, plan) = preview(transaction.state(), actor, selector, asked, limits, now)?;
    let id = container.id;
    if !plan.changes.is_empty() {
        if let Some(placement) = &container.placement {
            volumes::bind(transaction, &container.spec, placement.node);
        }
        transaction.put_container(container);
    }
    Ok(id)
}

/// What it would be, and what that takes. Nothing is kept.
pub fn preview(
    state: &State,
    actor: &Actor,
    selector: &Selector,
    asked: &Asked,
    limits: &Limits,
    now: Timestamp,
) -> Result<(Container, Plan), Error> {
    let old = containers::find(state, actor, selector)?;
    containers::refuse_deleted(old)?;
    let merged = change::merge(old, &asked.change, limits)
        .map_err(|violations| Error::InvalidArgument { violations })?;
    let mut spec = merged.spec;
    if let Some(named) = merged.volumes {
        spec.volumes = volumes::resolve(state, old.owner, &named)?;
    }
    let plan = change::plan(old, &spec);
    if plan.is_recreation() && asked.consent == Consent::InPlace {
        return Err(Error::NeedsRecreation { fields: plan.recreation });
    }
    let mut new = Container::clone(old);
    if plan.changes.contains(&Field::Lease)
        && let Some(lease) = spec.lease
    {
        new.lease_ends_at = now + lease;
    }
    let is_anew = plan.is_recreation() || old.placement.is_none();
    if is_anew && let Some(owner) = state.users.get(&old.owner) {
        spec.holder = Some(Holder::of(owner));
    }
    if let Some(previous) = &old.placement {
        let node = node(state, previous)?;
        if plan.is_recreation() {
            new.placement = Some(place_anew(state, node, old, &spec, previous)?);
            make_anew(&mut new);
        } else if plan.changes.contains(&Field::NodeLabels)
            && let Some(why) = missing_label(node, &spec.node_labels)
        {
            return Err(Error::DoesNotFit(vec![why]));
        }
    }
    new.spec = spec;
    Ok((new, plan))
}

fn node<'a>(state: &'a State, placement: &Placement) -> Result<&'a Arc<Node>, Error> {
    let id = placement.node;
    state.nodes.get(&id).ok_or_else(|| Error::not_found(Kind::Node, id.to_string()))
}

fn place_anew(
    state: &State,
    node: &Node,
    old: &Container,
    spec: &ContainerSpec,
    previous: &Placement,
) -> Result<Placement, Error> {
    let published = spec.published();
    let request = placement::request(state, old.id, spec, &published);
    let (resources, gpus) = old.set_aside();
    let held = old.admitted.then_some(Held { resources, gpus });
    let used = state.usage(node.id);
    let mut placement =
        revise(&NodeSnapshot { node, used: &used }, &request, previous, held.as_ref())
            .map_err(Error::DoesNotFit)?;
    placement.leaving = held.map(|held| Leaving {
        resources: held.resources,
        gpus: held.gpus.into_iter().collect(),
        volumes: old.open_volumes(),
    });
    Ok(placement)
}

fn make_anew(container: &mut Container) {
    container.incarnation += 1;
    container.observed = None;
    // How the one before ended says nothing of this one.
    match container.stop_cause {
        Some(StopCause::Exited { .. } | StopCause::Failed(_) | StopCause::Gone) => {
            container.stop_cause = None;
        }
        None | Some(StopCause::ByUser | StopCause::LeaseEnded | StopCause::OverQuota) => {}
    }
}

/// The values of a container's secrets, for another one of the same person's.
pub fn secrets_of(state: &State, actor: &Actor, name: &str) -> Result<Environment, Error> {
    let selector = Selector { owner: String::new(), name: name.to_owned() };
    let container = containers::find(state, actor, &selector)?;
    if container.owner != actor.user.id {
        return Err(Error::not_found(Kind::Container, name));
    }
    Ok(change::parts(&container.spec).0)
}
