//! A body that ends when its reader may no longer have it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::{
    turns::Turn,
    visitor::{Ended, Permit},
};

pub(crate) struct Watched {
    body: Incoming,
    permit: Permit,
    /// A future that is done is not asked again.
    over: Option<Ended>,
    /// Given back with the last byte, or when the browser has gone.
    _turn: Turn,
}

impl Watched {
    pub(crate) fn new(body: Incoming, permit: Permit, turn: Turn) -> Self {
        Self { body, permit, over: None, _turn: turn }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("it is cut")]
    Cut(#[source] Ended),
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
        if self.over.is_none()
            && let Poll::Ready(ended) = self.permit.as_mut().poll(context)
        {
            self.over = Some(ended);
        }
        if let Some(ended) = self.over {
            return Poll::Ready(Some(Err(Broken::Cut(ended))));
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
