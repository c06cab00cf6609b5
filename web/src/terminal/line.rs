//! A line to a terminal, whichever way its bytes travel.

use berth_proto::v1::{AttachTerminal, TerminalOpened, TerminalSize, terminal_output::Message};
use futures::{
    StreamExt as _,
    future::{Either, select},
    stream::LocalBoxStream,
};

use super::{pair::Sender, plan::Kind, socket::Socket};
use crate::{api::Error, time};

/// A controller that answers at all does so within it.
const OPENING: u32 = 15_000;

/// What the terminal prints. Waiting for the next may be broken off without losing it.
pub(super) type Incoming = LocalBoxStream<'static, Result<Message, Error>>;

pub(super) enum Outgoing {
    Socket(Socket),
    Pair(Sender),
}

/// Dropping it ends it; the terminal stays.
pub(super) struct Line {
    pub(super) opened: TerminalOpened,
    pub(super) incoming: Incoming,
    outgoing: Outgoing,
}

impl Line {
    pub(super) async fn open(kind: Kind, attach: AttachTerminal) -> Result<Self, Error> {
        let opening = async {
            match kind {
                Kind::Socket => super::socket::open(attach).await,
                Kind::Pair => super::pair::open(attach).await,
            }
        };
        let patience = std::pin::pin!(time::sleep(OPENING));
        match select(std::pin::pin!(opening), patience).await {
            Either::Left((line, _)) => line,
            Either::Right(_) => Err(Error::Network),
        }
    }

    /// The first message, which is for nobody else.
    pub(super) async fn begin(mut incoming: Incoming, outgoing: Outgoing) -> Result<Self, Error> {
        match incoming.next().await {
            Some(Ok(Message::Opened(opened))) => Ok(Self { opened, incoming, outgoing }),
            Some(Err(error)) => Err(error),
            Some(Ok(Message::Data(_) | Message::Skipped(_) | Message::Ended(_))) => {
                Err(Error::Garbled)
            }
            None => Err(Error::Network),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match &self.outgoing {
            Outgoing::Socket(_) => Kind::Socket,
            Outgoing::Pair(_) => Kind::Pair,
        }
    }

    /// Gives back what it cannot take, because it is about to end.
    pub(super) fn send(&self, data: Vec<u8>) -> Result<(), Vec<u8>> {
        match &self.outgoing {
            Outgoing::Socket(socket) => socket.send(data),
            Outgoing::Pair(sender) => {
                sender.send(&data);
                Ok(())
            }
        }
    }

    pub(super) fn resize(&self, size: TerminalSize) {
        match &self.outgoing {
            Outgoing::Socket(socket) => socket.resize(size),
            Outgoing::Pair(sender) => sender.resize(size),
        }
    }

    /// Nothing that was typed is on its way.
    pub(super) fn has_sent_all(&self) -> bool {
        match &self.outgoing {
            Outgoing::Socket(_) => true,
            Outgoing::Pair(sender) => sender.has_sent_all(),
        }
    }
}
