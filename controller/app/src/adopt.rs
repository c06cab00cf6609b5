//! A database was put back, under a new epoch, and meets a blade that remembers more.
//!
//! # Guarantees
//! What runs on the blade and is in its ledger runs on, with its owner, its name, its ports and its lease. No container is
//! stopped, started or removed by this; the next desired set says what the ledger said.
//!
//! # Caveats
//! Of an account that only the lost part of the database knew, its name and numbers are left where the blade's orders have
//! them: it is found again at the next sign-in. Containers of others belong to somebody called `unknown-...` from then on,
//! until an administrator gives them back. A blade that only the lost part
//! knew has to join anew; what runs there is left alone. What the backup knew as waiting is not placed before every blade
//! has spoken (or was deleted), since one of them may have it.

use std::cmp::Ordering;

use berth_core::{
    account::{AccountName, Role, User},
    clock::Timestamp,
    container::{
        Container, ContainerName, ContainerSpec, DesiredPhase, Placement, PortBinding, StopCause,
    },
    desired::DesiredContainer,
    id::{ContainerId, Epoch, NodeId},
    node::Node,
    storage::{Holder, HomeMount, RunAs},
};
use uuid::Uuid;

use crate::{numbers, state::State, transaction::Transaction, volumes};

/// A blade's ledger.
#[derive(Debug, Clone)]
pub struct Holding {
    pub epoch: Epoch,
    pub generation: u64,
    pub containers: Vec<DesiredContainer>,
    /// Of epochs before that, in no set since, and still in the engine.
    pub retained: Vec<DesiredContainer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Adopted {
    /// The database did not know them.
    pub unknown: usize,
    /// The ledger knew a later state of them.
    pub later: usize,
    /// The database has them here, the blade no longer.
    pub gone: usize,
    /// The database has them on another blade: left as they are.
    pub left: usize,
}

pub fn adopt(transaction: &mut Transaction, id: NodeId, holding: Holding) -> Adopted {
    let mut adopted = Adopted::default();
    let Some(node) = transaction.state().nodes.get(&id).cloned() else { return adopted };
    let mut due: Vec<(Container, Orders, DesiredContainer)> = Vec::new();
    if holding.epoch != transaction.state().epoch {
        let ledger = Ledger {
            knows_all: holding.generation >= node.desired_generation,
            containers: &holding.containers,
        };
        adopted.gone = without_ledger(transaction, id, &ledger);
        let mut node = Node::clone(&node);
        // Generations go up for ever: an older order stays older, whatever becomes of epochs.
        node.desired_generation = node.desired_generation.max(holding.generation);
        transaction.put_node(node);
        for held in &holding.containers {
            match transaction.state().containers.get(&held.id) {
                Some(row) if is_elsewhere(row, id) => adopted.left += 1,
                Some(row) => {
                    let orders = ledger.orders(row, held);
                    adopted.later += usize::from(orders == Orders::Ledger);
                    due.push((Container::clone(row), orders, held.clone()));
                }
                None => {
                    adopted.unknown += 1;
                    due.push((take_in(transaction, held), Orders::Ledger, held.clone()));
                }
            }
        }
    }
    for held in &holding.retained {
        if !transaction.state().containers.contains_key(&held.id) {
            adopted.unknown += 1;
            due.push((take_in(transaction, held), Orders::Ledger, held.clone()));
        }
    }
    // Lifted first: one may have now what the database says another has.
    for (row, ..) in &mut due {
        row.placement = None;
        row.admitted = false;
        transaction.put_container(row.clone());
    }
    // What runs has its room. The rest gets what is left: what does not fit had been given back before.
    due.sort_by_key(|(_, _, held)| (held.phase != DesiredPhase::Running, held.id));
    for (row, orders, held) in due {
        as_held(transaction, id, row, orders, held);
    }
    adopted
}

/// Whose word counts for what is to become of a container. For where it is and what it has, the ledger's does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Orders {
    Database,
    Ledger,
}

/// What the database does not know, as a row that has no place yet.
fn take_in(transaction: &mut Transaction, held: &DesiredContainer) -> Container {
    let owner = held.spec.user;
    if !transaction.state().users.contains_key(&owner) {
        let user = unknown(transaction.state(), held, transaction.now());
        transaction.put_user(user);
    }
    let row = row_of(transaction, held);
    // At once: the next one's name must not be the same.
    transaction.put_container(row.clone());
    row
}

/// Its account and numbers stand in the blade's orders, unless somebody has them by now.
fn unknown(state: &State, held: &DesiredContainer, now: Timestamp) -> User {
    let id = held.spec.user;
    let holder = held.spec.belongings.as_ref().map(|belongings| &belongings.holder);
    let free = |holder: &&Holder| {
        let taken =
            |user: &User| user.account == holder.account || user.posix.uid == holder.posix.uid;
        !state.users.values().any(|user| taken(user))
    };
    let (account, posix) = match holder.filter(free) {
        Some(holder) => (holder.account.clone(), holder.posix),
        None => {
            let name = format!("unknown-{}", tail(id.uuid(), 12));
            let account =
                AccountName::parse(&name).expect("letters and digits of a UUID are an account's");
            let posix = numbers::choose(&account, state);
            (account, posix)
        }
    };
    User {
        id,
        display_name: account.to_string(),
        account,
        posix,
        role: Role::Student,
        suspended: false,
        created_at: now,
    }
}

/// The last hexadecimal digits, which in version 7 are random.
fn tail(id: Uuid, digits: usize) -> String {
    let text = id.simple().to_string();
    text[text.len() - digits..].to_owned()
}

fn is_elsewhere(row: &Container, node: NodeId) -> bool {
    row.placement.as_ref().is_some_and(|placement| placement.node != node)
}

struct Ledger<'a> {
    /// It is of the backup's time, or later.
    knows_all: bool,
    containers: &'a [DesiredContainer],
}

impl Ledger<'_> {
    /// Orders to make and to start anew are counted: the higher count is the later state.
    fn orders(&self, row: &Container, held: &DesiredContainer) -> Orders {
        let ledger = (held.incarnation, held.restart_nonce);
        match ledger.cmp(&(row.incarnation, row.restart_nonce)) {
            Ordering::Greater => Orders::Ledger,
            Ordering::Equal if self.knows_all => Orders::Ledger,
            Ordering::Equal | Ordering::Less => Orders::Database,
        }
    }

    fn has(&self, id: ContainerId) -> bool {
        self.containers.iter().any(|held| held.id == id)
    }

    /// One of the ledger's has a port or a GPU that `row` should have.
    fn uses_what(&self, row: &Container) -> bool {
        row.placement.as_ref().is_some_and(|placement| {
            self.containers.iter().any(|held| {
                placement.gpus.iter().any(|gpu| held.spec.gpus.contains(gpu))
                    || placement
                        .ports
                        .iter()
                        .any(|port| held.spec.ports.iter().any(|other| other.host == port.host))
            })
        })
    }
}

/// What the database has on this blade and its ledger does not. A blade that has come further has been told to remove it
/// since; one that has not was never told of it, and it gets its place if nobody has it. Answers with how many are gone.
fn without_ledger(transaction: &mut Transaction, node: NodeId, ledger: &Ledger<'_>) -> usize {
    let rows: Vec<_> = transaction
        .state()
        .containers_on(node)
        .filter(|row| !ledger.has(row.id))
        .map(|row| Container::clone(row))
        .collect();
    let mut count = 0;
    for mut row in rows {
        row.admitted = false;
        if !ledger.knows_all && !ledger.uses_what(&row) {
            transaction.put_container(row);
            continue;
        }
        count += 1;
        if row.desired == DesiredPhase::Removed {
            transaction.remove_container(row.id);
            continue;
        }
        // Its owner had given it back, and sees it once more: better than a row that vanishes by itself.
        row.desired = DesiredPhase::Stopped;
        row.stop_cause = Some(StopCause::Gone);
        row.placement = None;
        row.observed = None;
        transaction.put_container(row);
    }
    count
}

/// A row with the place that the ledger says.
fn as_held(
    transaction: &mut Transaction,
    node: NodeId,
    mut row: Container,
    orders: Orders,
    held: DesiredContainer,
) {
    let runs = held.phase == DesiredPhase::Running;
    if orders == Orders::Ledger {
        follow(&mut row, &held, transaction.now());
    }
    let home = held.spec.belongings.map_or(HomeMount::None, |belongings| belongings.home);
    let (gpus, ports) = (held.spec.gpus, held.spec.ports);
    row.placement = Some(Placement { node, gpus, ports, home, leaving: None });
    row.observed = None;
    // One that the database wants to run, and the ledger does not, waits for room like everybody.
    row.admitted =
        runs || (row.desired != DesiredPhase::Running && fits(transaction.state(), node, &row));
    transaction.put_container(row);
}

fn follow(row: &mut Container, held: &DesiredContainer, now: Timestamp) {
    let spec = held.spec.clone();
    // Which of the later ones are secrets the blade does not know: better one too many.
    let known = &row.spec.environment;
    let later = spec.environment.iter().filter(|(name, value)| known.get(*name) != Some(value));
    let later = later.map(|(name, _)| name);
    let secrets = row.spec.secrets.iter().chain(later).cloned().collect();
    row.spec = ContainerSpec {
        secrets,
        image: spec.image,
        command: spec.command,
        environment: spec.environment,
        guest_ports: guest_ports(&row.spec, &spec.ports),
        gpus: u32::try_from(spec.gpus.len()).unwrap_or(u32::MAX),
        resources: spec.resources,
        tty: spec.tty,
        stdin: spec.stdin,
        node_labels: std::mem::take(&mut row.spec.node_labels),
        runtime: spec.runtime,
        run_as: spec.belongings.as_ref().map_or(RunAs::Image, |belongings| belongings.run_as),
        volumes: spec.belongings.iter().flat_map(volumes::of_engine).collect(),
        holder: spec.belongings.map(|belongings| belongings.holder),
        ..row.spec.clone()
    };
    row.incarnation = held.incarnation;
    row.restart_nonce = held.restart_nonce;
    row.lease_ends_at = held.not_after;
    row.desired = held.phase;
    row.stop_cause = match held.phase {
        DesiredPhase::Running => None,
        DesiredPhase::Stopped if held.not_after <= now => Some(StopCause::LeaseEnded),
        DesiredPhase::Stopped | DesiredPhase::Removed => Some(StopCause::ByUser),
    };
}

/// A blade knows of those that it has ports for.
fn guest_ports(row: &ContainerSpec, bound: &[PortBinding]) -> Vec<u16> {
    let bound: Vec<u16> = bound.iter().map(|port| port.guest).collect();
    let more = row.unpublished.iter().copied().filter(|port| !bound.contains(port));
    bound.iter().copied().chain(more).collect()
}

fn fits(state: &State, node: NodeId, row: &Container) -> bool {
    let (Some(node), Some(placement)) = (state.nodes.get(&node), &row.placement) else {
        return false;
    };
    let used = state.usage(node.id);
    let sum = used.resources.plus(row.spec.resources);
    let offered = node.inventory.offered();
    sum.cpu_millis <= offered.cpu_millis
        && sum.memory_bytes <= offered.memory_bytes
        && placement.gpus.iter().all(|gpu| !used.gpus.contains(gpu))
}

/// For one that the database does not know; [`follow`] and [`as_held`] fill in the rest.
fn row_of(transaction: &Transaction, held: &DesiredContainer) -> Container {
    let state = transaction.state();
    Container {
        id: held.id,
        owner: held.spec.user,
        name: free_name(state, held),
        request_id: None,
        created_at: held.id.made_at().unwrap_or_else(|| transaction.now()),
        spec: ContainerSpec {
            image: held.spec.image.clone(),
            command: Vec::new(),
            environment: Default::default(),
            guest_ports: Vec::new(),
            gpus: 0,
            resources: held.spec.resources,
            tty: false,
            stdin: false,
            node_labels: Default::default(),
            runtime: held.spec.runtime,
            unpublished: Vec::new(),
            run_as: RunAs::Image,
            holder: None,
            secrets: Default::default(),
            lease: None,
            volumes: Vec::new(),
        },
        lease_ends_at: held.not_after,
        // Nothing waits or starts before the rest is filled in.
        desired: DesiredPhase::Stopped,
        stop_cause: None,
        incarnation: held.incarnation,
        restart_nonce: held.restart_nonce,
        placement: None,
        admitted: false,
        waiting: None,
        revision: 0,
        observed: None,
    }
}

/// Its host name is its name; somebody may have taken that since.
fn free_name(state: &State, held: &DesiredContainer) -> ContainerName {
    let owner = held.spec.user;
    let wanted = ContainerName::parse(&held.spec.hostname);
    let free = |name: &ContainerName| state.container_by_name(owner, name).is_none();
    wanted.filter(free).unwrap_or_else(|| {
        ContainerName::parse(&format!("adopted-{}", tail(held.id.uuid(), 12)))
            .expect("letters and digits of a UUID are a name's")
    })
}
