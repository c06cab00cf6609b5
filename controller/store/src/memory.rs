//! The store without a disk: what the simulation and the unit tests run on.
//!
//! A handle is cheap to clone, and all clones share one state, so that a simulated controller can die and its successor
//! find what was committed.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use berth_app::ports::{ChangeSet, Changes, History, LocalAccounts, Records, Store, StoreError};
use berth_core::{
    account::{AccountName, LocalAccount, Session, User},
    clock::Timestamp,
    container::{Container, ContainerName},
    figures::{RollUp, Subject, Width},
    id::{ClusterId, ContainerId, Epoch, UserId},
    join::JoinToken,
    node::Node,
    share::ShareLink,
    volume::Volume,
};

use crate::record::{Record, last_of_each};

#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

/// How a commit goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailWith {
    /// Nothing is written.
    Refusal,
    /// All is written, but whoever asked is told that the store cannot be used: the connection broke on the way back.
    LostAnswer,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("a failure was asked for: {0:?}")]
    AskedFor(FailWith),
    #[error("the owner has another container named {name}")]
    NameTaken { name: ContainerName },
}

type Table<R> = BTreeMap<<R as Record>::Key, R>;

#[derive(Debug, Default)]
struct State {
    meta: Option<Meta>,
    users: Table<User>,
    sessions: Table<Session>,
    join_tokens: Table<JoinToken>,
    nodes: Table<Node>,
    containers: Table<Container>,
    share_links: Table<ShareLink>,
    volumes: Table<Volume>,
    names: BTreeMap<(UserId, ContainerName), ContainerId>,
    accounts: BTreeMap<AccountName, LocalAccount>,
    figures: BTreeMap<(Width, Subject, Timestamp), RollUp>,
    failures: VecDeque<FailWith>,
}

#[derive(Debug, Clone, Copy)]
struct Meta {
    cluster: ClusterId,
    epoch: Epoch,
    revision: u64,
}

impl MemoryStore {
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a coming commit fail: the next one, or where that is already so, the one after.
    pub fn fail_next(&self, with: FailWith) {
        self.state().failures.push_back(with);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two writes of a commit, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self, cluster: ClusterId, epoch: Epoch) -> Result<Records, StoreError> {
        let mut state = self.state();
        let meta = *state.meta.get_or_insert(Meta { cluster, epoch, revision: 0 });
        Ok(Records {
            cluster: meta.cluster,
            epoch: meta.epoch,
            revision: meta.revision,
            users: state.users.values().cloned().collect(),
            sessions: state.sessions.values().cloned().collect(),
            join_tokens: state.join_tokens.values().cloned().collect(),
            nodes: state.nodes.values().cloned().collect(),
            containers: state.containers.values().cloned().collect(),
            share_links: state.share_links.values().cloned().collect(),
            volumes: state.volumes.values().cloned().collect(),
        })
    }

    async fn commit(&self, changes: &ChangeSet) -> Result<(), StoreError> {
        let mut state = self.state();
        let failure = state.failures.pop_front();
        if failure == Some(FailWith::Refusal) {
            return Err(unavailable(Fault::AskedFor(FailWith::Refusal)));
        }
        state.commit(changes)?;
        match failure {
            Some(with) => Err(unavailable(Fault::AskedFor(with))),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl LocalAccounts for MemoryStore {
    async fn find(&self, account: &AccountName) -> Result<Option<LocalAccount>, StoreError> {
        Ok(self.state().accounts.get(account).cloned())
    }

    async fn list(&self) -> Result<Vec<LocalAccount>, StoreError> {
        Ok(self.state().accounts.values().cloned().collect())
    }

    async fn put(&self, account: &LocalAccount) -> Result<(), StoreError> {
        self.state().accounts.insert(account.account.clone(), account.clone());
        Ok(())
    }
}

#[async_trait]
impl History for MemoryStore {
    async fn record(&self, width: Width, rows: &[(Subject, RollUp)]) -> Result<(), StoreError> {
        let mut state = self.state();
        state
            .figures
            .extend(rows.iter().map(|(subject, row)| ((width, *subject, row.begin), *row)));
        Ok(())
    }

    async fn read(
        &self,
        subject: Subject,
        width: Width,
        since: Timestamp,
    ) -> Result<Vec<RollUp>, StoreError> {
        let all = (width, subject, since)..=(width, subject, Timestamp(i64::MAX));
        Ok(self.state().figures.range(all).map(|(_, row)| *row).collect())
    }

    async fn read_all(
        &self,
        width: Width,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Subject, RollUp)>, StoreError> {
        let state = self.state();
        let rows = state
            .figures
            .iter()
            .filter(|((of, _, begin), _)| *of == width && (from..until).contains(begin));
        Ok(rows.map(|((_, subject, _), row)| (*subject, *row)).collect())
    }

    async fn forget(&self, width: Width, before: Timestamp) -> Result<(), StoreError> {
        self.state().figures.retain(|(of, _, begin), _| *of != width || *begin >= before);
        Ok(())
    }
}

// === impl State ===

impl State {
    fn commit(&mut self, changes: &ChangeSet) -> Result<(), StoreError> {
        let Some(meta) = &mut self.meta else {
            return Err(StoreError::Corrupt { what: NEVER_LOADED.to_owned() });
        };
        if meta.revision.checked_add(1) != Some(changes.revision) {
            return Err(StoreError::Conflict { held: meta.revision, offered: changes.revision });
        }
        // Whatever can be refused is refused before anything is written.
        check_names(&self.names, &changes.containers)?;
        meta.revision = changes.revision;
        apply(&mut self.users, &changes.users);
        apply(&mut self.sessions, &changes.sessions);
        apply(&mut self.join_tokens, &changes.join_tokens);
        apply(&mut self.nodes, &changes.nodes);
        self.forget_names(&changes.containers);
        apply(&mut self.containers, &changes.containers);
        apply(&mut self.share_links, &changes.share_links);
        apply(&mut self.volumes, &changes.volumes);
        for row in last_of_each(&changes.containers.upserts).into_values() {
            self.names.insert((row.owner, row.name.clone()), row.id);
        }
        Ok(())
    }

    /// Drops the index entries of every row that is about to go or to be written anew.
    fn forget_names(&mut self, changes: &Changes<ContainerId, Container>) {
        let touched = changes.deletes.iter().copied();
        for id in touched.chain(changes.upserts.iter().map(|row| row.id)) {
            if let Some(row) = self.containers.get(&id) {
                self.names.remove(&(row.owner, row.name.clone()));
            }
        }
    }
}

pub(crate) const NEVER_LOADED: &str =
    "meta: there is no row; a store is loaded before it is written";

/// Deletes come first, so a name is free again for another container in the very commit that deletes its holder.
fn apply<R: Record>(table: &mut Table<R>, changes: &Changes<R::Key, R>) {
    for key in &changes.deletes {
        table.remove(key);
    }
    for (key, row) in last_of_each(&changes.upserts) {
        table.insert(key, row.at_rest());
    }
}

fn check_names(
    names: &BTreeMap<(UserId, ContainerName), ContainerId>,
    changes: &Changes<ContainerId, Container>,
) -> Result<(), StoreError> {
    let mut taken = BTreeMap::new();
    for row in last_of_each(&changes.upserts).into_values() {
        let name = (row.owner, row.name.clone());
        let holder = names.get(&name).filter(|id| !changes.deletes.contains(id)).copied();
        let other = taken.insert(name, row.id).or(holder).filter(|id| *id != row.id);
        if other.is_some() {
            return Err(unavailable(Fault::NameTaken { name: row.name.clone() }));
        }
    }
    Ok(())
}

fn unavailable(fault: Fault) -> StoreError {
    StoreError::Unavailable(Box::new(fault))
}

#[cfg(test)]
mod tests {
    use berth_core::account::Role;
    use futures::FutureExt;
    use uuid::Uuid;

    use super::*;

    /// Nothing in this store waits.
    fn now<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().expect("the memory store answers at once")
    }

    fn load(store: &MemoryStore) -> Records {
        now(store.load(ClusterId::new(Uuid::nil()), Epoch::new(Uuid::nil()))).unwrap()
    }

    fn one_user(revision: u64) -> ChangeSet {
        let user = User {
            id: UserId::new(Uuid::nil()),
            account: AccountName::parse("ada").unwrap(),
            display_name: String::new(),
            role: Role::Student,
            posix: berth_core::storage::Posix::own_group(70_000).unwrap(),
            suspended: false,
            created_at: berth_core::clock::Timestamp(0),
        };
        let users = Changes { upserts: vec![Arc::new(user)], deletes: Vec::new() };
        ChangeSet { revision, users, ..ChangeSet::default() }
    }

    #[test]
    fn failures_come_in_the_order_they_were_asked_for() {
        let store = MemoryStore::new();
        load(&store);
        store.fail_next(FailWith::Refusal);
        store.fail_next(FailWith::LostAnswer);

        assert!(matches!(now(store.commit(&one_user(1))), Err(StoreError::Unavailable(_))));
        assert_eq!((load(&store).revision, load(&store).users.len()), (0, 0));

        assert!(matches!(now(store.commit(&one_user(1))), Err(StoreError::Unavailable(_))));
        assert_eq!((load(&store).revision, load(&store).users.len()), (1, 1));

        now(store.commit(&one_user(2))).unwrap();
        assert_eq!(load(&store).revision, 2);
    }

    #[test]
    fn a_successor_finds_what_was_committed() {
        let store = MemoryStore::new();
        let successor = store.clone();
        load(&store);
        now(store.commit(&one_user(1))).unwrap();
        drop(store);
        assert_eq!((load(&successor).revision, load(&successor).users.len()), (1, 1));
    }
}
