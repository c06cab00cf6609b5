use berth_app::ports::StoreError;
use berth_core::{
    clock::Timestamp,
    join::{JoinToken, UsedBy},
};
use sea_orm::entity::prelude::*;

use crate::sql::{
    column::{At, hex},
    row::Row,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "join_token")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_sha256: String,
    pub expires_at: i64,
    /// Both or neither.
    pub used_by_node_id: Option<String>,
    pub used_by_key_sha256: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    type Record = JoinToken;
    const TABLE: &'static str = "join_token";

    fn write(token: &JoinToken) -> Self {
        let used_by = token.used_by.as_ref();
        Self {
            token_sha256: hex(&token.token_sha256),
            expires_at: token.expires_at.0,
            used_by_node_id: used_by.map(|used| used.node.to_string()),
            used_by_key_sha256: used_by.map(|used| hex(&used.public_key_sha256)),
        }
    }

    fn read(self) -> Result<JoinToken, StoreError> {
        let at = At { table: Self::TABLE, id: &self.token_sha256 };
        let used_by = match (&self.used_by_node_id, &self.used_by_key_sha256) {
            (Some(node), Some(key)) => Some(UsedBy {
                node: at.parse("used_by_node_id", node)?,
                public_key_sha256: at.sha256("used_by_key_sha256", key)?,
            }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(at.corrupt(
                    "used_by_key_sha256",
                    "a blade without its key, or a key without its blade",
                ));
            }
        };
        Ok(JoinToken {
            token_sha256: at.sha256("token_sha256", &self.token_sha256)?,
            expires_at: Timestamp(self.expires_at),
            used_by,
        })
    }
}
