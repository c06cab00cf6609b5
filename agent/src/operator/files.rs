//! Files of a container, for whoever asks from far away. What is done blocks, and so has a thread; frames are what it
//! waits for.

mod ask;
mod kept;
mod streams;
mod turns;

use berth_core::{
    files::{FileFault, FilePath, FilesOperation, Read},
    id::ContainerId,
    relay::{End, EndReason, Frame},
};
use berth_docker::{
    Docker,
    files::{Access, Lease, Place, PlaceError, User},
};
use berth_files::{Error, Owner, Tree};
use berth_reconcile::runtime::EngineId;
use tokio::{sync::mpsc, task::spawn_blocking};

use self::{kept::Kept, turns::Turns};
use crate::session::chain;

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
}

impl Files {
    pub fn new(docker: Docker) -> Self {
        Self { docker, kept: Kept::default(), turns: Turns::default() }
    }

    pub(super) async fn perform(
        &self,
        container: ContainerId,
        engine: &EngineId,
        operation: FilesOperation,
        from: mpsc::Receiver<Frame>,
        to: &mpsc::Sender<Frame>,
    ) -> Result<End, End> {
        let turn = self.turns.take(container);
        let turn = turn.ok_or_else(|| End::file(FileFault::Busy, path(&operation).as_str()))?;
        let place = self.docker.place(engine, access(&operation)).await;
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
            Ok::<_, std::io::Error>(ask::perform(&tree, container, operation, from, &to, &kept))
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

fn path(operation: &FilesOperation) -> &FilePath {
    match operation {
        FilesOperation::Stat { path }
        | FilesOperation::List { path, .. }
        | FilesOperation::Pack { path, .. }
        | FilesOperation::Discard { path, .. }
        | FilesOperation::Unpack { path, .. }
        | FilesOperation::MakeDirectory { path }
        | FilesOperation::SetAttributes { path, .. }
        | FilesOperation::Delete { path }
        | FilesOperation::Move { from: path, .. } => path,
        FilesOperation::Read(read) => &read.path,
        FilesOperation::Write(write) => &write.path,
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
    End { detail: chain(error), ..End::file(fault, path(operation).as_str()) }
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
