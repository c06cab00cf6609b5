//! The schema, portable between SQLite and PostgreSQL. A migration that has been released is never changed: a new one
//! follows it.

mod m20261122_000001_initial;
mod m20261122_000002_epochs;
mod m20261122_000003_figures;
mod m20261123_000004_numbers;
mod m20261123_000005_share_links;
mod m20261123_000006_volumes;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::{MigrationTrait, MigratorTrait, async_trait};

use crate::sql::OpenError;

struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_initial::Migration),
            Box::new(m20261122_000002_epochs::Migration),
            Box::new(m20261122_000003_figures::Migration),
            Box::new(m20261123_000004_numbers::Migration),
            Box::new(m20261123_000005_share_links::Migration),
            Box::new(m20261123_000006_volumes::Migration),
        ]
    }
}

/// Held during migration on PostgreSQL: two programs may open a fresh database at the same moment. Any number will do, as
/// long as it stays this one.
const ADVISORY_LOCK: i64 = 0x6265_7274_6800;

/// Brings the schema up to date, all of it or nothing.
pub(super) async fn migrate(database: &DatabaseConnection) -> Result<(), OpenError> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = database.begin_with_options(options).await.map_err(OpenError::Migrate)?;
    let outcome = migrate_in(&transaction).await;
    match outcome {
        Ok(()) => transaction.commit().await.map_err(OpenError::Migrate),
        Err(error) => {
            // The first error tells more than one of undoing; a broken connection is not used again.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

async fn migrate_in(transaction: &DatabaseTransaction) -> Result<(), OpenError> {
    lock(transaction).await.map_err(OpenError::Migrate)?;
    let applied = Migrator::get_migration_models(transaction).await.map_err(OpenError::Migrate)?;
    let known = Migrator::migrations();
    for migration in &applied {
        if known.iter().all(|known| known.name() != migration.version) {
            return Err(OpenError::Newer { migration: migration.version.clone() });
        }
    }
    if applied.len() < known.len() {
        Migrator::up(transaction, None).await.map_err(OpenError::Migrate)?;
    }
    Ok(())
}

async fn lock(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let statement = format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})");
        transaction.execute_unprepared(&statement).await?;
    }
    Ok(())
}
