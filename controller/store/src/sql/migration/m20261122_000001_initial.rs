//! Times are milliseconds since the Unix epoch, ids and digests are text, integers are `bigint`: SQL has no unsigned ones.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    prelude::{DbErr, Index, Table, TableCreateStatement},
    schema::{big_integer, boolean, text, text_null},
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000001_initial"
    }
}

#[allow(elided_lifetimes_in_paths, reason = "async_trait must see the very signature of the trait")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [meta(), user(), session(), join_token(), node(), container(), local_account()]
        {
            manager.create_table(table).await?;
        }
        let owner_and_name = Index::create()
            .name("container_owner_name")
            .table("container")
            .col("owner_id")
            .col("name")
            .unique()
            .to_owned();
        manager.create_index(owner_and_name).await
    }
}

fn meta() -> TableCreateStatement {
    Table::create()
        .table("meta")
        .col(big_integer("id").primary_key())
        .col(text("cluster"))
        .col(text("epoch"))
        .col(big_integer("revision"))
        .to_owned()
}

fn user() -> TableCreateStatement {
    Table::create()
        .table("user")
        .col(text("id").primary_key())
        .col(text("account"))
        .col(text("display_name"))
        .col(text("role"))
        .col(boolean("suspended"))
        .col(big_integer("created_at"))
        .to_owned()
}

fn session() -> TableCreateStatement {
    Table::create()
        .table("session")
        .col(text("id").primary_key())
        .col(text("user_id"))
        .col(text("token_sha256"))
        .col(text("device"))
        .col(text("address"))
        .col(big_integer("created_at"))
        .col(big_integer("expires_at"))
        .to_owned()
}

fn join_token() -> TableCreateStatement {
    Table::create()
        .table("join_token")
        .col(text("token_sha256").primary_key())
        .col(big_integer("expires_at"))
        .col(text_null("used_by_node_id"))
        .col(text_null("used_by_key_sha256"))
        .to_owned()
}

fn node() -> TableCreateStatement {
    Table::create()
        .table("node")
        .col(text("id").primary_key())
        .col(text("name"))
        .col(big_integer("joined_at"))
        .col(big_integer("certificate_expires_at"))
        .col(text("availability"))
        .col(big_integer("desired_generation"))
        .col(text("inventory"))
        .col(text("agent_version"))
        .col(big_integer("reconciled_generation"))
        .col(big_integer("orphans"))
        .col(text("excluded_ports"))
        .to_owned()
}

fn container() -> TableCreateStatement {
    Table::create()
        .table("container")
        .col(text("id").primary_key())
        .col(text("owner_id"))
        .col(text("name"))
        .col(text_null("request_id"))
        .col(big_integer("created_at"))
        .col(text("spec"))
        .col(big_integer("lease_ends_at"))
        .col(text("desired_phase"))
        .col(text_null("stop_cause"))
        .col(big_integer("incarnation"))
        .col(big_integer("restart_nonce"))
        .col(text_null("node_id"))
        .col(text_null("placement"))
        .col(boolean("admitted"))
        .col(text_null("observed_phase"))
        .col(text_null("observed"))
        .to_owned()
}

fn local_account() -> TableCreateStatement {
    Table::create()
        .table("local_account")
        .col(text("account").primary_key())
        .col(text("display_name"))
        .col(text("role"))
        .col(text("password_hash"))
        .col(boolean("disabled"))
        .to_owned()
}
