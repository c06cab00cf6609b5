//! Where people's data lives: homes, volumes, and whose numbers their files carry.

use serde::{Deserialize, Serialize};

use crate::{
    account::{AccountName, User},
    id::StoreId,
};

/// An account's numbers, as file systems know it. Never root's, and the same on every blade for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Posix {
    pub uid: u32,
    pub gid: u32,
}

impl Posix {
    /// Below are a machine's own accounts; above, what programs take for "nobody" or for an error.
    const SYSTEM: u32 = 1000;
    const MAXIMUM: u32 = 0x7fff_ffff;

    pub fn new(uid: u32, gid: u32) -> Option<Self> {
        // A site's group may be an old one of its machines, such as users(100); root's is none.
        let ok =
            (Self::SYSTEM..=Self::MAXIMUM).contains(&uid) && (1..=Self::MAXIMUM).contains(&gid);
        ok.then_some(Self { uid, gid })
    }

    /// For an account that the directory knows no numbers of: a group of its own.
    pub fn own_group(number: u32) -> Option<Self> {
        Self::new(number, number)
    }
}

/// Whose home a container has, and whose files it makes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Holder {
    pub account: AccountName,
    pub posix: Posix,
}

impl Holder {
    pub fn of(user: &User) -> Self {
        Self { account: user.account.clone(), posix: user.posix }
    }

    /// Where the home is in every container.
    pub fn home(&self) -> String {
        format!("/home/{}", self.account)
    }
}

/// As whom the program inside runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunAs {
    /// As its owner's account: what it writes in the home belongs to that account.
    #[default]
    Account,
    /// As the image says, often as root. It has a home only where the blade can show it another number than is on disk.
    Image,
}

/// How a container gets its owner's home. Chosen when it is placed, since blades differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HomeMount {
    #[default]
    None,
    Plain,
    /// Seen inside as belonging to the image's user, and on disk belonging to the account.
    Mapped,
}

/// Which machines see the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every blade that has the same share.
    Shared,
    /// This blade alone.
    Local,
}

/// Whether a limit of space is kept by the file system, or only looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// Project quotas: no byte more can be written.
    Enforced,
    /// What is used is measured from time to time.
    Metered,
}

/// A blade's offer to keep data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// Kept in the directory itself: blades that have the same one see the same data.
    pub id: StoreId,
    pub scope: Scope,
    pub enforcement: Enforcement,
}

/// Everything a blade offers to keep data with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Storage {
    pub homes: Option<Store>,
    /// For volumes of its own. Shared ones are in the store of shared homes.
    pub volumes: Option<Store>,
    /// Whether it can show an account's files as somebody else's (idmapped mounts).
    pub mapping: Mapping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mapping {
    #[default]
    Unsupported,
    Supported,
}

impl Storage {
    /// Where volumes that other blades see are kept.
    pub fn shared(&self) -> Option<&Store> {
        self.homes.as_ref().filter(|homes| homes.scope == Scope::Shared)
    }

    pub fn has(&self, store: StoreId) -> bool {
        self.homes.iter().chain(&self.volumes).any(|kept| kept.id == store)
    }

    /// What a container that runs so gets of its owner's home here.
    pub fn home_for(&self, run_as: RunAs) -> HomeMount {
        match (&self.homes, run_as, self.mapping) {
            (None, _, _) => HomeMount::None,
            (Some(_), RunAs::Account, _) => HomeMount::Plain,
            (Some(_), RunAs::Image, Mapping::Supported) => HomeMount::Mapped,
            (Some(_), RunAs::Image, Mapping::Unsupported) => HomeMount::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn numbers_that_are_nobody_s() {
        assert!(Posix::new(1000, 100).is_some());
        for (uid, gid) in
            [(0, 0), (0, 1000), (999, 1000), (1000, 0), (u32::MAX, 1), (1000, 1 << 31)]
        {
            assert_eq!(Posix::new(uid, gid), None, "{uid}:{gid}");
        }
    }

    #[test]
    fn what_one_gets_of_the_home() {
        let homes = Store {
            id: StoreId::new(Uuid::nil()),
            scope: Scope::Local,
            enforcement: Enforcement::Metered,
        };
        let with = |mapping| Storage { homes: Some(homes.clone()), volumes: None, mapping };
        for mapping in [Mapping::Supported, Mapping::Unsupported] {
            assert_eq!(with(mapping).home_for(RunAs::Account), HomeMount::Plain);
            let none = Storage { homes: None, volumes: None, mapping };
            assert_eq!(none.home_for(RunAs::Account), HomeMount::None);
            assert_eq!(none.home_for(RunAs::Image), HomeMount::None);
        }
        assert_eq!(with(Mapping::Supported).home_for(RunAs::Image), HomeMount::Mapped);
        assert_eq!(with(Mapping::Unsupported).home_for(RunAs::Image), HomeMount::None);
    }
}
