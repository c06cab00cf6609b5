//! The numbers that accounts have on file systems. Empty for accounts of before: those are worked out from their names.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    prelude::{DbErr, Table},
    schema::big_integer_null,
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261123_000004_numbers"
    }
}

#[allow(elided_lifetimes_in_paths, reason = "async_trait must see the very signature of the trait")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for table in ["user", "local_account"] {
            for column in ["uid", "gid"] {
                let table =
                    Table::alter().table(table).add_column(big_integer_null(column)).to_owned();
                manager.alter_table(table).await?;
            }
        }
        Ok(())
    }
}
