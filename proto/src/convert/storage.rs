//! Where people's data is, on the agents' wire.

use berth_core::{
    account::AccountName,
    desired::{Belongings, EngineVolume},
    files::FilePath,
    storage::{Enforcement, Holder, HomeMount, Mapping, Posix, RunAs, Scope, Storage, Store},
    volume::Access,
};

use super::agent::{Malformed, malformed};
use crate::agent::v1 as wire;

pub(super) fn belongings_to_wire(belongings: &Belongings) -> wire::Belongings {
    let Belongings { holder, run_as, home, volumes } = belongings;
    wire::Belongings {
        account: holder.account.to_string(),
        uid: holder.posix.uid,
        gid: holder.posix.gid,
        run_as: match run_as {
            RunAs::Account => wire::RunAs::Account,
            RunAs::Image => wire::RunAs::Image,
        }
        .into(),
        home: match home {
            HomeMount::None => wire::HomeMount::None,
            HomeMount::Plain => wire::HomeMount::Plain,
            HomeMount::Mapped => wire::HomeMount::Mapped,
        }
        .into(),
        volumes: volumes
            .iter()
            .map(|volume| wire::EngineVolume {
                id: volume.id.to_string(),
                shared: volume.scope == Scope::Shared,
                path: volume.path.clone(),
                read_only: volume.access == Access::ReadOnly,
            })
            .collect(),
    }
}

pub(super) fn belongings_from_wire(wire: wire::Belongings) -> Result<Belongings, Malformed> {
    let run_as = match wire.run_as() {
        wire::RunAs::Account => RunAs::Account,
        wire::RunAs::Image => RunAs::Image,
        wire::RunAs::Unspecified => return Err(malformed("spec.belongings.run_as", wire.run_as)),
    };
    let home = match wire.home() {
        wire::HomeMount::None => HomeMount::None,
        wire::HomeMount::Plain => HomeMount::Plain,
        wire::HomeMount::Mapped => HomeMount::Mapped,
        wire::HomeMount::Unspecified => return Err(malformed("spec.belongings.home", wire.home)),
    };
    let volumes = wire.volumes.into_iter().map(|volume| {
        Ok(EngineVolume {
            id: volume
                .id
                .parse()
                .map_err(|error| malformed("spec.belongings.volumes.id", error))?,
            scope: scope(volume.shared),
            path: FilePath::parse(&volume.path)
                .map_err(|_| malformed("spec.belongings.volumes.path", &volume.path))?
                .as_str()
                .to_owned(),
            access: if volume.read_only { Access::ReadOnly } else { Access::ReadWrite },
        })
    });
    Ok(Belongings {
        holder: holder(&wire.account, wire.uid, wire.gid)?,
        run_as,
        home,
        volumes: volumes.collect::<Result<_, Malformed>>()?,
    })
}

pub(super) fn scope(shared: bool) -> Scope {
    if shared { Scope::Shared } else { Scope::Local }
}

/// It becomes a path and a process's user, so neither the name nor the numbers are taken as they come.
pub(super) fn holder(account: &str, uid: u32, gid: u32) -> Result<Holder, Malformed> {
    Ok(Holder {
        account: AccountName::parse(account).ok_or_else(|| malformed("account", account))?,
        posix: Posix::new(uid, gid).ok_or_else(|| malformed("uid", uid))?,
    })
}

pub(super) fn storage_to_wire(storage: &Storage) -> wire::Storage {
    let store = |store: &Store| wire::Store {
        id: store.id.to_string(),
        shared: store.scope == Scope::Shared,
        enforces_quotas: store.enforcement == Enforcement::Enforced,
    };
    wire::Storage {
        homes: storage.homes.as_ref().map(store),
        volumes: storage.volumes.as_ref().map(store),
        mapping: storage.mapping == Mapping::Supported,
    }
}

pub(super) fn storage_from_wire(wire: wire::Storage) -> Result<Storage, Malformed> {
    let store = |store: wire::Store| {
        Ok(Store {
            id: store.id.parse().map_err(|e| malformed("inventory.storage.id", e))?,
            scope: scope(store.shared),
            enforcement: match store.enforces_quotas {
                true => Enforcement::Enforced,
                false => Enforcement::Metered,
            },
        })
    };
    Ok(Storage {
        homes: wire.homes.map(store).transpose()?,
        volumes: wire.volumes.map(store).transpose()?,
        mapping: if wire.mapping { Mapping::Supported } else { Mapping::Unsupported },
    })
}
