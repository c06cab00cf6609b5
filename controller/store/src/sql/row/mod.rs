//! The tables' rows and what they mean. One file per table.
//!
//! A key, an owner, a state or a time has a column of its own; nested structures are JSON text. What people ask for and what
//! a blade reports are never one column.

#![allow(
    unreachable_pub,
    reason = "what sea-orm derives from a row is `pub`, and so must be the row"
)]

pub(super) mod container;
pub(super) mod figures;
pub(super) mod join_token;
pub(super) mod local_account;
pub(super) mod meta;
pub(super) mod node;
pub(super) mod session;
pub(super) mod share_link;
pub(super) mod user;
pub(super) mod volume;

use berth_app::ports::StoreError;
use sea_orm::{ActiveModelBehavior, EntityTrait, IntoActiveModel, ModelTrait};

use crate::sql::column::hex;

/// A row that stands for a record of the domain.
pub(super) trait Row:
    ModelTrait<
        Entity: EntityTrait<
            Model = Self,
            ActiveModel: ActiveModelBehavior<Entity = Self::Entity> + Send,
        >,
    > + IntoActiveModel<<Self::Entity as EntityTrait>::ActiveModel>
    + Send
{
    type Record;
    const TABLE: &'static str;

    fn write(record: &Self::Record) -> Self;
    fn read(self) -> Result<Self::Record, StoreError>;
}

/// A key as its column holds it.
pub(super) trait Key {
    fn text(&self) -> String;
}

macro_rules! id_key {
    ($($id:ident),+) => {$(
        impl Key for berth_core::id::$id {
            fn text(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

id_key!(UserId, SessionId, NodeId, ContainerId, ShareLinkId, VolumeId);

impl Key for [u8; 32] {
    fn text(&self) -> String {
        hex(self)
    }
}
