//! Many rows in few statements.

use berth_app::ports::{Changes, StoreError};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn,
    QueryFilter, sea_query::OnConflict,
};

use crate::{
    record::{Record, last_of_each},
    sql::{
        error::{from_db, from_read},
        row::{Key, Row},
    },
};

/// SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535.
const PARAMETERS: usize = 32_766;
/// More rows in a statement no longer make it faster, and its text is kept with the connection.
const ROWS: usize = 500;

type EntityOf<M> = <M as sea_orm::ModelTrait>::Entity;
type ColumnOf<M> = <EntityOf<M> as EntityTrait>::Column;

/// Deletes first: a container's name may go to another container in the same commit.
pub(super) async fn apply<M>(
    transaction: &DatabaseTransaction,
    changes: &Changes<<M::Record as Record>::Key, M::Record>,
) -> Result<(), StoreError>
where
    M: Row<Record: Record<Key: Key>>,
{
    delete::<M>(transaction, changes.deletes.iter().map(Key::text).collect()).await?;
    let rows = last_of_each(&changes.upserts).into_values().map(M::write).collect();
    upsert::<M>(transaction, rows).await
}

pub(super) async fn upsert<M: Row>(
    transaction: &DatabaseTransaction,
    mut rows: Vec<M>,
) -> Result<(), StoreError> {
    let key = key_column::<M>();
    let others = ColumnOf::<M>::iter().filter(|column| column.as_str() != key.as_str());
    let on_conflict = OnConflict::column(key).update_columns(others).to_owned();
    let at_once = ROWS.min(PARAMETERS / ColumnOf::<M>::iter().count());
    while !rows.is_empty() {
        let chunk = rows.drain(..at_once.min(rows.len())).map(M::into_active_model);
        let statement = EntityOf::<M>::insert_many(chunk).on_conflict(on_conflict.clone());
        statement.exec_without_returning(transaction).await.map_err(from_db)?;
    }
    Ok(())
}

async fn delete<M: Row>(
    transaction: &DatabaseTransaction,
    keys: Vec<String>,
) -> Result<(), StoreError> {
    for chunk in keys.chunks(ROWS) {
        EntityOf::<M>::delete_many()
            .filter(key_column::<M>().is_in(chunk))
            .exec(transaction)
            .await
            .map_err(from_db)?;
    }
    Ok(())
}

/// A whole table, in the order of its keys.
pub(super) async fn read_all<M>(
    transaction: &DatabaseTransaction,
) -> Result<Vec<M::Record>, StoreError>
where
    M: Row<Record: Record>,
{
    let rows = EntityOf::<M>::find().all(transaction).await;
    let rows = rows.map_err(|error| from_read(M::TABLE, error))?;
    let mut records = rows.into_iter().map(M::read).collect::<Result<Vec<_>, _>>()?;
    // Here, and not in SQL, where the order would depend on the database's collation.
    records.sort_by_cached_key(Record::key);
    Ok(records)
}

fn key_column<M: Row>() -> ColumnOf<M> {
    let mut keys = <EntityOf<M> as EntityTrait>::PrimaryKey::iter();
    keys.next().expect("every table has a primary key").into_column()
}
