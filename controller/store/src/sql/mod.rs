//! The store on SQLite or PostgreSQL.

mod batch;
mod column;
mod error;
mod history;
mod migration;
mod open;
mod row;

use async_trait::async_trait;
use berth_app::ports::{ChangeSet, LocalAccounts, Records, Store, StoreError};
use berth_core::{
    account::{AccountName, LocalAccount},
    id::{ClusterId, Epoch},
};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait, IntoActiveModel,
    IsolationLevel, QueryFilter, SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sea_query::Expr,
};

pub use crate::sql::open::OpenError;
use crate::{
    memory::NEVER_LOADED,
    sql::{
        batch::{apply, read_all, upsert},
        column::{At, bits, from_bits},
        error::{from_db, from_read},
        row::{
            Row, container, join_token, local_account, meta, node, session, share_link, user,
            volume,
        },
    },
};

/// Cheap to clone; all clones share their connections.
#[derive(Debug, Clone)]
pub struct SqlStore {
    /// On SQLite a single connection, so that commits queue here and not at the file's lock.
    writer: DatabaseConnection,
    readers: DatabaseConnection,
}

impl SqlStore {
    /// Waits for what is under way and closes all connections; SQLite then has everything in the one file.
    pub async fn close(self) -> Result<(), StoreError> {
        self.readers.close().await.map_err(from_db)?;
        self.writer.close().await.map_err(from_db)
    }

    /// After an older database was put back: what blades were told since is then no older order, but another history.
    pub async fn set_epoch(&self, epoch: Epoch) -> Result<(), StoreError> {
        let done = meta::Entity::update_many()
            .col_expr(meta::Column::Epoch, Expr::value(epoch.to_string()))
            .filter(meta::Column::Id.eq(meta::ONLY))
            .exec(&self.writer)
            .await
            .map_err(from_db)?;
        match done.rows_affected {
            1 => Ok(()),
            _ => Err(StoreError::Corrupt { what: "meta has no row".to_owned() }),
        }
    }

    /// Everything in it is of the same moment.
    async fn begin_reading(&self) -> Result<DatabaseTransaction, StoreError> {
        let isolation_level = match self.readers.get_database_backend() {
            DbBackend::Postgres => Some(IsolationLevel::RepeatableRead),
            // Always so on SQLite; sea-orm complains where it is asked for.
            _ => None,
        };
        let options = TransactionOptions { isolation_level, ..TransactionOptions::default() };
        self.readers.begin_with_options(options).await.map_err(from_db)
    }

    /// Takes the write lock at once: a reader that becomes a writer could be refused half-way.
    async fn begin_writing(&self) -> Result<DatabaseTransaction, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.writer.begin_with_options(options).await.map_err(from_db)
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn load(&self, cluster: ClusterId, epoch: Epoch) -> Result<Records, StoreError> {
        let offered = meta::Model {
            id: meta::ONLY,
            cluster: cluster.to_string(),
            epoch: epoch.to_string(),
            revision: 0,
        };
        meta::Entity::insert(offered.into_active_model())
            .on_conflict_do_nothing()
            .exec_without_returning(&self.writer)
            .await
            .map_err(from_db)?;

        let snapshot = self.begin_reading().await?;
        let meta = read_meta(&snapshot).await?;
        let at = At { table: "meta", id: "1" };
        let records = Records {
            cluster: at.parse("cluster", &meta.cluster)?,
            epoch: at.parse("epoch", &meta.epoch)?,
            revision: from_bits(meta.revision),
            users: read_all::<user::Model>(&snapshot).await?,
            sessions: read_all::<session::Model>(&snapshot).await?,
            join_tokens: read_all::<join_token::Model>(&snapshot).await?,
            nodes: read_all::<node::Model>(&snapshot).await?,
            containers: read_all::<container::Model>(&snapshot).await?,
            share_links: read_all::<share_link::Model>(&snapshot).await?,
            volumes: read_all::<volume::Model>(&snapshot).await?,
        };
        snapshot.commit().await.map_err(from_db)?;
        Ok(records)
    }

    async fn commit(&self, changes: &ChangeSet) -> Result<(), StoreError> {
        let transaction = self.begin_writing().await?;
        match write(&transaction, changes).await {
            Ok(()) => transaction.commit().await.map_err(from_db),
            Err(error) => {
                // The first error tells more than one of undoing; a broken connection is not used again.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }
}

#[async_trait]
impl LocalAccounts for SqlStore {
    async fn find(&self, account: &AccountName) -> Result<Option<LocalAccount>, StoreError> {
        let row = local_account::Entity::find_by_id(account.as_str()).one(&self.readers).await;
        let row = row.map_err(|error| from_read(local_account::Model::TABLE, error))?;
        row.map(Row::read).transpose()
    }

    async fn list(&self) -> Result<Vec<LocalAccount>, StoreError> {
        let rows = local_account::Entity::find().all(&self.readers).await;
        let rows = rows.map_err(|error| from_read(local_account::Model::TABLE, error))?;
        let mut accounts = rows.into_iter().map(Row::read).collect::<Result<Vec<_>, _>>()?;
        accounts.sort_by(|a: &LocalAccount, b| a.account.cmp(&b.account));
        Ok(accounts)
    }

    async fn put(&self, account: &LocalAccount) -> Result<(), StoreError> {
        let transaction = self.begin_writing().await?;
        upsert(&transaction, vec![local_account::Model::write(account)]).await?;
        transaction.commit().await.map_err(from_db)
    }
}

async fn write(transaction: &DatabaseTransaction, changes: &ChangeSet) -> Result<(), StoreError> {
    fence(transaction, changes.revision).await?;
    apply::<user::Model>(transaction, &changes.users).await?;
    apply::<session::Model>(transaction, &changes.sessions).await?;
    apply::<join_token::Model>(transaction, &changes.join_tokens).await?;
    apply::<node::Model>(transaction, &changes.nodes).await?;
    apply::<container::Model>(transaction, &changes.containers).await?;
    apply::<share_link::Model>(transaction, &changes.share_links).await?;
    apply::<volume::Model>(transaction, &changes.volumes).await
}

/// Counts the commit, if it follows the last one. A second controller on the same database fails here.
async fn fence(transaction: &DatabaseTransaction, offered: u64) -> Result<(), StoreError> {
    if let Some(before) = offered.checked_sub(1) {
        let counted = meta::Entity::update_many()
            .col_expr(meta::Column::Revision, Expr::value(bits(offered)))
            .filter(meta::Column::Id.eq(meta::ONLY))
            .filter(meta::Column::Revision.eq(bits(before)))
            .exec(transaction)
            .await
            .map_err(from_db)?;
        if counted.rows_affected == 1 {
            return Ok(());
        }
    }
    let held = from_bits(read_meta(transaction).await?.revision);
    Err(StoreError::Conflict { held, offered })
}

async fn read_meta(transaction: &DatabaseTransaction) -> Result<meta::Model, StoreError> {
    let row = meta::Entity::find_by_id(meta::ONLY).one(transaction).await;
    let row = row.map_err(|error| from_read("meta", error))?;
    row.ok_or_else(|| StoreError::Corrupt { what: NEVER_LOADED.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use berth_app::ports::Changes;
    use berth_core::{
        account::Session,
        clock::Timestamp,
        id::{SessionId, UserId},
    };
    use sea_orm::{ConnectionTrait, Statement};
    use uuid::Uuid;

    use super::*;

    async fn open(directory: &tempfile::TempDir) -> SqlStore {
        let url = format!("sqlite://{}", directory.path().join("berth.db").display());
        let store = SqlStore::open(&url).await.unwrap();
        load(&store).await;
        store
    }

    async fn load(store: &SqlStore) -> Records {
        store.load(ClusterId::new(Uuid::nil()), Epoch::new(Uuid::nil())).await.unwrap()
    }

    fn session_of(revision: u64, bytes: usize) -> ChangeSet {
        let session = Session {
            id: SessionId::new(Uuid::from_u128(revision.into())),
            user: UserId::new(Uuid::nil()),
            token_sha256: [0; 32],
            device: "x".repeat(bytes),
            address: String::new(),
            created_at: Timestamp(0),
            expires_at: Timestamp(0),
        };
        let sessions = Changes { upserts: vec![Arc::new(session)], deletes: Vec::new() };
        ChangeSet { revision, sessions, ..ChangeSet::default() }
    }

    #[tokio::test]
    async fn commits_are_durable_and_locks_are_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory).await;
        let expected = [
            ("journal_mode", "journal_mode", "wal"),
            ("synchronous", "synchronous", "2"),
            ("foreign_keys", "foreign_keys", "1"),
            ("busy_timeout", "timeout", "5000"),
        ];
        for (pragma, column, value) in expected {
            let sql = format!("SELECT CAST({column} AS TEXT) AS value FROM pragma_{pragma}");
            let statement = Statement::from_string(DbBackend::Sqlite, sql);
            let row = store.writer.query_one_raw(statement).await.unwrap().unwrap();
            assert_eq!(row.try_get::<String>("", "value").unwrap(), value, "{pragma}");
        }
    }

    #[tokio::test]
    async fn a_full_disk_fails_the_commit_and_nothing_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory).await;
        store.commit(&session_of(1, 10)).await.unwrap();
        store.writer.execute_unprepared("PRAGMA max_page_count = 30").await.unwrap();

        let answer = store.commit(&session_of(2, 1 << 20)).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
        assert_eq!((load(&store).await.revision, load(&store).await.sessions.len()), (1, 1));

        store.writer.execute_unprepared("PRAGMA max_page_count = 100000").await.unwrap();
        store.commit(&session_of(2, 1 << 20)).await.unwrap();
        assert_eq!((load(&store).await.revision, load(&store).await.sessions.len()), (2, 2));
    }

    /// As it does where a write to the disk fails.
    #[tokio::test]
    async fn a_transaction_that_sqlite_rolled_back_leaves_no_lock() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory).await;
        let transaction = store.begin_writing().await.unwrap();
        write(&transaction, &session_of(1, 10)).await.unwrap();
        transaction.execute_unprepared("ROLLBACK").await.unwrap();
        transaction.rollback().await.unwrap_err();

        store.commit(&session_of(1, 10)).await.unwrap();
        let refused = store.commit(&session_of(1, 10)).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
        let other = open(&directory).await;
        other.commit(&session_of(2, 10)).await.unwrap();
        store.commit(&session_of(3, 10)).await.unwrap();
    }

    #[tokio::test]
    async fn a_commit_that_is_given_up_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory).await;
        {
            let transaction = store.begin_writing().await.unwrap();
            write(&transaction, &session_of(1, 10)).await.unwrap();
        }
        assert_eq!((load(&store).await.revision, load(&store).await.sessions.len()), (0, 0));
        store.commit(&session_of(1, 10)).await.unwrap();
        assert_eq!(load(&store).await.revision, 1);
    }
}
