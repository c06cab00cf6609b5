//! hyper's client, whose connections are relays. It keeps a few of them between requests: opening one costs a round trip to
//! the blade and back.

use std::{
    error::Error as StdError,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    http::{Request, Response, Uri},
};
use berth_app::ports::Relays;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tower::Service;
use uuid::Uuid;

use crate::relay::{self, At, Refused, Stream};

/// Many programs hang up after five seconds; a connection that is found gone is opened anew.
const IDLE: Duration = Duration::from_secs(4);
/// What a browser would keep open itself.
const IDLE_PER_PORT: usize = 6;
/// For the headers of an answer, which nobody streams.
const BUFFER: usize = 64 << 10;

#[derive(Clone)]
pub(crate) struct Upstream(Client<Connector, Body>);

impl Upstream {
    pub(crate) fn new(relays: Arc<dyn Relays>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_PORT)
            .http1_max_buf_size(BUFFER)
            .set_host(false)
            .build(Connector(relays));
        Self(client)
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Failed> {
        self.0.request(request).await.map_err(|error| {
            let refused = error.source().and_then(|source| source.downcast_ref::<Refused>());
            refused.map_or_else(
                || Failed::Broken(error.to_string()),
                |refused| Failed::Refused(*refused),
            )
        })
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("there is no connection")]
    Refused(Refused),
    /// It hung up, or does not speak HTTP.
    #[error("the program gave no answer: {0}")]
    Broken(String),
}

/// The address that a connection is kept under; never sent.
pub(crate) fn uri(at: At, path_and_query: &str) -> Option<Uri> {
    let (container, node) = (at.container.uuid().simple(), at.node.uuid().simple());
    // Another life, other connections.
    let life = at.started_at.map_or(0, |moment| moment.0);
    let authority = format!("{container}.{node}.{life}:{}", at.port);
    Uri::builder().scheme("http").authority(authority).path_and_query(path_and_query).build().ok()
}

fn read(uri: &Uri) -> Option<At> {
    let mut parts = uri.host()?.split('.');
    let (container, node) = (parts.next()?, parts.next()?);
    let uuid = |text: &str| Uuid::try_parse(text).ok();
    Some(At {
        container: berth_core::id::ContainerId::new(uuid(container)?),
        node: berth_core::id::NodeId::new(uuid(node)?),
        port: uri.port_u16()?,
        started_at: started_at(uri.host()?),
    })
}

fn started_at(host: &str) -> Option<berth_core::clock::Timestamp> {
    let life = host.rsplit('.').next()?.parse().ok()?;
    (life != 0).then_some(berth_core::clock::Timestamp(life))
}

#[derive(Clone)]
struct Connector(Arc<dyn Relays>);

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Refused>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let relays = Arc::clone(&self.0);
        Box::pin(async move {
            // It was written by `uri`.
            let at = read(&uri).ok_or(Refused::BladeSilent)?;
            relay::open(relays, at).await.map(TokioIo::new)
        })
    }
}

#[cfg(test)]
mod tests {
    use berth_core::id::{ContainerId, NodeId};

    use super::*;

    #[test]
    fn addresses_are_read_as_they_were_written() {
        let at = At {
            container: ContainerId::new(Uuid::from_u128(1)),
            node: NodeId::new(Uuid::from_u128(2)),
            port: 65_535,
            started_at: Some(berth_core::clock::Timestamp(1_800_000_000_000)),
        };
        let uri = uri(at, "/a//b?c=%20d").unwrap();
        assert_eq!(read(&uri), Some(at));
        assert_eq!(uri.path_and_query().unwrap(), "/a//b?c=%20d");
        assert_eq!(super::uri(at, "*evil"), None);
    }
}
