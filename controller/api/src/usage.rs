//! What containers and blades use.

use std::{sync::Arc, time::Duration};

use berth_app::{
    authz::Access,
    containers::{self, Selector},
    error::Error,
    figures::Series,
    nodes,
    ports::StoreError,
    state::State,
};
use berth_core::{
    clock::Timestamp,
    container::Container,
    figures::{PERIOD, Subject, Width},
    id::{ContainerId, NodeId, UserId},
    node::Node,
    violation::{Problem, Violation},
};
use berth_proto::{
    convert::{seconds, timestamp, usage},
    v1::{self, usage_service_server::UsageService},
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{
    Api,
    caller::{Caller, answer},
    container::{account, whose},
    permit::Permit,
};

const HOUR: Duration = Duration::from_secs(3600);
/// A row has some 200 bytes, and a client takes 4 MiB.
const PART: usize = 2000;
/// Who does not read is told how it is then, and not how it was.
const QUEUE: usize = 1;

type Answer<T> = Result<Response<T>, Status>;
type Said = Result<v1::WatchFiguresResponse, Status>;

#[tonic::async_trait]
impl UsageService for Api {
    type WatchFiguresStream = ReceiverStream<Said>;

    async fn get_figures(
        &self,
        request: Request<v1::GetFiguresRequest>,
    ) -> Answer<v1::GetFiguresResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let (owner, name) = (message.owner.clone(), message.name.clone());
            let committed = self.committed();
            let selector = Selector { owner, name };
            let container = containers::find(&committed.state, caller.actor()?, &selector)?;
            let wanted = wanted(message.window.as_ref(), message.resolution())?;
            let limits = limits(&committed.state, container);
            self.series(Subject::Container(container.id), wanted, limits).await
        })
        .await
    }

    async fn get_node_figures(
        &self,
        request: Request<v1::GetNodeFiguresRequest>,
    ) -> Answer<v1::GetFiguresResponse> {
        answer(request, |_, message: v1::GetNodeFiguresRequest| async move {
            let committed = self.committed();
            let node = nodes::find(&committed.state, &message.name)?;
            let wanted = wanted(message.window.as_ref(), message.resolution())?;
            self.series(Subject::Node(node.id), wanted, node_limits(node)).await
        })
        .await
    }

    async fn watch_figures(
        &self,
        request: Request<v1::WatchFiguresRequest>,
    ) -> Answer<Self::WatchFiguresStream> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let scope = Scope::of(&self.committed().state, &caller, message)?;
            let (sender, receiver) = mpsc::channel(QUEUE);
            let api = self.clone();
            tokio::spawn(async move { follow(&api, &caller, scope, sender).await });
            Ok(ReceiverStream::new(receiver))
        })
        .await
    }
}

/// How far back, and how far apart: `None` is every look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    window: Duration,
    width: Option<Width>,
}

fn wanted(
    window: Option<&prost_types::Duration>,
    resolution: v1::Resolution,
) -> Result<Wanted, Error> {
    let width = |window: Duration| match resolution {
        v1::Resolution::Look => None,
        v1::Resolution::FiveMinutes => Some(Width::FiveMinutes),
        v1::Resolution::Hour => Some(Width::Hour),
        v1::Resolution::Unspecified if window <= HOUR => None,
        v1::Resolution::Unspecified if window <= Width::FiveMinutes.kept() => {
            Some(Width::FiveMinutes)
        }
        v1::Resolution::Unspecified => Some(Width::Hour),
    };
    let Some(asked) = window else { return Ok(Wanted { window: HOUR, width: width(HOUR) }) };
    let window = Duration::from_secs(u64::try_from(seconds(asked)).unwrap_or(0));
    let width = width(window);
    let maximum = width.map_or(HOUR, Width::kept);
    let problem = if window.is_zero() {
        Problem::TooSmall { minimum: "1 s".to_owned() }
    } else if window > maximum {
        Problem::TooLarge { maximum: format!("{} h", maximum.as_secs() / 3600) }
    } else {
        return Ok(Wanted { window, width });
    };
    Err(Error::InvalidArgument { violations: vec![Violation::new("window", problem)] })
}

impl Api {
    async fn series(
        &self,
        subject: Subject,
        wanted: Wanted,
        limits: v1::Limits,
    ) -> Result<v1::GetFiguresResponse, Error> {
        let (figures, now) = (&self.0.figures, self.0.clock.now());
        let window = i64::try_from(wanted.window.as_millis()).unwrap_or(i64::MAX);
        let since = Timestamp(now.0.saturating_sub(window));
        let series = match wanted.width {
            None => figures.looks(subject, since),
            Some(width) => figures
                .rolled_up(self.0.history.as_ref(), subject, width, since, now)
                .await
                .map_err(unread)?,
        };
        let (width, points) = match &series {
            Series::Looks(looks) => {
                (None, looks.iter().map(|(at, look)| usage::look(*at, look)).collect())
            }
            Series::RolledUp(width, rows) => {
                (Some(*width), rows.iter().map(usage::roll_up).collect())
            }
        };
        let resolution = usage::resolution(width).into();
        Ok(v1::GetFiguresResponse { resolution, points, limits: Some(limits) })
    }
}

fn unread(error: StoreError) -> Error {
    match error {
        StoreError::Unavailable(_) => Error::Unavailable { retry_after: Duration::from_secs(1) },
        error @ (StoreError::Conflict { .. } | StoreError::Corrupt { .. }) => {
            Error::internal(error)
        }
    }
}

/// What a stream shows.
#[derive(Debug, Clone, Copy)]
enum Scope {
    Owner(UserId),
    Container(ContainerId),
    Node(NodeId),
    Everything,
}

impl Scope {
    fn of(state: &State, caller: &Caller, message: v1::WatchFiguresRequest) -> Result<Self, Error> {
        let actor = caller.actor()?;
        let v1::WatchFiguresRequest { owner, name, node } = message;
        if !node.is_empty() {
            if !actor.is_administrator() {
                return Err(Error::PermissionDenied);
            }
            return Ok(Scope::Node(nodes::find(state, &node)?.id));
        }
        let of = whose(state, caller, &owner)?;
        if !name.is_empty() {
            let owner = if owner == "-" { String::new() } else { owner };
            let container = containers::find(state, actor, &Selector { owner, name })?;
            return Ok(Scope::Container(container.id));
        }
        Ok(of.map_or(Scope::Everything, Scope::Owner))
    }
}

async fn follow(api: &Api, caller: &Arc<Caller>, scope: Scope, sender: mpsc::Sender<Said>) {
    let mut permit = Permit::new(api, caller, Access::OwnContainer);
    let mut looks = interval(PERIOD);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = loop {
        // All are cancel-safe.
        tokio::select! {
            biased;
            end = permit.ends() => break end,
            () = sender.closed() => return,
            _ = looks.tick() => {}
        }
        for part in look(api, scope) {
            tokio::select! {
                biased;
                // Also while a caller takes nothing.
                end = permit.ends() => return refuse(&sender, caller, end).await,
                sent = sender.send(Ok(part)) => if sent.is_err() { return },
            }
        }
    };
    refuse(&sender, caller, end).await;
}

async fn refuse(sender: &mpsc::Sender<Said>, caller: &Caller, error: Option<Error>) {
    if let Some(error) = error {
        // A closed queue has nobody to tell.
        drop(sender.send(Err(caller.status(&error))).await);
    }
}

/// Everything in the scope that is not silent, in messages of a size that any client takes.
fn look(api: &Api, scope: Scope) -> Vec<v1::WatchFiguresResponse> {
    let committed = api.committed();
    let state = &committed.state;
    let now = api.0.clock.now();
    let row = |container: &Arc<Container>| row(api, state, container, now);
    let containers: Vec<v1::ContainerFigures> = match scope {
        Scope::Owner(owner) => state.containers_of(owner).filter_map(row).collect(),
        Scope::Container(id) => state.containers.get(&id).and_then(row).into_iter().collect(),
        Scope::Node(node) => state.containers_on(node).filter_map(row).collect(),
        Scope::Everything => state.containers.values().filter_map(row).collect(),
    };
    let node_row = |node: &Arc<Node>| node_row(api, node, now);
    let nodes: Vec<v1::NodeFigures> = match scope {
        Scope::Owner(_) | Scope::Container(_) => Vec::new(),
        Scope::Node(id) => state.nodes.get(&id).and_then(node_row).into_iter().collect(),
        Scope::Everything => state.nodes.values().filter_map(node_row).collect(),
    };
    split(containers, nodes)
}

/// The last of them with the blades; there is always one, so that who watches nothing knows it.
fn split(
    containers: Vec<v1::ContainerFigures>,
    nodes: Vec<v1::NodeFigures>,
) -> Vec<v1::WatchFiguresResponse> {
    let mut parts = Vec::with_capacity(containers.len() / PART + 1);
    let mut rows = containers.into_iter();
    loop {
        let containers: Vec<_> = rows.by_ref().take(PART).collect();
        if rows.len() == 0 {
            parts.push(v1::WatchFiguresResponse { containers, nodes, last: true });
            return parts;
        }
        parts.push(v1::WatchFiguresResponse { containers, nodes: Vec::new(), last: false });
    }
}

fn row(
    api: &Api,
    state: &State,
    container: &Container,
    now: Timestamp,
) -> Option<v1::ContainerFigures> {
    let (at, figures) = api.0.figures.latest(Subject::Container(container.id), now)?;
    let node = container.placement.as_ref().and_then(|placement| state.nodes.get(&placement.node));
    Some(v1::ContainerFigures {
        id: container.id.to_string(),
        name: container.name.to_string(),
        owner: account(state, container.owner).to_string(),
        node: node.map(|node| node.name.clone()).unwrap_or_default(),
        figures: Some(usage::figures(&figures)),
        limits: Some(limits(state, container)),
        time: Some(timestamp(at)),
    })
}

fn node_row(api: &Api, node: &Node, now: Timestamp) -> Option<v1::NodeFigures> {
    let (at, figures) = api.0.figures.latest(Subject::Node(node.id), now)?;
    let storage = api.0.figures.storage(node.id);
    Some(v1::NodeFigures {
        id: node.id.to_string(),
        name: node.name.clone(),
        figures: Some(usage::figures(&figures)),
        limits: Some(node_limits(node)),
        time: Some(timestamp(at)),
        storage_used_bytes: storage.used_bytes,
        storage_total_bytes: storage.total_bytes,
    })
}

fn limits(state: &State, container: &Container) -> v1::Limits {
    let resources = container.spec.resources;
    let placement = container.placement.as_ref();
    let node = placement.and_then(|placement| state.nodes.get(&placement.node));
    let held = placement.map(|placement| placement.gpus.as_slice()).unwrap_or_default();
    let gpus = node.iter().flat_map(|node| &node.inventory.gpus);
    let gpu_memory_bytes =
        gpus.filter(|gpu| held.contains(&gpu.id)).map(|gpu| gpu.memory_bytes).sum();
    v1::Limits {
        cpu_millis: resources.cpu_millis,
        memory_bytes: resources.memory_bytes,
        gpu_memory_bytes,
    }
}

/// What the machine has, whatever of it is lent.
fn node_limits(node: &Node) -> v1::Limits {
    let total = node.inventory.total;
    v1::Limits {
        cpu_millis: total.cpu_millis,
        memory_bytes: total.memory_bytes,
        gpu_memory_bytes: node.inventory.gpus.iter().map(|gpu| gpu.memory_bytes).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seconds: i64, resolution: v1::Resolution) -> Option<Option<Width>> {
        let window = prost_types::Duration { seconds, nanos: 0 };
        wanted(Some(&window), resolution).ok().map(|wanted| wanted.width)
    }

    #[test]
    fn the_resolution_follows_the_window() {
        use v1::Resolution::{FiveMinutes, Hour, Look, Unspecified};
        assert_eq!(of(1, Unspecified), Some(None));
        assert_eq!(of(3600, Unspecified), Some(None));
        assert_eq!(of(3601, Unspecified), Some(Some(Width::FiveMinutes)));
        assert_eq!(of(3 * 86_400 + 1, Unspecified), Some(Some(Width::Hour)));
        assert_eq!(of(60, Hour), Some(Some(Width::Hour)));
        assert_eq!(of(3601, Look), None);
        assert_eq!(of(3 * 86_400 + 1, FiveMinutes), None);
        assert_eq!(of(30 * 86_400, Hour), Some(Some(Width::Hour)));
        for bad in [0, -1, i64::MIN, 30 * 86_400 + 1, i64::MAX] {
            assert_eq!(of(bad, Unspecified), None, "{bad}");
        }
        let absent = wanted(None, Unspecified).unwrap();
        assert_eq!(absent, Wanted { window: HOUR, width: None });
    }

    #[test]
    fn long_lists_come_in_parts() {
        let rows = |count| vec![v1::ContainerFigures::default(); count];
        let nodes = vec![v1::NodeFigures::default()];
        let sizes = |count| -> Vec<_> {
            let parts = split(rows(count), nodes.clone());
            parts.iter().map(|p| (p.containers.len(), p.nodes.len(), p.last)).collect()
        };
        assert_eq!(sizes(0), [(0, 1, true)]);
        assert_eq!(sizes(PART), [(PART, 1, true)]);
        assert_eq!(sizes(PART + 1), [(PART, 0, false), (1, 1, true)]);
    }
}
