//! Files on their way to a blade and from it, for whichever protocol asks.

use berth_app::{error::Error, ports::Relay};
use berth_core::{
    files::{Blake3, Entry, FilesOperation, Read, Write},
    relay::{Frame, OperationKind},
};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{
    Api,
    exec::{At, broke, checked, pieces},
};

/// Of an operation that answers once.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) entries: Vec<Entry>,
    pub(super) position: Option<u64>,
}

impl Api {
    /// An operation on files that sends nothing along.
    pub(super) async fn files(&self, at: &At, operation: FilesOperation) -> Result<Answer, Error> {
        let mut relay = self.relay(at, OperationKind::Files(operation)).await?;
        let mut answer = Answer::default();
        loop {
            match next(&mut relay.from).await? {
                Said::Entries(entries) => answer.entries.extend(entries),
                Said::Position(position) => answer.position = Some(position),
                Said::Over => return Ok(answer),
                Said::Data(_) | Said::Digest(_) => {}
            }
        }
    }

    pub(super) async fn entry(&self, at: &At, operation: FilesOperation) -> Result<Entry, Error> {
        self.files(at, operation).await?.entries.into_iter().next().ok_or_else(broke)
    }
}

/// What an operation on files says.
pub(super) enum Said {
    Entries(Vec<Entry>),
    Position(u64),
    Data(Bytes),
    Digest(Blake3),
    /// It was done.
    Over,
}

/// Cancel-safe.
pub(super) async fn next(from: &mut mpsc::Receiver<Frame>) -> Result<Said, Error> {
    loop {
        return match from.recv().await {
            Some(Frame::Entries(entries)) => Ok(Said::Entries(entries)),
            Some(Frame::Position(position)) => Ok(Said::Position(position)),
            Some(Frame::Data(data)) => Ok(Said::Data(data)),
            Some(Frame::Digest(digest)) => Ok(Said::Digest(digest)),
            Some(Frame::End(end)) => checked(end).map(|_| Said::Over),
            Some(
                Frame::ErrorData(_)
                | Frame::Size(_)
                | Frame::EndOfInput
                | Frame::Terminal(_)
                | Frame::Log(_)
                | Frame::Connected,
            ) => continue,
            None => Err(broke()),
        };
    }
}

/// A file that comes. What it is is known before the first byte.
pub(super) struct Download {
    pub(super) entry: Entry,
    pub(super) relay: Relay,
}

impl Download {
    pub(super) async fn begin(api: &Api, at: &At, read: Read) -> Result<Self, Error> {
        let operation = OperationKind::Files(FilesOperation::Read(read));
        let mut relay = api.relay(at, operation).await?;
        match next(&mut relay.from).await? {
            Said::Entries(mut entries) if !entries.is_empty() => {
                Ok(Self { entry: entries.swap_remove(0), relay })
            }
            Said::Entries(_) | Said::Position(_) | Said::Data(_) | Said::Digest(_) | Said::Over => {
                Err(broke())
            }
        }
    }
}

/// A file that goes.
pub(super) struct Upload {
    relay: Relay,
    position: u64,
}

impl Upload {
    /// Returns when the blade has said from where on it wants it.
    pub(super) async fn begin(api: &Api, at: &At, write: Write) -> Result<Self, Error> {
        let operation = OperationKind::Files(FilesOperation::Write(write));
        let mut relay = api.relay(at, operation).await?;
        match next(&mut relay.from).await? {
            Said::Position(position) => Ok(Self { relay, position }),
            Said::Entries(_) | Said::Data(_) | Said::Digest(_) | Said::Over => Err(broke()),
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) async fn data(&mut self, data: Bytes) -> Result<(), Error> {
        send(&mut self.relay, data).await
    }

    /// Returns when it is in its place.
    pub(super) async fn finish(mut self, digest: Blake3) -> Result<Entry, Error> {
        say(&mut self.relay, Frame::Digest(digest)).await?;
        let mut last = None;
        loop {
            match next(&mut self.relay.from).await? {
                Said::Entries(entries) => last = entries.into_iter().next(),
                Said::Over => return last.ok_or_else(broke),
                Said::Position(_) | Said::Data(_) | Said::Digest(_) => {}
            }
        }
    }

    /// Returns how much of it is kept.
    pub(super) async fn keep(mut self) -> Result<u64, Error> {
        say(&mut self.relay, Frame::EndOfInput).await?;
        let mut kept = None;
        loop {
            match next(&mut self.relay.from).await? {
                Said::Position(position) => kept = Some(position),
                Said::Over => return kept.ok_or_else(broke),
                Said::Entries(_) | Said::Data(_) | Said::Digest(_) => {}
            }
        }
    }
}

pub(super) async fn send(relay: &mut Relay, data: Bytes) -> Result<(), Error> {
    for piece in pieces(data) {
        say(relay, Frame::Data(piece)).await?;
    }
    Ok(())
}

/// A blade that has refused it says so while it is being sent.
pub(super) async fn say(relay: &mut Relay, frame: Frame) -> Result<(), Error> {
    tokio::select! {
        // Where there is none, why it listens no more is on its way.
        room = relay.to.reserve() => if let Ok(room) = room {
            room.send(frame);
            return Ok(());
        },
        said = next(&mut relay.from) => {
            said?;
            return Err(broke());
        }
    }
    loop {
        if matches!(next(&mut relay.from).await?, Said::Over) {
            return Err(broke());
        }
    }
}
