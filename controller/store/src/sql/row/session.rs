use berth_app::ports::StoreError;
use berth_core::{account::Session, clock::Timestamp};
use sea_orm::entity::prelude::*;

use crate::sql::{
    column::{At, free_text, from_free_text, hex},
    row::Row,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub user_id: String,
    pub token_sha256: String,
    pub device: String,
    pub address: String,
    pub created_at: i64,
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    type Record = Session;
    const TABLE: &'static str = "session";

    fn write(session: &Session) -> Self {
        Self {
            id: session.id.to_string(),
            user_id: session.user.to_string(),
            token_sha256: hex(&session.token_sha256),
            device: free_text(&session.device),
            address: free_text(&session.address),
            created_at: session.created_at.0,
            expires_at: session.expires_at.0,
        }
    }

    fn read(self) -> Result<Session, StoreError> {
        let at = At { table: Self::TABLE, id: &self.id };
        Ok(Session {
            id: at.parse("id", &self.id)?,
            user: at.parse("user_id", &self.user_id)?,
            token_sha256: at.sha256("token_sha256", &self.token_sha256)?,
            device: from_free_text(&self.device),
            address: from_free_text(&self.address),
            created_at: Timestamp(self.created_at),
            expires_at: Timestamp(self.expires_at),
        })
    }
}
