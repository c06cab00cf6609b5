//! A connection to a port inside a container, as something that hyper can read and write.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use berth_app::ports::{Relay, RelayError, Relays};
use berth_core::{
    clock::Timestamp,
    container::Container,
    id::{ContainerId, NodeId},
    observed::ObservedPhase,
    relay::{EndReason, FRAME_MAXIMUM, Frame, Operation, OperationKind, Target},
};
use bytes::{Buf as _, Bytes};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::mpsc,
};
use tokio_util::sync::PollSender;

/// A program that is there takes a connection at once; the blade itself answers within seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// Which port of which container, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) container: ContainerId,
    pub(crate) node: NodeId,
    pub(crate) port: u16,
    /// Tells one life of the container from the next.
    pub(crate) started_at: Option<Timestamp>,
}

impl At {
    /// Where it runs now; `None` for one that does not.
    pub(crate) fn of(container: &Container, port: u16) -> Option<Self> {
        let observed = container.current_observed()?;
        let placement = container.placement.as_ref()?;
        (observed.phase == ObservedPhase::Running).then_some(Self {
            container: container.id,
            node: placement.node,
            port,
            started_at: observed.started_at,
        })
    }

    /// Whether it is still the same, and runs as it did.
    pub(crate) fn is_of(self, container: &Container) -> bool {
        Self::of(container, self.port) == Some(self)
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("nothing listens on the port")]
    NothingListens,
    #[error("the container does not run")]
    NotRunning,
    #[error("the blade does not answer")]
    BladeSilent,
}

pub(crate) async fn open(relays: Arc<dyn Relays>, at: At) -> Result<Stream, Refused> {
    let operation = Operation {
        target: Target::Container(at.container),
        kind: OperationKind::Forward { port: at.port },
    };
    let opening = async {
        let mut relay = relays.open(at.node, operation).await.map_err(|error| {
            tracing::info!(node.id = %at.node, container.id = %at.container, %error, "no relay");
            match error {
                RelayError::NotConnected | RelayError::TooLate => Refused::BladeSilent,
            }
        })?;
        match relay.from.recv().await {
            Some(Frame::Connected) => Ok(Stream::new(relay)),
            Some(Frame::End(end)) => Err(refused(end.reason)),
            Some(
                Frame::Data(_)
                | Frame::ErrorData(_)
                | Frame::Size(_)
                | Frame::EndOfInput
                | Frame::Terminal(_)
                | Frame::Position(_)
                | Frame::Log(_)
                | Frame::Entries(_)
                | Frame::Digest(_),
            )
            | None => Err(Refused::BladeSilent),
        }
    };
    tokio::time::timeout(PATIENCE, opening).await.unwrap_or(Err(Refused::BladeSilent))
}

fn refused(reason: EndReason) -> Refused {
    match reason {
        EndReason::ConnectionRefused => Refused::NothingListens,
        EndReason::ContainerNotRunning => Refused::NotRunning,
        EndReason::Exited
        | EndReason::TimeLimit
        | EndReason::CommandNotFound
        | EndReason::NoSuchTerminal
        | EndReason::TooMany
        | EndReason::File(_)
        | EndReason::Failed
        | EndReason::Unsupported => Refused::BladeSilent,
    }
}

/// Both directions. Nothing is held here but the piece that is being read: the queues of the relay bound the rest, and the
/// blade stops reading when they are full.
pub(crate) struct Stream {
    from: mpsc::Receiver<Frame>,
    to: PollSender<Frame>,
    unread: Bytes,
    reading: Reading,
    writing: Writing,
}

#[derive(PartialEq, Eq)]
enum Reading {
    Open,
    Ended,
}

#[derive(PartialEq, Eq)]
enum Writing {
    Open,
    /// The program was told that nothing follows; what it says is still read.
    Ended,
}

impl Stream {
    fn new(relay: Relay) -> Self {
        Self {
            from: relay.from,
            to: PollSender::new(relay.to),
            unread: Bytes::new(),
            reading: Reading::Open,
            writing: Writing::Open,
        }
    }

    fn send(
        &mut self,
        context: &mut Context<'_>,
        frame: impl FnOnce() -> Frame,
    ) -> Poll<io::Result<()>> {
        ready!(self.to.poll_reserve(context)).map_err(|_| gone())?;
        Poll::Ready(self.to.send_item(frame()).map_err(|_| gone()))
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the blade has gone")
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if !self.unread.is_empty() {
                let length = self.unread.len().min(buffer.remaining());
                buffer.put_slice(&self.unread[..length]);
                self.unread.advance(length);
                return Poll::Ready(Ok(()));
            }
            if self.reading == Reading::Ended {
                return Poll::Ready(Ok(()));
            }
            match ready!(self.from.poll_recv(context)) {
                Some(Frame::Data(data)) => self.unread = data,
                Some(Frame::EndOfInput) => self.reading = Reading::Ended,
                Some(Frame::End(end)) if end.reason == EndReason::Exited => {
                    self.reading = Reading::Ended;
                }
                // A connection that broke must not look like one that ended.
                Some(Frame::End(_)) | None => {
                    self.reading = Reading::Ended;
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                Some(
                    Frame::ErrorData(_)
                    | Frame::Size(_)
                    | Frame::Terminal(_)
                    | Frame::Position(_)
                    | Frame::Log(_)
                    | Frame::Connected
                    | Frame::Entries(_)
                    | Frame::Digest(_),
                ) => {}
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.writing == Writing::Ended {
            return Poll::Ready(Err(gone()));
        }
        let piece = &data[..data.len().min(FRAME_MAXIMUM)];
        ready!(self.send(context, || Frame::Data(Bytes::copy_from_slice(piece))))?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.writing == Writing::Open {
            ready!(self.send(context, || Frame::EndOfInput))?;
            self.writing = Writing::Ended;
        }
        Poll::Ready(Ok(()))
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

#[cfg(test)]
mod tests {
    use berth_core::relay::End;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn pair() -> (Stream, mpsc::Receiver<Frame>, mpsc::Sender<Frame>) {
        let (to, blade_hears) = mpsc::channel(1);
        let (blade_says, from) = mpsc::channel(4);
        (Stream::new(Relay { to, from }), blade_hears, blade_says)
    }

    #[tokio::test]
    async fn bytes_come_as_they_were_sent() {
        let (mut stream, mut hears, says) = pair();
        says.send(Frame::Data("hello ".into())).await.unwrap();
        says.send(Frame::Data("world".into())).await.unwrap();
        says.send(Frame::EndOfInput).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello world");
        // The other direction goes on.
        stream.write_all(b"more").await.unwrap();
        assert_eq!(hears.recv().await, Some(Frame::Data("more".into())));
        stream.shutdown().await.unwrap();
        assert_eq!(hears.recv().await, Some(Frame::EndOfInput));
        stream.write_all(b"x").await.unwrap_err();
    }

    #[tokio::test]
    async fn what_breaks_is_no_end() {
        let (mut stream, hears, says) = pair();
        says.send(Frame::Data("half".into())).await.unwrap();
        drop(says);
        let mut text = String::new();
        let error = stream.read_to_string(&mut text).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        drop(hears);
        let error = stream.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);

        let (mut stream, _hears, says) = pair();
        says.send(Frame::End(End::new(EndReason::Failed, ""))).await.unwrap();
        stream.read_to_string(&mut String::new()).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_blade_that_does_not_read_holds_up_the_writer() {
        let (mut stream, mut hears, _says) = pair();
        let large = vec![7; 3 * FRAME_MAXIMUM];
        let write = stream.write_all(&large);
        tokio::pin!(write);
        tokio::select! {
            biased;
            _ = &mut write => panic!("nobody has read it"),
            () = tokio::task::yield_now() => {}
        }
        let mut heard = 0;
        while heard < large.len() {
            tokio::select! {
                biased;
                frame = hears.recv() => {
                    let Some(Frame::Data(data)) = frame else { panic!("{frame:?}") };
                    assert!(data.len() <= FRAME_MAXIMUM);
                    heard += data.len();
                }
                _ = &mut write, if heard < large.len() => {}
            }
        }
    }
}
