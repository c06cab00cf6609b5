//! Watch streams: everything as it is, then every change, for as long as somebody looks.

use futures::future::{Either, select};

use super::{error::Error, status::Code, transport};
use crate::{state::connection, time};

/// A stream that says nothing for so long is taken for dead: a connection can end without either side hearing of it.
const SILENCE: u32 = 75_000;
const BACKOFF_FIRST: u32 = 200;
const BACKOFF_MAXIMUM: u32 = 15_000;
/// About two seconds of trying: longer than a network that changes takes.
const TROUBLE_FROM: u32 = 3;

/// What the responses of the watch calls have in common.
pub(crate) trait Watched: prost::Message + Default {
    type Request: prost::Message;
    type Item;
    const METHOD: &'static str;

    fn take(self) -> Part<Self::Item>;
}

pub(crate) struct Part<T> {
    pub(crate) kind: Kind,
    pub(crate) items: Vec<T>,
    pub(crate) removed: Vec<String>,
    pub(crate) last: bool,
    pub(crate) resume_token: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Snapshot,
    Change,
    Bookmark,
}

pub(crate) enum Delta<T> {
    /// Everything; what is not in it is no more.
    All(Vec<T>),
    Some {
        changed: Vec<T>,
        removed: Vec<String>,
    },
    /// It has failed a few times, and is tried on.
    Trouble(Error),
}

/// Calls `sink` until the watch cannot go on; comes back with the reason. Drop it to stop watching.
pub(crate) async fn follow<W: Watched>(
    request: impl Fn(String) -> W::Request,
    mut sink: impl FnMut(Delta<W::Item>),
) -> Error {
    let mut resume_token = String::new();
    let mut failures = 0u32;
    loop {
        let before = resume_token.clone();
        let error = match once::<W>(&request, &mut resume_token, &mut sink).await {
            // The controller ended the stream in order, as it does before it restarts.
            Ok(()) => Error::Network,
            Err(error) => error,
        };
        let progressed = before != resume_token;
        match error.code() {
            // The controller has forgotten that far back: begin anew.
            Some(Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition)
                if !resume_token.is_empty() =>
            {
                resume_token.clear();
            }
            Some(
                Code::Unauthenticated
                | Code::PermissionDenied
                | Code::NotFound
                | Code::InvalidArgument
                | Code::OutOfRange
                | Code::FailedPrecondition
                | Code::Unimplemented
                | Code::AlreadyExists,
            ) => return error,
            Some(
                Code::Cancelled
                | Code::Unknown
                | Code::DeadlineExceeded
                | Code::ResourceExhausted
                | Code::Aborted
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss,
            )
            | None => {}
        }
        failures = if progressed { 1 } else { failures.saturating_add(1) };
        // The first attempt to come back is made before anybody is told: it nearly always succeeds.
        if failures > 1 {
            connection::lost();
        }
        if failures > TROUBLE_FROM {
            sink(Delta::Trouble(error));
        }
        let wait = BACKOFF_FIRST.saturating_mul(1 << (failures - 1).min(8)).min(BACKOFF_MAXIMUM);
        time::sleep(time::jittered(wait)).await;
    }
}

async fn once<W: Watched>(
    request: &impl Fn(String) -> W::Request,
    resume_token: &mut String,
    sink: &mut impl FnMut(Delta<W::Item>),
) -> Result<(), Error> {
    let mut stream = transport::server_stream(W::METHOD, &request(resume_token.clone())).await?;
    let mut snapshot = Vec::new();
    loop {
        let silence = std::pin::pin!(time::sleep(SILENCE));
        let next = std::pin::pin!(stream.next::<W>());
        let message = match select(next, silence).await {
            Either::Left((message, _)) => message?,
            Either::Right(((), _)) => return Err(Error::Network),
        };
        let Some(message) = message else { return Ok(()) };
        connection::restored();
        let part = message.take();
        match part.kind {
            Kind::Snapshot => {
                snapshot.extend(part.items);
                if !part.last {
                    // A snapshot that is cut off is of no use: its token would skip the missing part.
                    continue;
                }
                sink(Delta::All(std::mem::take(&mut snapshot)));
            }
            Kind::Change => sink(Delta::Some { changed: part.items, removed: part.removed }),
            Kind::Bookmark => {}
        }
        if !part.resume_token.is_empty() {
            *resume_token = part.resume_token;
        }
    }
}
