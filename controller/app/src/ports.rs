//! What the use cases need from outside. Adapters implement these; nothing here knows a database or a wire.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use berth_core::{
    account::{AccountName, LocalAccount, Role, Session, User},
    clock::Timestamp,
    container::Container,
    figures::{RollUp, Subject, Width},
    id::{ClusterId, ContainerId, Epoch, NodeId, SessionId, ShareLinkId, UserId, VolumeId},
    join::JoinToken,
    node::Node,
    relay::{Frame, Operation},
    share::ShareLink,
    storage::Posix,
    volume::Volume,
};
use tokio::sync::mpsc;

/// Everything that outlives the process.
#[derive(Debug, Clone)]
pub struct Records {
    pub cluster: ClusterId,
    pub epoch: Epoch,
    /// The number of the last commit.
    pub revision: u64,
    pub users: Vec<User>,
    pub sessions: Vec<Session>,
    pub join_tokens: Vec<JoinToken>,
    pub nodes: Vec<Node>,
    pub containers: Vec<Container>,
    pub share_links: Vec<ShareLink>,
    pub volumes: Vec<Volume>,
}

/// What one commit changes. Rows are whole: the last value wins, however often a row was touched in the batch.
#[derive(Debug, Clone, Default)]
pub struct ChangeSet {
    /// The commit's number; the store refuses it unless it follows the one it holds.
    pub revision: u64,
    pub users: Changes<UserId, User>,
    pub sessions: Changes<SessionId, Session>,
    /// By the token's SHA-256.
    pub join_tokens: Changes<[u8; 32], JoinToken>,
    pub nodes: Changes<NodeId, Node>,
    pub containers: Changes<ContainerId, Container>,
    pub share_links: Changes<ShareLinkId, ShareLink>,
    pub volumes: Changes<VolumeId, Volume>,
}

#[derive(Debug, Clone)]
pub struct Changes<K, V> {
    pub upserts: Vec<Arc<V>>,
    pub deletes: Vec<K>,
}

impl<K, V> Default for Changes<K, V> {
    fn default() -> Self {
        Self { upserts: Vec::new(), deletes: Vec::new() }
    }
}

impl<K, V> Changes<K, V> {
    pub fn is_empty(&self) -> bool {
        self.upserts.is_empty() && self.deletes.is_empty()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has committed: this process no longer owns the state and must stop.
    #[error("the store holds revision {held}, a commit of {offered} does not follow it")]
    Conflict { held: u64, offered: u64 },
    /// Trying again may help: locked, disk full, connection lost.
    #[error("the store cannot be used at present")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row that cannot be read: a newer version wrote it, or something damaged it.
    #[error("the store holds a row that cannot be read: {what}")]
    Corrupt { what: String },
}

/// The controller's memory on disk.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Everything; on a fresh store it first records the cluster id and epoch offered here.
    async fn load(&self, cluster: ClusterId, epoch: Epoch) -> Result<Records, StoreError>;

    /// All of it or nothing, durable when it returns.
    async fn commit(&self, changes: &ChangeSet) -> Result<(), StoreError>;
}

/// The built-in directory's accounts. Beside `Store`, because `berth-controller user add` writes them while the controller
/// runs.
#[async_trait]
pub trait LocalAccounts: Send + Sync + 'static {
    async fn find(&self, account: &AccountName) -> Result<Option<LocalAccount>, StoreError>;
    async fn list(&self) -> Result<Vec<LocalAccount>, StoreError>;
    async fn put(&self, account: &LocalAccount) -> Result<(), StoreError>;
}

/// What was used when. Beside `Store`: it is no part of the state, and a row that is lost is a gap in a graph.
#[async_trait]
pub trait History: Send + Sync + 'static {
    /// Adds rows; those that are there already are written anew.
    async fn record(&self, width: Width, rows: &[(Subject, RollUp)]) -> Result<(), StoreError>;

    /// Of one subject from `since` on, the oldest first.
    async fn read(
        &self,
        subject: Subject,
        width: Width,
        since: Timestamp,
    ) -> Result<Vec<RollUp>, StoreError>;

    /// Of all subjects, what begins at `from` or later and before `until`, by subject and time.
    async fn read_all(
        &self,
        width: Width,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Subject, RollUp)>, StoreError>;

    /// Forgets what begins before `before`.
    async fn forget(&self, width: Width, before: Timestamp) -> Result<(), StoreError>;
}

/// A password on its way to a directory; never shown.
pub struct Password(String);

impl Password {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Somebody as a directory knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub account: AccountName,
    pub display_name: String,
    pub role: Role,
    /// What its files carry; `None`: the directory does not say.
    pub posix: Option<Posix>,
}

#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Unknown account, wrong password, disabled: the caller is told no more than this.
    #[error("account or password is wrong")]
    Refused,
    #[error("the directory does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where people's accounts are.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    async fn sign_in(&self, account: &str, password: &Password)
    -> Result<Identity, DirectoryError>;

    /// The account as it is now; `None` when it is gone or may no longer sign in.
    async fn look_up(&self, account: &AccountName) -> Result<Option<Identity>, DirectoryError>;
}

/// Byte streams to blades.
#[async_trait]
pub trait Relays: Send + Sync {
    /// Asks the blade to begin `operation`; answers when it has begun to listen, or fails within seconds.
    async fn open(&self, node: NodeId, operation: Operation) -> Result<Relay, RelayError>;
}

/// Both ends of one operation. Dropping either tells the blade that nobody is there any more.
#[derive(Debug)]
pub struct Relay {
    pub to: mpsc::Sender<Frame>,
    /// `None` without an [`Frame::End`] before it: the connection broke.
    pub from: mpsc::Receiver<Frame>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    #[error("the blade is not connected")]
    NotConnected,
    #[error("the blade did not open the relay in time")]
    TooLate,
}
