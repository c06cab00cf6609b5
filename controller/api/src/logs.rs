//! What containers printed.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use berth_app::{
    authz::{Access, Actor},
    containers::{self, Selector},
    error::Error,
    ports::Relay,
};
use berth_core::{
    relay::{Follow, Frame, LogLine, LogPosition, LogStream, Logs, Moment, OperationKind, Rest},
    violation::{Problem, Violation},
};
use berth_proto::{
    convert::relay::{moment_from_wire, moment_to_wire},
    v1::{self, log_service_server::LogService},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{
    Api,
    caller::{Caller, answer},
    exec::{At, broke, checked},
    permit::Permit,
};

const TAIL_MAXIMUM: u32 = 100_000;
/// Messages that wait for a slow caller, whose own HTTP/2 window comes on top.
const QUEUE: usize = 4;

type Said = Result<v1::StreamLogsResponse, Status>;

#[tonic::async_trait]
impl LogService for Api {
    type StreamStream = ReceiverStream<Said>;

    async fn stream(
        &self,
        request: Request<v1::StreamLogsRequest>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let logs = wanted(&message)?;
            let (sender, receiver) = mpsc::channel(QUEUE);
            match self.placed(caller.actor()?, message.owner, message.name)? {
                Some(at) => {
                    let relay = self.relay(&at, OperationKind::Logs(logs)).await?;
                    let api = self.clone();
                    tokio::spawn(async move { follow(&api, &caller, relay, sender).await });
                }
                // It never was anywhere, and has printed nothing.
                None => drop(sender.send(Ok(last())).await),
            }
            Ok(ReceiverStream::new(receiver))
        })
        .await
    }
}

impl Api {
    /// Where a container is, or was when it last ran.
    pub(crate) fn placed(
        &self,
        actor: &Actor,
        owner: String,
        name: String,
    ) -> Result<Option<At>, Error> {
        let committed = self.committed();
        let container = containers::find(&committed.state, actor, &Selector { owner, name })?;
        let placement = container.placement.as_ref();
        Ok(placement.map(|placement| At::container(container.id, placement.node)))
    }
}

fn wanted(message: &v1::StreamLogsRequest) -> Result<Logs, Error> {
    let mut violations = Vec::new();
    let after = (!message.cursor.is_empty()).then(|| position(&message.cursor));
    if after == Some(None) {
        violations.push(Violation::new("cursor", Problem::UnknownValue));
    }
    if message.tail > TAIL_MAXIMUM {
        let problem = Problem::TooLarge { maximum: TAIL_MAXIMUM.to_string() };
        violations.push(Violation::new("tail", problem));
    }
    if !violations.is_empty() {
        return Err(Error::InvalidArgument { violations });
    }
    let follow = if message.follow { Follow::Yes } else { Follow::No };
    Ok(match after.flatten() {
        Some(after) => Logs { after: Some(after), follow, ..Logs::default() },
        None => Logs {
            since: message.since.as_ref().map(moment_from_wire),
            tail: (message.tail > 0).then_some(message.tail),
            follow,
            after: None,
        },
    })
}

/// 8 bytes of the moment, 4 of the index.
fn cursor(position: LogPosition) -> String {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&position.moment.0.to_be_bytes());
    bytes[8..].copy_from_slice(&position.index.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn position(cursor: &str) -> Option<LogPosition> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (moment, index) = bytes.split_first_chunk()?;
    let index = u32::from_be_bytes(index.try_into().ok()?);
    Some(LogPosition { moment: Moment(i64::from_be_bytes(*moment)), index })
}

async fn follow(api: &Api, caller: &Arc<Caller>, relay: Relay, sender: mpsc::Sender<Said>) {
    // Kept: its end would be the caller's.
    let Relay { to: _to, from: mut frames } = relay;
    let mut permit = Permit::new(api, caller, Access::OwnContainer);
    loop {
        // All are cancel-safe.
        let frame = tokio::select! {
            biased;
            end = permit.ends() => return refuse(&sender, caller, end).await,
            () = sender.closed() => return,
            frame = frames.recv() => frame,
        };
        let response = match frame {
            Some(Frame::Log(lines)) => v1::StreamLogsResponse {
                lines: lines.into_iter().map(message).collect(),
                end: false,
            },
            Some(Frame::End(end)) => match checked(end) {
                Ok(_) => last(),
                Err(error) => return refuse(&sender, caller, Some(error)).await,
            },
            Some(
                Frame::Data(_)
                | Frame::ErrorData(_)
                | Frame::Size(_)
                | Frame::EndOfInput
                | Frame::Terminal(_)
                | Frame::Position(_)
                | Frame::Connected
                | Frame::Entries(_)
                | Frame::Digest(_),
            ) => continue,
            None => return refuse(&sender, caller, Some(broke())).await,
        };
        let is_last = response.end;
        tokio::select! {
            sent = sender.send(Ok(response)) => if sent.is_err() || is_last { return },
            // Also while a caller takes nothing.
            end = permit.ends() => return refuse(&sender, caller, end).await,
        }
    }
}

async fn refuse(sender: &mpsc::Sender<Said>, caller: &Caller, error: Option<Error>) {
    if let Some(error) = error {
        // A closed queue has nobody to tell.
        drop(sender.send(Err(caller.status(&error))).await);
    }
}

fn last() -> v1::StreamLogsResponse {
    v1::StreamLogsResponse { lines: Vec::new(), end: true }
}

fn message(line: LogLine) -> v1::LogLine {
    v1::LogLine {
        time: Some(moment_to_wire(line.position.moment)),
        stream: match line.stream {
            LogStream::Stdout => 1,
            LogStream::Stderr => 2,
        },
        text: line.text,
        partial: line.rest == Rest::Follows,
        cursor: cursor(line.position),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors() {
        for (moment, index) in [(0, 0), (1_800_000_000_123_456_789, 7), (i64::MIN, u32::MAX)] {
            let there = LogPosition { moment: Moment(moment), index };
            assert_eq!(position(&cursor(there)), Some(there));
        }
        for bad in ["x", "1", "AAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAA=", "é"] {
            assert_eq!(position(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_cursor_wins() {
        let message = v1::StreamLogsRequest {
            cursor: cursor(LogPosition { moment: Moment(5), index: 1 }),
            tail: 7,
            since: Some(moment_to_wire(Moment(9))),
            ..Default::default()
        };
        let logs = wanted(&message).unwrap();
        assert_eq!((logs.tail, logs.since), (None, None));
        assert_eq!(logs.after, Some(LogPosition { moment: Moment(5), index: 1 }));
    }
}
