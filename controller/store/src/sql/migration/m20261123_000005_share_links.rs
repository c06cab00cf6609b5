//! Links that open one port of a container.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    prelude::{DbErr, Table},
    schema::{big_integer, text},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261123_000005_share_links"
    }
}

#[allow(elided_lifetimes_in_paths, reason = "async_trait must see the very signature of the trait")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("share_link")
            .col(text("id").primary_key())
            .col(text("container_id"))
            .col(big_integer("port"))
            .col(text("token_sha256"))
            .col(text("created_by"))
            .col(big_integer("created_at"))
            .col(big_integer("expires_at"))
            .to_owned();
        manager.create_table(table).await
    }
}
