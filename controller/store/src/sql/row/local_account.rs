use berth_app::ports::StoreError;
use berth_core::account::{AccountName, LocalAccount};
use sea_orm::entity::prelude::*;

use crate::sql::{
    column::{At, free_text, from_free_text, posix, word},
    row::Row,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "local_account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    pub display_name: String,
    pub role: String,
    pub password_hash: String,
    pub disabled: bool,
    pub uid: Option<i64>,
    pub gid: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    type Record = LocalAccount;
    const TABLE: &'static str = "local_account";

    fn write(account: &LocalAccount) -> Self {
        Self {
            account: account.account.to_string(),
            display_name: free_text(&account.display_name),
            role: word(account.role),
            password_hash: free_text(&account.password_hash),
            disabled: account.disabled,
            uid: account.posix.map(|posix| posix.uid.into()),
            gid: account.posix.map(|posix| posix.gid.into()),
        }
    }

    fn read(self) -> Result<LocalAccount, StoreError> {
        let at = At { table: Self::TABLE, id: &self.account };
        Ok(LocalAccount {
            account: AccountName::parse(&self.account)
                .ok_or_else(|| at.corrupt("account", "not an account name"))?,
            display_name: from_free_text(&self.display_name),
            role: at.word("role", self.role)?,
            password_hash: from_free_text(&self.password_hash),
            posix: posix(at, self.uid, self.gid)?,
            disabled: self.disabled,
        })
    }
}
