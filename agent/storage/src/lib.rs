//! Where people's data is on a blade. Everything here blocks: file systems may be far away.
//!
//! # Guarantees
//! A directory of homes is known by the id in it. One that lacks it, or has another, is not used and never filled: it is a
//! share that is not mounted. A home that is there is taken as it is, if it belongs to the account, and otherwise refused;
//! nothing is ever chowned, and no path below a home is ever mounted. Homes are mounted `nosuid,nodev` on the blade itself.
//!
//! # Assumptions
//! The directory belongs to root and nobody else can write in it: names in it cannot change under our feet.

mod accounts;
mod home;
mod kept;
mod mapped;
mod options;
mod root;
mod usage;

use std::{io, path::PathBuf, sync::Arc};

use berth_core::{
    desired::Belongings,
    fault::{Fault, FaultKind},
    id::{ContainerId, VolumeId},
    storage::{Enforcement, Holder, HomeMount, Mapping, RunAs, Scope, Store},
};

pub use berth_core::volume::Access;

pub use self::{
    accounts::ImageAccounts,
    home::Home,
    mapped::Ids,
    options::Options,
    root::{initialize, unmount},
    usage::used_bytes,
};
use self::{
    kept::{Kept, Prepared},
    root::{Open, Root},
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Trying again may help: somebody mounts it.
    #[error("{path}: {why}")]
    Missing { path: PathBuf, why: String },
    /// Somebody has to change the owner of what is there, or the account.
    #[error("{path} {why}")]
    Owner { path: PathBuf, why: String },
    #[error("{what}")]
    Io { what: String, source: io::Error },
}

impl Error {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Error::Io { what, source }
    }

    pub fn to_fault(&self) -> Fault {
        match self {
            Error::Missing { .. } => Fault::new(FaultKind::StorageMissing, self.to_string()),
            Error::Owner { .. } => Fault::new(FaultKind::HomeOwner, self.to_string()),
            Error::Io { what, source } if source.kind() == io::ErrorKind::StorageFull => {
                Fault::new(FaultKind::NoSpace, format!("{what}: {source}"))
            }
            Error::Io { what, source } => {
                Fault::new(FaultKind::StorageMissing, format!("{what}: {source}"))
            }
        }
    }
}

/// One engine container, and what is kept for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub container: ContainerId,
    pub incarnation: u32,
}

/// What the engine is to show at `target`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub source: PathBuf,
    pub target: String,
    pub access: Access,
}

/// What is read from the image that a container is made from.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// As whom it runs programs.
    pub user: Ids,
    pub accounts: ImageAccounts,
}

/// Beside the homes; no account begins with a dot.
const SHARED_VOLUMES: &str = ".volumes";

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Storage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    homes: Option<Root>,
    volumes: Option<Root>,
    kept: Kept,
    mapping: Mapping,
}

impl Storage {
    /// Looks at the directories, makes those of the blade's own that were never there, and tries what the kernel can do.
    /// `data` is the agent's own directory.
    pub fn start(options: &Options, data: &std::path::Path, run: PathBuf) -> Result<Self, Error> {
        let kept = Kept::new(data, run)?;
        let homes = Options::given(&options.homes)
            .map(|path| Root::new(path, options.scope(), data.join("homes-store")));
        let volumes = Options::given(&options.volumes)
            .map(|path| Root::new(path, Scope::Local, data.join("volumes-store")));
        let mapping = match homes.as_ref().map(Root::open) {
            Some(Ok(open)) => kept.probe_mapping(&open),
            Some(Err(error)) => {
                tracing::error!(%error, "homes cannot be used");
                Mapping::Unsupported
            }
            None => Mapping::Unsupported,
        };
        Ok(Self(Arc::new(Inner { homes, volumes, kept, mapping })))
    }

    /// Of a machine that keeps nobody's data: containers have no homes here.
    pub fn none(data: &std::path::Path, run: PathBuf) -> Result<Self, Error> {
        Self::start(&Options { homes: None, volumes: None, ..Options::default() }, data, run)
    }

    /// What is offered, and what is wrong with it.
    pub fn survey(&self) -> (berth_core::storage::Storage, Vec<Fault>) {
        let mut problems = Vec::new();
        let mut look = |root: &Option<Root>| {
            let root = root.as_ref()?;
            match root.open() {
                Ok(open) => Some(Store {
                    id: open.id,
                    scope: root.scope,
                    enforcement: Enforcement::Metered,
                }),
                Err(error) => {
                    problems.push(error.to_fault());
                    None
                }
            }
        };
        let (homes, volumes) = (look(&self.0.homes), look(&self.0.volumes));
        let mapping = if homes.is_some() { self.0.mapping } else { Mapping::Unsupported };
        (berth_core::storage::Storage { homes, volumes, mapping }, problems)
    }

    /// Makes what the container `key` needs to be made, and says how the engine gets at it.
    pub fn prepare(
        &self,
        key: Key,
        belongings: &Belongings,
        image: &Image,
    ) -> Result<Vec<Mount>, Error> {
        let kept = &self.0.kept;
        kept.remember(key, &Prepared { belongings: belongings.clone(), image_user: image.user })?;
        let mut mounts = match belongings.run_as {
            RunAs::Account => kept.write_accounts(key, belongings, &image.accounts)?,
            RunAs::Image => Vec::new(),
        };
        mounts.extend(self.mounts(key, belongings, image.user)?);
        Ok(mounts)
    }

    /// Before every start: whether the home is there, and what a reboot has taken is made again.
    pub fn renew(&self, key: Key) -> Result<(), Error> {
        match self.0.kept.recall(key)? {
            Some(Prepared { belongings, image_user }) => {
                self.mounts(key, &belongings, image_user).map(drop)
            }
            None => Ok(()),
        }
    }

    fn mounts(
        &self,
        key: Key,
        belongings: &Belongings,
        image_user: Ids,
    ) -> Result<Vec<Mount>, Error> {
        let Belongings { holder, run_as, home, volumes } = belongings;
        let shown = |slot: &str, directory: &Home| match run_as {
            RunAs::Account => Ok(directory.path.clone()),
            RunAs::Image => self.0.kept.map(key, slot, directory, holder.posix, image_user),
        };
        let mut mounts = Vec::new();
        match home {
            HomeMount::None => {}
            HomeMount::Plain | HomeMount::Mapped => mounts.push(Mount {
                source: shown("home", &self.home(holder)?)?,
                target: holder.home(),
                access: Access::ReadWrite,
            }),
        }
        for volume in volumes {
            let directory = self.volume(volume.id, volume.scope, holder)?;
            mounts.push(Mount {
                source: shown(&volume.id.to_string(), &directory)?,
                target: volume.path.clone(),
                access: volume.access,
            });
        }
        Ok(mounts)
    }

    /// Forgets what was kept for a container that is gone. Gone already is fine.
    pub fn release(&self, key: Key) -> Result<(), Error> {
        self.0.kept.release(key)
    }

    /// Those for whom something is kept.
    pub fn keys(&self) -> Result<Vec<Key>, Error> {
        self.0.kept.keys()
    }

    /// The account's home, made if it has none.
    pub fn home(&self, holder: &Holder) -> Result<Home, Error> {
        match &self.0.homes {
            Some(root) => home::ensure(&root.open()?, holder.account.as_str(), holder),
            None => Err(Error::Missing {
                path: "storage.homes".into(),
                why: "this blade has no homes".into(),
            }),
        }
    }

    /// A volume, made if it is not there.
    pub fn volume(&self, id: VolumeId, scope: Scope, holder: &Holder) -> Result<Home, Error> {
        home::ensure(&self.volumes(scope)?, &id.to_string(), holder)
    }

    /// With everything in it. Gone already is fine; a store that is not there is not the same as that.
    pub fn remove_volume(&self, id: VolumeId, scope: Scope) -> Result<(), Error> {
        let root = self.volumes(scope)?;
        let path = root.path.join(id.to_string());
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io(format!("{} cannot be removed", path.display()))(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn volumes(&self, scope: Scope) -> Result<Open, Error> {
        let root = match scope {
            Scope::Shared => self.0.homes.as_ref().filter(|root| root.scope == Scope::Shared),
            Scope::Local => self.0.volumes.as_ref(),
        };
        let missing = || Error::Missing {
            path: "storage.volumes".into(),
            why: "this blade keeps no such volumes".into(),
        };
        let open = root.ok_or_else(missing)?.open()?;
        match scope {
            Scope::Local => Ok(open),
            Scope::Shared => {
                let failed = Error::io(format!("{}: no volumes", open.path.display()));
                open.inner(SHARED_VOLUMES).map_err(failed)
            }
        }
    }
}
