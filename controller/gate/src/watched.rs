//! A body that ends when its reader may no longer have it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::turns::Turn;

pub(crate) struct Watched {
    body: Incoming,
    permit: Pin<Box<dyn Future<Output = ()> + Send>>,
    over: bool,
    /// Given back with the last byte, or when the browser has gone.
    _turn: Turn,
}

impl Watched {
    pub(crate) fn new(
        body: Incoming,
        permit: Pin<Box<dyn Future<Output = ()> + Send>>,
        turn: Turn,
    ) -> Self {
        Self { body, permit, over: false, _turn: turn }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("who reads it may no longer have it")]
    Revoked,
    #[error("the container broke off")]
    Container(#[source] hyper::Error),
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.over || self.permit.as_mut().poll(context).is_ready() {
            // A future that is done is not asked again.
            self.over = true;
            return Poll::Ready(Some(Err(Broken::Revoked)));
        }
        Pin::new(&mut self.body).poll_frame(context).map_err(Broken::Container)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
