//! From a URL to a store.

use std::{fs::OpenOptions, io, os::unix::fs::OpenOptionsExt, path::PathBuf, time::Duration};

use sea_orm::{
    DatabaseConnection, DbErr,
    sqlx::{
        Connection, PgPool, SqlitePool,
        postgres::{PgConnectOptions, PgPoolOptions},
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};

use crate::sql::{SqlStore, migration};

/// Why a database cannot be used. Never shows the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database's URL must begin with sqlite: or postgres:")]
    Scheme,
    #[error("the database's URL cannot be read")]
    Url(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("a database in memory would forget everything at the controller's end: name a file")]
    InMemory,
    #[error("the database file {path} cannot be opened or made")]
    File { path: PathBuf, source: io::Error },
    #[error("the database cannot be reached")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(
        "a newer version of Berth has used this database (its migration {migration} is unknown here): \
         install that version, or restore a backup from before it"
    )]
    Newer { migration: String },
    #[error("the database's tables cannot be brought up to date")]
    Migrate(#[source] DbErr),
}

/// `berth-controller user add` writes while the controller runs; a commit takes milliseconds.
const BUSY: Duration = Duration::from_secs(5);
/// Above `BUSY`, so that a locked database is reported as such and not as a pool without connections.
const ACQUIRE: Duration = Duration::from_secs(10);
/// Sign-ins read beside the writer; two at once are plenty, since each takes microseconds.
const SQLITE_READERS: u32 = 2;
const READER_IDLE: Duration = Duration::from_secs(60);
/// One for the writer, the rest for reading.
const POSTGRES_CONNECTIONS: u32 = 4;
/// A connection that was idle for longer is tried before it is used: a firewall may have dropped it.
const POSTGRES_PING_AFTER: Duration = Duration::from_secs(5);

impl SqlStore {
    /// Opens `sqlite:PATH` (made where it does not exist) or `postgres://...`, and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let store = if url.starts_with("sqlite:") {
            open_sqlite(url).await?
        } else if let Some(rest) = url.strip_prefix("postgresql:") {
            open_postgres(&format!("postgres:{rest}")).await?
        } else if url.starts_with("postgres:") {
            open_postgres(url).await?
        } else {
            return Err(OpenError::Scheme);
        };
        migration::migrate(&store.writer).await?;
        Ok(store)
    }
}

async fn open_sqlite(url: &str) -> Result<SqlStore, OpenError> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(OpenError::InMemory);
    }
    let options: SqliteConnectOptions = url.parse().map_err(unreadable)?;
    let path = options.get_filename().to_owned();
    // The file holds password hashes. SQLite gives the files beside it (-wal, -shm) the same mode.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| OpenError::File { path, source })?;
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(true);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_release(|connection, _| {
            Box::pin(async move {
                // SQLite itself rolls back where the disk is full; sqlx then counts a transaction that no longer is, and
                // every later BEGIN would become a savepoint. The ping waits for a rollback that is still on its way.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .connect_with(options.clone())
        .await
        .map_err(unreachable_database)?;
    let readers = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(READER_IDLE)
        .test_before_acquire(false)
        .connect_lazy_with(options.pragma("query_only", "ON"));
    Ok(store::<SqlitePool>(writer, readers))
}

async fn open_postgres(url: &str) -> Result<SqlStore, OpenError> {
    let options: PgConnectOptions = url.parse().map_err(unreadable)?;
    let options = options.application_name("berth-controller").options([
        // A controller whose machine died in the middle of a commit must not keep its successor waiting for ever.
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "60s"),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for >= POSTGRES_PING_AFTER {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await
        .map_err(unreachable_database)?;
    Ok(store::<PgPool>(pool.clone(), pool))
}

fn store<P: Into<DatabaseConnection>>(writer: P, readers: P) -> SqlStore {
    SqlStore { writer: writer.into(), readers: readers.into() }
}

fn unreadable(error: sea_orm::SqlxError) -> OpenError {
    OpenError::Url(Box::new(error))
}

fn unreachable_database(error: sea_orm::SqlxError) -> OpenError {
    OpenError::Connect(Box::new(error))
}
