//! Who makes a call and how; the guard puts it into every request.

use std::{future::Future, net::IpAddr, sync::Arc};

use berth_app::{authz::Actor, error::Error};
use berth_core::text::Language;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::status;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Native,
    /// A browser, or something that speaks like one.
    Web,
}

#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) actor: Option<Actor>,
    pub(crate) language: Language,
    pub(crate) request_id: Uuid,
    pub(crate) peer: IpAddr,
    pub(crate) transport: Transport,
}

impl Caller {
    /// The person, for RPCs that the table opens to nobody else.
    pub(crate) fn actor(&self) -> Result<&Actor, Error> {
        self.actor.as_ref().ok_or(Error::Unauthenticated)
    }

    pub(crate) fn status(&self, error: &Error) -> Status {
        status::of(self.language, self.request_id, error)
    }
}

/// Takes a request apart, and turns the outcome of `call` into an answer in the caller's language.
pub(crate) async fn answer<M, T, F>(
    request: Request<M>,
    call: impl FnOnce(Arc<Caller>, M) -> F,
) -> Result<Response<T>, Status>
where
    F: Future<Output = Result<T, Error>>,
{
    let (caller, message) = open(request);
    call(Arc::clone(&caller), message)
        .await
        .map(Response::new)
        .map_err(|error| caller.status(&error))
}

pub(crate) fn open<M>(request: Request<M>) -> (Arc<Caller>, M) {
    let (_, extensions, message) = request.into_parts();
    let caller = extensions.get::<Arc<Caller>>().expect("every route lies behind the guard");
    (Arc::clone(caller), message)
}
