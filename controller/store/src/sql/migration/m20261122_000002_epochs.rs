//! In which epoch a blade has last said what it holds.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    prelude::{DbErr, Table},
    schema::text_null,
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000002_epochs"
    }
}

#[allow(elided_lifetimes_in_paths, reason = "async_trait must see the very signature of the trait")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter().table("node").add_column(text_null("spoke_in")).to_owned();
        manager.alter_table(table).await
    }
}
