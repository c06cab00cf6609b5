//! What was used when. In statements of its own, beside the commits: none is held up for longer than a batch takes.

use async_trait::async_trait;
use berth_app::ports::{History, StoreError};
use berth_core::{
    clock::Timestamp,
    figures::{RollUp, Subject, Width},
};
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::OnConflict,
};

use crate::sql::{
    SqlStore,
    error::{from_db, from_read},
    row::figures::{Column, Entity, Model, seconds, subject_text},
};

const TABLE: &str = "figures";
/// Rows in a statement; four parameters each.
const ROWS: usize = 500;

#[async_trait]
impl History for SqlStore {
    async fn record(&self, width: Width, rows: &[(Subject, RollUp)]) -> Result<(), StoreError> {
        // A statement must not write a row twice.
        let rows: std::collections::BTreeMap<_, _> =
            rows.iter().map(|(subject, row)| ((*subject, row.begin), row)).collect();
        let rows: Vec<_> = rows
            .into_iter()
            .map(|((subject, _), row)| Model::write(width, subject, row).into_active_model())
            .collect();
        let key = [Column::Subject, Column::Width, Column::BeginsAt];
        let on_conflict = OnConflict::columns(key).update_column(Column::Data).to_owned();
        for chunk in rows.chunks(ROWS) {
            Entity::insert_many(chunk.iter().cloned())
                .on_conflict(on_conflict.clone())
                .exec_without_returning(&self.writer)
                .await
                .map_err(from_db)?;
        }
        Ok(())
    }

    async fn read(
        &self,
        subject: Subject,
        width: Width,
        since: Timestamp,
    ) -> Result<Vec<RollUp>, StoreError> {
        let rows = Entity::find()
            .filter(Column::Subject.eq(subject_text(subject)))
            .filter(Column::Width.eq(seconds(width)))
            .filter(Column::BeginsAt.gte(since.0))
            .order_by_asc(Column::BeginsAt)
            .all(&self.readers)
            .await
            .map_err(|error| from_read(TABLE, error))?;
        rows.into_iter().map(|row| row.read().map(|(_, row)| row)).collect()
    }

    async fn read_all(
        &self,
        width: Width,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Subject, RollUp)>, StoreError> {
        let rows = Entity::find()
            .filter(Column::Width.eq(seconds(width)))
            .filter(Column::BeginsAt.gte(from.0))
            .filter(Column::BeginsAt.lt(until.0))
            .all(&self.readers)
            .await
            .map_err(|error| from_read(TABLE, error))?;
        let mut rows = rows.into_iter().map(Model::read).collect::<Result<Vec<_>, _>>()?;
        // Here, and not in SQL, where the order of subjects would depend on the database's collation.
        rows.sort_by_key(|(subject, row)| (*subject, row.begin));
        Ok(rows)
    }

    /// One stretch after another, so that the database is free in between, however long nothing was forgotten.
    async fn forget(&self, width: Width, before: Timestamp) -> Result<(), StoreError> {
        loop {
            let oldest = Entity::find()
                .select_only()
                .column(Column::BeginsAt)
                .filter(Column::Width.eq(seconds(width)))
                .filter(Column::BeginsAt.lt(before.0))
                .order_by_asc(Column::BeginsAt)
                .limit(1)
                .into_tuple::<i64>()
                .one(&self.writer)
                .await
                .map_err(|error| from_read(TABLE, error))?;
            let Some(oldest) = oldest else { return Ok(()) };
            Entity::delete_many()
                .filter(Column::Width.eq(seconds(width)))
                .filter(Column::BeginsAt.eq(oldest))
                .exec(&self.writer)
                .await
                .map_err(from_db)?;
        }
    }
}
