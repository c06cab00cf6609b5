//! Whether a stream's caller may still have it.

use std::sync::Arc;

use berth_app::{
    authz::{self, Access},
    error::Error,
};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::{Api, caller::Caller};

pub(crate) struct Permit {
    api: Api,
    caller: Arc<Caller>,
    access: Access,
    rechecks: Interval,
    stopping: tokio::sync::watch::Receiver<bool>,
}

impl Permit {
    pub(crate) fn new(api: &Api, caller: &Arc<Caller>, access: Access) -> Self {
        let period = authz::STREAM_RECHECK;
        let mut rechecks = interval_at(Instant::now() + period, period);
        rechecks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stopping = api.0.stopping.clone();
        Self { api: api.clone(), caller: Arc::clone(caller), access, rechecks, stopping }
    }

    /// Returns when the stream must end: with the reason, or without one when this process stops. Cancel-safe: a tick that
    /// is lost is only late.
    pub(crate) async fn ends(&mut self) -> Option<Error> {
        loop {
            tokio::select! {
                biased;
                // An error means that the sender is gone, and with it the process's main task.
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                _ = self.rechecks.tick() => {
                    if let Err(error) = check(&self.api, &self.caller, self.access) {
                        return Some(error);
                    }
                }
            }
        }
    }
}

/// The session must still be one, and its owner still somebody who may.
pub(crate) fn check(api: &Api, caller: &Caller, access: Access) -> Result<(), Error> {
    let actor = caller.actor()?;
    let committed = api.committed();
    let session = committed.state.sessions.get(&actor.session).ok_or(Error::Unauthenticated)?;
    let now = authz::actor(&committed.state, &session.token_sha256, api.0.clock.now())
        .ok_or(Error::Unauthenticated)?;
    authz::permit(access, Some(&now))?;
    // What the stream shows was decided for the role at its beginning.
    if now.user.role == actor.user.role { Ok(()) } else { Err(Error::PermissionDenied) }
}
