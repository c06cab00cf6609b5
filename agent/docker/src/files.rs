//! Where a container's files are: the root that its programs see, or, while it does not run, the layers that the engine
//! keeps for it, put together for whoever looks.

mod held;
mod overlay;

use std::{fs::File, io, os::fd::OwnedFd, path::PathBuf, time::Duration};

use berth_reconcile::runtime::EngineId;
use bollard::{models::ContainerInspectResponse, query_parameters::InspectContainerOptions};
use rustix::fs::{CWD, Mode, OFlags, openat};
use tokio::time::{Instant, sleep};

pub(crate) use self::held::Held;
pub use self::held::Lease;
use crate::{Docker, engine::quick};

/// How long a start waits for those who are in a stopped container's files. They are told at once.
const LET_GO: Duration = Duration::from_secs(10);
/// A start or a stop takes less than a second of the engine's time.
const SETTLE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// Whose a container's files are that nobody said anything about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// As the machine counts.
    Ids { uid: u32, gid: u32 },
    /// By names that only the container's own files explain.
    Named(String),
}

/// A container's root directory.
#[derive(Debug)]
pub struct Place {
    pub root: OwnedFd,
    pub user: User,
    /// Of one that does not run: a start waits for its end.
    pub lease: Option<Lease>,
}

#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("no such container")]
    NoSuchContainer,
    #[error("the engine keeps its files in a way that this program does not know: {0}")]
    UnknownDriver(String),
    #[error("it is being started or stopped")]
    Starting,
    #[error("the engine does not answer")]
    Engine(#[source] berth_reconcile::runtime::Error),
    #[error("the files cannot be reached")]
    Io(#[from] io::Error),
}

impl Docker {
    /// Waits a little for one that is just being started or stopped.
    pub async fn place(&self, id: &EngineId, access: Access) -> Result<Place, PlaceError> {
        let deadline = Instant::now() + SETTLE;
        loop {
            match self.try_place(id, access).await {
                Err(PlaceError::Starting) if Instant::now() < deadline => sleep(LOOK).await,
                result => return result,
            }
        }
    }

    async fn try_place(&self, id: &EngineId, access: Access) -> Result<Place, PlaceError> {
        let before = self.look(id).await?;
        let Some(init) = init(&before) else {
            return self.stopped(id, access).await;
        };
        let place = running(init).map_err(|error| match error.kind() {
            // It has ended since it was looked at.
            io::ErrorKind::NotFound => PlaceError::Starting,
            _ => PlaceError::Io(error),
        })?;
        // Held first and looked at again afterwards: by then the number of a process may be another's.
        match self::init(&self.look(id).await?) {
            Some(now) if now == init => Ok(place),
            Some(_) | None => Err(PlaceError::Starting),
        }
    }

    async fn stopped(&self, id: &EngineId, access: Access) -> Result<Place, PlaceError> {
        let lease = self.inner.held.take(id).ok_or(PlaceError::Starting)?;
        // From here on it is not started by us.
        let found = self.look(id).await?;
        if init(&found).is_some() {
            return Err(PlaceError::Starting);
        }
        let driver = found.graph_driver.unwrap_or_default();
        if driver.name != "overlay2" {
            return Err(PlaceError::UnknownDriver(driver.name));
        }
        let upper = driver.data.get("UpperDir").map(PathBuf::from);
        let upper = upper.ok_or(PlaceError::UnknownDriver(driver.name))?;
        let mounted = tokio::task::spawn_blocking(move || overlay::open(&upper, access));
        let root = mounted.await.map_err(io::Error::other)??;
        let user = found.config.and_then(|config| config.user).unwrap_or_default();
        Ok(Place { root, user: named(&user), lease: Some(lease) })
    }

    async fn look(&self, id: &EngineId) -> Result<ContainerInspectResponse, PlaceError> {
        let client = &self.inner.engine.quick;
        let call = client.inspect_container(id.as_str(), None::<InspectContainerOptions>);
        quick(call).await.map_err(|error| match error {
            berth_reconcile::runtime::Error::NoSuchContainer => PlaceError::NoSuchContainer,
            error => PlaceError::Engine(error),
        })
    }

    /// Those who are in the files of a container that does not run are told to leave, until the answer is dropped.
    pub(crate) async fn clear(&self, id: &EngineId) -> held::Cleared {
        self.inner.held.clear(id, LET_GO).await
    }
}

/// The first process of one that runs. The root of one that is paused can be looked at like any other.
fn init(found: &ContainerInspectResponse) -> Option<i64> {
    let state = found.state.as_ref()?;
    let pid = state.pid.filter(|pid| *pid > 1)?;
    state.running.unwrap_or(false).then_some(pid)
}

fn running(init: i64) -> io::Result<Place> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, format!("/proc/{init}/root"), flags, Mode::empty())?;
    let status = procfs::process::Process::new(i32::try_from(init).map_err(io::Error::other)?)
        .and_then(|process| process.status())
        .map_err(|error| match error {
            procfs::ProcError::NotFound(_) => io::ErrorKind::NotFound.into(),
            error => io::Error::other(error),
        })?;
    Ok(Place { root, user: User::Ids { uid: status.euid, gid: status.egid }, lease: None })
}

/// `user`, `uid`, `user:group`, `uid:gid`, or nothing for root.
fn named(user: &str) -> User {
    let (uid, gid) = user.split_once(':').unwrap_or((user, "0"));
    match (uid.parse(), gid.parse()) {
        _ if user.is_empty() => User::Ids { uid: 0, gid: 0 },
        (Ok(uid), Ok(gid)) => User::Ids { uid, gid },
        (Ok(_) | Err(_), Ok(_) | Err(_)) => User::Named(user.to_owned()),
    }
}

/// For reading, and for names to be made in.
fn open_root(path: &std::path::Path) -> io::Result<OwnedFd> {
    Ok(File::open(path)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users() {
        for (text, uid, gid) in [("", 0, 0), ("1000", 1000, 0), ("1000:100", 1000, 100)] {
            assert_eq!(named(text), User::Ids { uid, gid }, "{text}");
        }
        for text in ["jovyan", "jovyan:users", "1000:users", "jovyan:100"] {
            assert_eq!(named(text), User::Named(text.to_owned()));
        }
    }
}
