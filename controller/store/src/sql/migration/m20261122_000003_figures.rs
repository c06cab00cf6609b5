//! What was used when.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    prelude::{DbErr, Index, Table},
    schema::{big_integer, text},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000003_figures"
    }
}

#[allow(elided_lifetimes_in_paths, reason = "async_trait must see the very signature of the trait")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // For a graph: one subject, one width, a stretch of time.
        let key = Index::create().col("subject").col("width").col("begins_at").to_owned();
        let table = Table::create()
            .table("figures")
            .col(text("subject"))
            .col(big_integer("width"))
            .col(big_integer("begins_at"))
            .col(text("data"))
            .primary_key(&mut { key })
            .to_owned();
        manager.create_table(table).await?;
        // For an hour's fold and for forgetting: all subjects, a stretch of time.
        let by_time = Index::create()
            .name("figures_width_begins_at")
            .table("figures")
            .col("width")
            .col("begins_at")
            .to_owned();
        manager.create_index(by_time).await
    }
}
