//! Files of a container, for whoever asks from far away. What is done blocks, and so has a thread; frames are what it
//! waits for.

mod ask;
mod kept;
mod streams;
mod turns;

use std::{io, os::fd::OwnedFd, path::PathBuf};

use berth_core::{
    desired::Belongings,
    files::{Below, FileFault, FilePath, FilesOperation, Read},
    id::{ContainerId, VolumeId},
    relay::{End, EndReason, Frame, Target},
    space::Taker,
    storage::{Holder, HomeMount, Posix, Scope},
};
use berth_docker::{
    Docker,
    files::{Access, Lease, Place, PlaceError, User},
};
use berth_files::{Error, Owner, Tree};
use berth_reconcile::runtime::EngineId;
use berth_storage::{Home, Storage, used_bytes};
use rustix::thread::{Gid, Uid, set_thread_gid, set_thread_groups, set_thread_uid};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::Instant,
};

use self::{kept::Kept, turns::Turns};
use crate::{session::chain, space::Counted};

const FRAMES: usize = 4;
/// A container's list of accounts.
const ACCOUNTS: &str = "/etc/passwd";
const ACCOUNTS_MAXIMUM: usize = 1 << 20;

/// Cheap to clone.
#[derive(Clone)]
pub struct Files {
    docker: Docker,
    kept: Kept,
    turns: Turns,
    space: Counted,
}

impl Files {
    pub fn new(docker: Docker, space: Counted) -> Self {
        Self { docker, kept: Kept::default(), turns: Turns::default(), space }
    }

    /// Of a container. Its owner's home is a part of it, also while nothing is mounted there.
    pub(super) async fn perform(
        &self,
        container: ContainerId,
        engine: &EngineId,
        belongings: Option<&Belongings>,
        operation: FilesOperation,
        from: mpsc::Receiver<Frame>,
        to: &mpsc::Sender<Frame>,
    ) -> Result<End, End> {
        let place = self.docker.place(engine, access(&operation)).await;
        let stopped = match &place {
            Ok(place) => place.lease.is_some(),
            Err(PlaceError::UnknownDriver(_)) => true,
            Err(_) => false,
        };
        // What is mounted while it runs is where it always is.
        let mounted = belongings.filter(|_| stopped).map(mounted).unwrap_or_default();
        let mut operation = operation;
        for (path, directory) in mounted {
            match operation.below(&path) {
                Below::Inside(inner) => {
                    drop(place);
                    let ended = self.in_directory(directory, inner, from, to).await;
                    return ended.map_err(|end| prefixed(end, path.as_str()));
                }
                Below::Across { from } => {
                    return Err(End::file(FileFault::OtherFileSystem, from.as_str()));
                }
                Below::Outside(outer) => operation = outer,
            }
        }
        let turn = self.turns.take(Target::Container(container));
        let turn = turn.ok_or_else(|| End::file(FileFault::Busy, operation.path().as_str()))?;
        let Place { root, user, lease } = place.map_err(|error| nowhere(&operation, &error))?;
        let (passing, from) = match lease {
            Some(lease) => {
                let (passing, passed) = mpsc::channel(FRAMES);
                (Some(pass(from, passing, lease)), passed)
            }
            None => (None, from),
        };
        let (to, kept) = (to.clone(), self.kept.clone());
        let mut working = spawn_blocking(move || {
            let _turn = turn;
            let owner = owner(Tree::new(root.try_clone()?, Owner { uid: 0, gid: 0 }), &user);
            let tree = Tree::new(root, owner);
            let target = Target::Container(container);
            Ok::<_, io::Error>(ask::perform(&tree, &target, operation, from, &to, &kept))
        });
        let ended = match passing {
            Some(passing) => {
                tokio::pin!(passing);
                // The lease is given back when what it was taken for has ended, and not before.
                tokio::select! {
                    ended = &mut working => ended,
                    _lease = &mut passing => working.await,
                }
            }
            None => working.await,
        };
        let ended = ended.map_err(|error| End::new(EndReason::Failed, error.to_string()))?;
        ended.map_err(|error| End::new(EndReason::Failed, error.to_string()))?.map_err(failed)
    }

    pub(super) async fn measure_directory(
        &self,
        target: Target,
        to: &mpsc::Sender<Frame>,
    ) -> Result<End, End> {
        let storage = self.docker.storage().clone();
        let found = spawn_blocking(move || {
            let found = directory_of(&storage, &target)?;
            let homes = storage.survey().0.homes;
            let taker = match target {
                Target::Home(holder) => homes.map(|homes| Taker::Home(homes.id, holder.posix.uid)),
                Target::Volume { id, .. } => Some(Taker::Volume(id)),
                Target::Container(_) => None,
            };
            Ok::<_, End>((found.path, taker))
        });
        let (path, taker) =
            found.await.map_err(|error| End::new(EndReason::Failed, error.to_string()))??;
        self.measure(path, taker, to).await
    }

    pub(super) async fn measure_layer(
        &self,
        container: ContainerId,
        engine: &EngineId,
        to: &mpsc::Sender<Frame>,
    ) -> Result<End, End> {
        let failed = |detail: String| End::new(EndReason::Failed, detail);
        let layer = self.docker.layer(engine).await.map_err(|error| failed(error.to_string()))?;
        let layer =
            layer.ok_or_else(|| failed("the engine does not say where it is".to_owned()))?;
        self.measure(layer, Some(Taker::Layer(container)), to).await
    }

    /// Somebody waits for it: not at the lowest priority.
    async fn measure(
        &self,
        path: PathBuf,
        taker: Option<Taker>,
        to: &mpsc::Sender<Frame>,
    ) -> Result<End, End> {
        let failed = |detail: String| End::new(EndReason::Failed, detail);
        let began = Instant::now();
        let counted = spawn_blocking(move || used_bytes(&path)).await;
        let bytes = counted
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))?;
        // The next reports must not say again what was before.
        if let Some(taker) = taker {
            self.space.set(taker, began, bytes);
        }
        // A caller who has gone does not miss it.
        drop(to.send(Frame::Position(bytes)).await);
        Ok(End::new(EndReason::Exited, ""))
    }

    pub(super) async fn remove_volume(&self, id: VolumeId, scope: Scope) -> Result<End, End> {
        let storage = self.docker.storage().clone();
        let removed = spawn_blocking(move || storage.remove_volume(id, scope)).await;
        let failed = |detail: String| End::new(EndReason::Failed, detail);
        removed
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(chain(&error)))?;
        tracing::info!(volume.id = %id, "volume removed");
        Ok(End::new(EndReason::Exited, ""))
    }

    /// Of a home, without any container.
    pub(super) async fn in_home(
        &self,
        holder: &Holder,
        operation: FilesOperation,
        from: mpsc::Receiver<Frame>,
        to: &mpsc::Sender<Frame>,
    ) -> Result<End, End> {
        self.in_directory(Target::Home(holder.clone()), operation, from, to).await
    }

    /// As its account, so that nothing is done there that the account could not do itself, whatever server keeps it.
    async fn in_directory(
        &self,
        target: Target,
        operation: FilesOperation,
        from: mpsc::Receiver<Frame>,
        to: &mpsc::Sender<Frame>,
    ) -> Result<End, End> {
        let turn = self.turns.take(target.clone());
        let turn = turn.ok_or_else(|| End::file(FileFault::Busy, operation.path().as_str()))?;
        let (storage, to, kept) = (self.docker.storage().clone(), to.clone(), self.kept.clone());
        let (done, ended) = oneshot::channel();
        let work = move || {
            let _turn = turn;
            let performed = || {
                let (directory, posix) = open(&storage, &target)?;
                become_account(posix)
                    .map_err(|error| End::new(EndReason::Failed, error.to_string()))?;
                let tree = Tree::new(directory, Owner { uid: posix.uid, gid: posix.gid });
                ask::perform(&tree, &target, operation, from, &to, &kept).map_err(failed)
            };
            // Whoever waited may have gone.
            drop(done.send(performed()));
        };
        // A thread of its own, which ends with this: it cannot be root again.
        std::thread::Builder::new()
            .name("home".to_owned())
            .spawn(work)
            .map_err(|error| End::new(EndReason::Failed, error.to_string()))?;
        ended.await.map_err(|_| End::new(EndReason::Failed, "the operation has crashed"))?
    }
}

fn open(storage: &Storage, target: &Target) -> Result<(OwnedFd, Posix), End> {
    let posix = match target {
        Target::Home(holder) | Target::Volume { holder, .. } => holder.posix,
        Target::Container(_) => {
            return Err(End::new(EndReason::Unsupported, "a container is no directory"));
        }
    };
    directory_of(storage, target).map(|found| (found.directory, posix))
}

fn directory_of(storage: &Storage, target: &Target) -> Result<Home, End> {
    let found = match target {
        Target::Home(holder) => storage.home(holder),
        Target::Volume { id, scope, holder } => storage.volume(*id, *scope, holder),
        Target::Container(_) => {
            return Err(End::new(EndReason::Unsupported, "a container is no directory"));
        }
    };
    found.map_err(|error| End::new(EndReason::Failed, chain(&error)))
}

/// Where it has directories of its owner's, the deepest first: one may be mounted in another.
fn mounted(belongings: &Belongings) -> Vec<(FilePath, Target)> {
    let Belongings { holder, home, volumes, .. } = belongings;
    let home = (*home != HomeMount::None).then(|| (holder.home(), Target::Home(holder.clone())));
    let volumes = volumes.iter().map(|volume| {
        let target = Target::Volume { id: volume.id, scope: volume.scope, holder: holder.clone() };
        (volume.path.clone(), target)
    });
    let mut all: Vec<_> = home
        .into_iter()
        .chain(volumes)
        .filter_map(|(path, target)| Some((FilePath::parse(&path).ok()?, target)))
        .collect();
    all.sort_by(|a, b| b.0.cmp(&a.0));
    all
}

/// This thread alone, and for ever.
fn become_account(posix: Posix) -> io::Result<()> {
    set_thread_groups(&[])?;
    set_thread_gid(Gid::from_raw(posix.gid))?;
    Ok(set_thread_uid(Uid::from_raw(posix.uid))?)
}

/// Paths as the caller has them.
fn prefixed(mut end: End, home: &str) -> End {
    if end.subject.starts_with('/') {
        end.subject = format!("{home}{}", end.subject).trim_end_matches('/').to_owned();
    }
    end
}

/// Until the caller has gone, or the files are wanted back. To whoever reads the frames it is the same.
async fn pass(
    mut from: mpsc::Receiver<Frame>,
    passing: mpsc::Sender<Frame>,
    mut lease: Lease,
) -> Lease {
    loop {
        let frame = tokio::select! {
            () = lease.revoked() => return lease,
            frame = from.recv() => frame,
        };
        let Some(frame) = frame else { return lease };
        if passing.send(frame).await.is_err() {
            return lease;
        }
    }
}

fn access(operation: &FilesOperation) -> Access {
    match operation {
        FilesOperation::Stat { .. }
        | FilesOperation::List { .. }
        | FilesOperation::Read(_)
        | FilesOperation::Pack { .. } => Access::Read,
        FilesOperation::Write(_)
        | FilesOperation::Discard { .. }
        | FilesOperation::Unpack { .. }
        | FilesOperation::MakeDirectory { .. }
        | FilesOperation::SetAttributes { .. }
        | FilesOperation::Move { .. }
        | FilesOperation::Delete { .. } => Access::Write,
    }
}

fn nowhere(operation: &FilesOperation, error: &PlaceError) -> End {
    let fault = match error {
        PlaceError::Starting => FileFault::Busy,
        PlaceError::UnknownDriver(_) => FileFault::Stopped,
        PlaceError::NoSuchContainer => {
            return End::new(EndReason::ContainerNotRunning, error.to_string());
        }
        PlaceError::Engine(_) | PlaceError::Io(_) => {
            return End::new(EndReason::Failed, chain(error));
        }
    };
    End { detail: chain(error), ..End::file(fault, operation.path().as_str()) }
}

fn failed(error: Error) -> End {
    match error {
        Error::Fault { fault, subject } => End::file(fault, subject),
        Error::Io { .. } => End::new(EndReason::Failed, chain(&error)),
    }
}

/// Names are looked up in the container's own list. What is not there is root, as for a program whose user is not said.
fn owner(tree: Tree, user: &User) -> Owner {
    match user {
        User::Ids { uid, gid } => Owner { uid: *uid, gid: *gid },
        User::Named(name) => {
            let accounts = accounts(&tree).unwrap_or_default();
            let name = name.split_once(':').map_or(name.as_str(), |(name, _)| name);
            account(&accounts, name).unwrap_or(Owner { uid: 0, gid: 0 })
        }
    }
}

fn accounts(tree: &Tree) -> Option<String> {
    let path = FilePath::parse(ACCOUNTS).ok()?;
    let mut reader = tree.read(&Read { path, from: 0, to: None, version: None }).ok()?;
    let length = usize::try_from(reader.left()).ok().filter(|length| *length < ACCOUNTS_MAXIMUM)?;
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        filled += reader.next(&mut bytes[filled..]).ok()?;
    }
    String::from_utf8(bytes).ok()
}

/// By its name, or by its number when that has a line.
fn account(accounts: &str, wanted: &str) -> Option<Owner> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, uid, gid) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let owner = Owner { uid: uid.parse().ok()?, gid: gid.parse().ok()? };
        (name == wanted || uid == wanted).then_some(owner)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_by_name() {
        let text =
            "root:x:0:0:root:/root:/bin/sh\nbroken\njovyan:x:1000:100:,,,:/home/jovyan:/bin/bash\n";
        assert_eq!(account(text, "jovyan"), Some(Owner { uid: 1000, gid: 100 }));
        assert_eq!(account(text, "1000"), Some(Owner { uid: 1000, gid: 100 }));
        assert_eq!(account(text, "nobody"), None);
    }
}
