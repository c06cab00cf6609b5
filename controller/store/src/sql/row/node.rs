use berth_app::ports::StoreError;
use berth_core::{
    clock::Timestamp,
    node::{Liveness, Node},
};
use sea_orm::entity::prelude::*;

use crate::sql::{
    column::{At, bits, free_text, from_bits, from_free_text, json, word},
    row::Row,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "node")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub name: String,
    pub joined_at: i64,
    pub certificate_expires_at: i64,

    pub availability: String,

    pub desired_generation: i64,

    // What its agent says.
    pub inventory: String,
    pub agent_version: String,
    pub reconciled_generation: i64,
    pub orphans: i64,
    pub spoke_in: Option<String>,
    pub excluded_ports: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    type Record = Node;
    const TABLE: &'static str = "node";

    fn write(node: &Node) -> Self {
        // Taken apart whole, so that a new field cannot be forgotten here.
        let Node {
            id,
            name,
            joined_at,
            certificate_expires_at,
            availability,
            desired_generation,
            inventory,
            agent_version,
            reconciled_generation,
            orphans,
            spoke_in,
            excluded_ports,
            liveness: _,
            liveness_since: _,
            troubles: _,
        } = node;
        Self {
            id: id.to_string(),
            name: free_text(name),
            joined_at: joined_at.0,
            certificate_expires_at: certificate_expires_at.0,
            availability: word(availability),
            desired_generation: bits(*desired_generation),
            inventory: json(inventory),
            agent_version: free_text(agent_version),
            reconciled_generation: bits(*reconciled_generation),
            orphans: i64::from(*orphans),
            spoke_in: spoke_in.map(|epoch| epoch.to_string()),
            excluded_ports: json(excluded_ports),
        }
    }

    fn read(self) -> Result<Node, StoreError> {
        let at = At { table: Self::TABLE, id: &self.id };
        Ok(Node {
            id: at.parse("id", &self.id)?,
            name: from_free_text(&self.name),
            joined_at: Timestamp(self.joined_at),
            certificate_expires_at: Timestamp(self.certificate_expires_at),
            availability: at.word("availability", self.availability)?,
            desired_generation: from_bits(self.desired_generation),
            inventory: at.json("inventory", &self.inventory)?,
            agent_version: from_free_text(&self.agent_version),
            reconciled_generation: from_bits(self.reconciled_generation),
            orphans: at.small("orphans", self.orphans)?,
            spoke_in: self
                .spoke_in
                .as_deref()
                .map(|epoch| at.parse("spoke_in", epoch))
                .transpose()?,
            excluded_ports: at.json("excluded_ports", &self.excluded_ports)?,
            liveness: Liveness::default(),
            liveness_since: Timestamp::default(),
            troubles: Default::default(),
        })
    }
}
