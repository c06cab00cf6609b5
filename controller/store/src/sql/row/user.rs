use berth_app::{numbers::first_choice, ports::StoreError};
use berth_core::{
    account::{AccountName, User},
    clock::Timestamp,
};
use sea_orm::entity::prelude::*;

use crate::sql::{
    column::{At, free_text, from_free_text, posix, word},
    row::Row,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub account: String,
    pub display_name: String,
    pub role: String,
    pub suspended: bool,
    pub created_at: i64,
    pub uid: Option<i64>,
    pub gid: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    type Record = User;
    const TABLE: &'static str = "user";

    fn write(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            account: user.account.to_string(),
            display_name: free_text(&user.display_name),
            role: word(user.role),
            suspended: user.suspended,
            created_at: user.created_at.0,
            uid: Some(user.posix.uid.into()),
            gid: Some(user.posix.gid.into()),
        }
    }

    fn read(self) -> Result<User, StoreError> {
        let at = At { table: Self::TABLE, id: &self.id };
        let account = AccountName::parse(&self.account)
            .ok_or_else(|| at.corrupt("account", "not an account name"))?;
        Ok(User {
            id: at.parse("id", &self.id)?,
            posix: posix(at, self.uid, self.gid)?.unwrap_or_else(|| first_choice(&account)),
            account,
            display_name: from_free_text(&self.display_name),
            role: at.word("role", self.role)?,
            suspended: self.suspended,
            created_at: Timestamp(self.created_at),
        })
    }
}
