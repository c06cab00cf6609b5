use berth_app::ports::StoreError;
use berth_core::{clock::Timestamp, share::ShareLink};
use sea_orm::entity::prelude::*;

use crate::sql::{
    column::{At, hex},
    row::Row,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "share_link")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub container_id: String,
    pub port: i64,
    pub token_sha256: String,
    pub created_by: String,
    pub created_at: i64,
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    type Record = ShareLink;
    const TABLE: &'static str = "share_link";

    fn write(link: &ShareLink) -> Self {
        Self {
            id: link.id.to_string(),
            container_id: link.container.to_string(),
            port: link.port.into(),
            token_sha256: hex(&link.token_sha256),
            created_by: link.created_by.to_string(),
            created_at: link.created_at.0,
            expires_at: link.expires_at.0,
        }
    }

    fn read(self) -> Result<ShareLink, StoreError> {
        let at = At { table: Self::TABLE, id: &self.id };
        Ok(ShareLink {
            id: at.parse("id", &self.id)?,
            container: at.parse("container_id", &self.container_id)?,
            port: u16::try_from(self.port).map_err(|error| at.corrupt("port", error))?,
            token_sha256: at.sha256("token_sha256", &self.token_sha256)?,
            created_by: at.parse("created_by", &self.created_by)?,
            created_at: Timestamp(self.created_at),
            expires_at: Timestamp(self.expires_at),
        })
    }
}
