//! Who may do what. One table with a row for every RPC; a test walks the descriptors and fails for an RPC without one.

use std::{sync::Arc, time::Duration};

use berth_core::{
    account::{Role, Session, User},
    clock::Timestamp,
    id::{SessionId, UserId},
};

use crate::{error::Error, state::State};

/// Whoever makes a call.
#[derive(Debug, Clone)]
pub struct Actor {
    pub user: Arc<User>,
    pub session: SessionId,
}

impl Actor {
    /// Whether things of `owner` exist for this actor.
    pub fn may_reach(&self, owner: UserId) -> bool {
        self.user.id == owner || self.user.role == Role::Administrator
    }

    pub fn is_administrator(&self) -> bool {
        self.user.role == Role::Administrator
    }
}

/// What an RPC asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, signed in or not.
    Public,
    /// Anybody signed in, about themselves.
    SignedIn,
    /// The container's or volume's owner, and administrators; for everybody else it does not exist.
    OwnContainer,
    Administrator,
}

/// (method, access). Methods are full gRPC paths.
pub const TABLE: &[(&str, Access)] = &[
    ("/berth.v1.AppService/CreateShareLink", Access::OwnContainer),
    ("/berth.v1.AppService/ListShareLinks", Access::OwnContainer),
    ("/berth.v1.AppService/DeleteShareLink", Access::OwnContainer),
    ("/berth.v1.AuthService/SignIn", Access::Public),
    ("/berth.v1.AuthService/SignOut", Access::SignedIn),
    ("/berth.v1.AuthService/GetSelf", Access::SignedIn),
    ("/berth.v1.ContainerService/CreateContainer", Access::SignedIn),
    ("/berth.v1.ContainerService/GetContainer", Access::OwnContainer),
    ("/berth.v1.ContainerService/ListContainers", Access::OwnContainer),
    ("/berth.v1.ContainerService/WatchContainers", Access::OwnContainer),
    ("/berth.v1.ContainerService/StartContainer", Access::OwnContainer),
    ("/berth.v1.ContainerService/StopContainer", Access::OwnContainer),
    ("/berth.v1.ContainerService/RestartContainer", Access::OwnContainer),
    ("/berth.v1.ContainerService/DeleteContainer", Access::OwnContainer),
    ("/berth.v1.ContainerService/UpdateContainer", Access::OwnContainer),
    ("/berth.v1.ContainerService/ExtendLease", Access::OwnContainer),
    ("/berth.v1.ContainerService/ExplainPlacement", Access::SignedIn),
    ("/berth.v1.ExecService/Start", Access::OwnContainer),
    ("/berth.v1.ExecService/ListTerminals", Access::OwnContainer),
    ("/berth.v1.ExecService/EndTerminal", Access::OwnContainer),
    ("/berth.v1.ExecService/Attach", Access::OwnContainer),
    ("/berth.v1.ExecService/Output", Access::OwnContainer),
    // About an attachment of their own.
    ("/berth.v1.ExecService/Input", Access::OwnContainer),
    ("/berth.v1.ExecService/Resize", Access::OwnContainer),
    ("/berth.v1.ExecService/Run", Access::OwnContainer),
    ("/berth.v1.FileService/Stat", Access::OwnContainer),
    ("/berth.v1.FileService/List", Access::OwnContainer),
    ("/berth.v1.FileService/Download", Access::OwnContainer),
    ("/berth.v1.FileService/Upload", Access::OwnContainer),
    ("/berth.v1.FileService/DiscardUpload", Access::OwnContainer),
    ("/berth.v1.FileService/UploadArchive", Access::OwnContainer),
    ("/berth.v1.FileService/MakeDirectory", Access::OwnContainer),
    ("/berth.v1.FileService/SetAttributes", Access::OwnContainer),
    ("/berth.v1.FileService/Move", Access::OwnContainer),
    ("/berth.v1.FileService/Delete", Access::OwnContainer),
    ("/berth.v1.ForwardService/Connect", Access::OwnContainer),
    ("/berth.v1.LogService/Stream", Access::OwnContainer),
    ("/berth.v1.NodeService/ListNodes", Access::Administrator),
    ("/berth.v1.NodeService/GetNode", Access::Administrator),
    ("/berth.v1.NodeService/WatchNodes", Access::Administrator),
    ("/berth.v1.NodeService/CreateJoinToken", Access::Administrator),
    ("/berth.v1.NodeService/CordonNode", Access::Administrator),
    ("/berth.v1.NodeService/UncordonNode", Access::Administrator),
    ("/berth.v1.NodeService/DeleteNode", Access::Administrator),
    ("/berth.v1.NodeService/GetDesired", Access::Administrator),
    ("/berth.v1.NodeService/GetObserved", Access::Administrator),
    ("/berth.v1.UsageService/GetFigures", Access::OwnContainer),
    ("/berth.v1.UsageService/GetNodeFigures", Access::Administrator),
    ("/berth.v1.UsageService/WatchFigures", Access::OwnContainer),
    // Public by gRPC's custom: they show what this source code shows.
    ("/grpc.health.v1.Health/Check", Access::Public),
    ("/grpc.health.v1.Health/Watch", Access::Public),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Access::Public),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Access::Public),
    ("/berth.v1.VolumeService/CreateVolume", Access::SignedIn),
    ("/berth.v1.VolumeService/GetVolume", Access::OwnContainer),
    ("/berth.v1.VolumeService/ListVolumes", Access::OwnContainer),
    ("/berth.v1.VolumeService/DeleteVolume", Access::OwnContainer),
    ("/berth.v1.VolumeService/GetHome", Access::OwnContainer),
];

/// The row of an RPC. A path without a row is refused, whoever asks.
pub fn access(path: &str) -> Option<Access> {
    TABLE.iter().find(|(method, _)| *method == path).map(|(_, access)| *access)
}

/// Whether the caller may make the call at all; what it may be made *about* is decided where the thing is looked up.
pub fn permit(access: Access, actor: Option<&Actor>) -> Result<(), Error> {
    match (access, actor) {
        (Access::Public, _) => Ok(()),
        (_, None) => Err(Error::Unauthenticated),
        (Access::SignedIn | Access::OwnContainer, Some(_)) => Ok(()),
        (Access::Administrator, Some(actor)) if actor.is_administrator() => Ok(()),
        (Access::Administrator, Some(_)) => Err(Error::PermissionDenied),
    }
}

/// Who a session's token belongs to, if it still is one.
pub fn actor(state: &State, token_sha256: &[u8; 32], now: Timestamp) -> Option<Actor> {
    let session: &Arc<Session> = state.session_by_token(token_sha256)?;
    let user = state.users.get(&session.user)?;
    (session.expires_at > now && !user.suspended)
        .then(|| Actor { user: Arc::clone(user), session: session.id })
}

/// How often a long-lived stream asks again whether its session still is one.
pub const STREAM_RECHECK: Duration = Duration::from_secs(5);
