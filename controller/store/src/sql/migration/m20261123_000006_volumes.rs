//! Named volumes.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    prelude::{DbErr, Index, Table},
    schema::{big_integer, text, text_null},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261123_000006_volumes"
    }
}

#[allow(elided_lifetimes_in_paths, reason = "async_trait must see the very signature of the trait")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("volume")
            .col(text("id").primary_key())
            .col(text("owner_id"))
            .col(text("name"))
            .col(text("scope"))
            .col(text("holder"))
            .col(big_integer("created_at"))
            .col(text_null("place"))
            .col(text("state"))
            .to_owned();
        manager.create_table(table).await?;
        let owner_and_name = Index::create()
            .name("volume_owner_name")
            .table("volume")
            .col("owner_id")
            .col("name")
            .to_owned();
        manager.create_index(owner_and_name).await
    }
}
