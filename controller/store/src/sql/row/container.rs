use berth_app::ports::StoreError;
use berth_core::{
    clock::Timestamp,
    container::{Container, ContainerName, Placement},
    observed::Observed,
};
use sea_orm::entity::prelude::*;

use crate::sql::{
    column::{At, bits, from_bits, json, word},
    row::Row,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "container")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub owner_id: String,
    pub name: String,
    pub request_id: Option<String>,
    pub created_at: i64,
    pub spec: String,
    pub lease_ends_at: i64,

    pub desired_phase: String,
    pub stop_cause: Option<String>,
    pub incarnation: i64,
    pub restart_nonce: i64,

    /// The placement's node again, for queries; must agree with it.
    pub node_id: Option<String>,
    pub placement: Option<String>,
    pub admitted: bool,

    /// The report's phase again, for queries; must agree with it.
    pub observed_phase: Option<String>,
    pub observed: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    type Record = Container;
    const TABLE: &'static str = "container";

    fn write(container: &Container) -> Self {
        // Taken apart whole, so that a new field cannot be forgotten here.
        let Container {
            id,
            owner,
            name,
            request_id,
            created_at,
            spec,
            lease_ends_at,
            desired,
            stop_cause,
            incarnation,
            restart_nonce,
            placement,
            admitted,
            waiting: _,
            observed,
            // Worked out anew after a start.
            revision: _,
        } = container;
        Self {
            id: id.to_string(),
            owner_id: owner.to_string(),
            name: name.to_string(),
            request_id: request_id.map(|id| id.to_string()),
            created_at: created_at.0,
            spec: json(spec),
            lease_ends_at: lease_ends_at.0,
            desired_phase: word(desired),
            stop_cause: stop_cause.as_ref().map(json),
            incarnation: i64::from(*incarnation),
            restart_nonce: bits(*restart_nonce),
            node_id: placement.as_ref().map(|placement| placement.node.to_string()),
            placement: placement.as_ref().map(json),
            admitted: *admitted,
            observed_phase: observed.as_ref().map(|observed| word(observed.phase)),
            observed: observed.as_ref().map(json),
        }
    }

    fn read(self) -> Result<Container, StoreError> {
        let at = At { table: Self::TABLE, id: &self.id };
        let placement =
            self.placement.as_deref().map(|text| at.json::<Placement>("placement", text));
        let placement = placement.transpose()?;
        if placement.as_ref().map(|placement| placement.node.to_string()) != self.node_id {
            return Err(at.corrupt("node_id", "not the node of the placement"));
        }
        let observed = self.observed.as_deref().map(|text| at.json::<Observed>("observed", text));
        let observed = observed.transpose()?;
        if observed.as_ref().map(|observed| word(observed.phase)) != self.observed_phase {
            return Err(at.corrupt("observed_phase", "not the phase of the report"));
        }
        let stop_cause = self.stop_cause.as_deref().map(|text| at.json("stop_cause", text));
        let request_id = self.request_id.as_deref().map(|text| at.parse("request_id", text));
        Ok(Container {
            id: at.parse("id", &self.id)?,
            owner: at.parse("owner_id", &self.owner_id)?,
            name: ContainerName::parse(&self.name)
                .ok_or_else(|| at.corrupt("name", "not a container's name"))?,
            request_id: request_id.transpose()?,
            created_at: Timestamp(self.created_at),
            spec: at.json("spec", &self.spec)?,
            lease_ends_at: Timestamp(self.lease_ends_at),
            desired: at.word("desired_phase", self.desired_phase)?,
            stop_cause: stop_cause.transpose()?,
            incarnation: at.small("incarnation", self.incarnation)?,
            restart_nonce: from_bits(self.restart_nonce),
            placement,
            admitted: self.admitted,
            waiting: None,
            revision: 0,
            observed,
        })
    }
}
