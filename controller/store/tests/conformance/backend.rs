//! Where a case gets its stores from.

use std::{collections::HashMap, path::PathBuf, sync::Mutex};

use async_trait::async_trait;
use berth_app::ports::{History, LocalAccounts, Records, Store};
use berth_core::id::{ClusterId, Epoch};
use berth_store::{MemoryStore, SqlStore};
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) trait Handle: Store + LocalAccounts + History {}

impl<T: Store + LocalAccounts + History> Handle for T {}

#[async_trait]
pub(crate) trait Backend: Sync {
    fn name(&self) -> &'static str;

    async fn create(&self, database: &str);

    /// As another program, or the next life of this one, would.
    async fn open(&self, database: &str) -> Box<dyn Handle>;
}

/// A database that a case has to itself.
#[derive(Clone, Copy)]
pub(crate) struct Database<'a> {
    pub(crate) backend: &'a dyn Backend,
    pub(crate) name: &'a str,
}

impl Database<'_> {
    pub(crate) async fn open(self) -> Box<dyn Handle> {
        self.backend.open(self.name).await
    }

    /// What somebody who comes later finds.
    pub(crate) async fn reload(self) -> Records {
        load(&*self.open().await).await
    }
}

pub(crate) async fn load(store: &(impl Store + ?Sized)) -> Records {
    store.load(cluster(1), epoch(1)).await.unwrap()
}

pub(crate) fn cluster(number: u128) -> ClusterId {
    ClusterId::new(Uuid::from_u128(number))
}

pub(crate) fn epoch(number: u128) -> Epoch {
    Epoch::new(Uuid::from_u128(number))
}

#[derive(Default)]
pub(crate) struct Memory(Mutex<HashMap<String, MemoryStore>>);

#[async_trait]
impl Backend for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn create(&self, database: &str) {
        self.0.lock().unwrap().insert(database.to_owned(), MemoryStore::new());
    }

    async fn open(&self, database: &str) -> Box<dyn Handle> {
        Box::new(self.0.lock().unwrap()[database].clone())
    }
}

pub(crate) struct Sqlite(TempDir);

impl Sqlite {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self, database: &str) -> PathBuf {
        self.0.path().join(format!("{database}.db"))
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("sqlite://{}", self.file(database).display())
    }
}

#[async_trait]
impl Backend for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    async fn create(&self, _: &str) {}

    async fn open(&self, database: &str) -> Box<dyn Handle> {
        Box::new(SqlStore::open(&self.url(database)).await.unwrap())
    }
}
