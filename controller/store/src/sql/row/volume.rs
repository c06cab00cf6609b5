use berth_app::ports::StoreError;
use berth_core::{
    clock::Timestamp,
    volume::{Volume, VolumeName},
};
use sea_orm::entity::prelude::*;

use crate::sql::{
    column::{At, json, word},
    row::Row,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "volume")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub owner_id: String,
    pub name: String,
    pub scope: String,
    pub holder: String,
    pub created_at: i64,
    pub place: Option<String>,
    pub state: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    type Record = Volume;
    const TABLE: &'static str = "volume";

    fn write(volume: &Volume) -> Self {
        Self {
            id: volume.id.to_string(),
            owner_id: volume.owner.to_string(),
            name: volume.name.to_string(),
            scope: word(volume.scope),
            holder: json(&volume.holder),
            created_at: volume.created_at.0,
            place: volume.place.as_ref().map(json),
            state: word(volume.state),
        }
    }

    fn read(self) -> Result<Volume, StoreError> {
        let at = At { table: Self::TABLE, id: &self.id };
        Ok(Volume {
            id: at.parse("id", &self.id)?,
            owner: at.parse("owner_id", &self.owner_id)?,
            name: VolumeName::parse(&self.name)
                .ok_or_else(|| at.corrupt("name", "not a volume's name"))?,
            scope: at.word("scope", self.scope)?,
            holder: at.json("holder", &self.holder)?,
            created_at: Timestamp(self.created_at),
            place: self.place.map(|place| at.json("place", &place)).transpose()?,
            state: at.word("state", self.state)?,
        })
    }
}
