//! Asking the engine for a log, and reading its answer.

use std::{collections::VecDeque, time::Duration};

use berth_core::relay::{LogLine, LogStream, Moment};
use berth_reconcile::runtime::EngineId;
use bytes::{Bytes, BytesMut};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Collected, Empty, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, time::timeout};

use super::split::Splitter;
use crate::exec::{DemuxError, Error, Exec, Output, demux::Demux, fault};

/// The most that is read ahead of a connection.
const READ_AHEAD: usize = 64 << 10;
const REFUSAL_MAXIMUM: usize = 64 << 10;
/// The engine begins to answer when it has found the log.
const OPEN: Duration = Duration::from_secs(30);

/// How what is printed is sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Both outputs, in frames, each of which is a message.
    Framed,
    /// A terminal's: as it is, a message per chunk.
    Raw,
}

/// What the engine is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lines {
    Kept,
    Followed,
    Last,
}

/// One of the engine's.
#[derive(Debug)]
pub(super) struct Answer {
    asked: Lines,
    body: Incoming,
    demux: Demux,
    buffer: BytesMut,
    splitter: Splitter,
    /// What was read and not taken yet.
    pub(super) lines: VecDeque<LogLine>,
}

impl Exec {
    /// When the last of all messages was printed.
    pub(super) async fn newest(
        &self,
        container: &EngineId,
        shape: Shape,
    ) -> Result<Option<Moment>, Error> {
        let mut answer = self.ask_logs(container, Lines::Last).await?;
        let read = async {
            while let Some(more) = answer.more(shape).await {
                more?;
            }
            answer.end();
            Ok(answer.lines.back().map(|line| line.position.moment))
        };
        let late = |_| Error::Unavailable(format!("no log in {} s", OPEN.as_secs()));
        timeout(OPEN, read).await.map_err(late)?
    }

    pub(super) async fn ask_logs(
        &self,
        container: &EngineId,
        lines: Lines,
    ) -> Result<Answer, Error> {
        let body = timeout(OPEN, self.request_logs(container, lines)).await;
        let body =
            body.map_err(|_| Error::Unavailable(format!("no log in {} s", OPEN.as_secs())))??;
        let mut splitter = Splitter::default();
        if let Lines::Followed = lines {
            splitter.live(now());
        }
        Ok(Answer {
            asked: lines,
            body,
            demux: Demux::default(),
            buffer: BytesMut::new(),
            splitter,
            lines: VecDeque::new(),
        })
    }

    async fn request_logs(&self, container: &EngineId, lines: Lines) -> Result<Incoming, Error> {
        let unavailable = |error: &dyn std::fmt::Display| Error::Unavailable(error.to_string());
        let stream = UnixStream::connect(self.socket()).await.map_err(|e| unavailable(&e))?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(READ_AHEAD);
        let connected = builder.handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = connected.map_err(|error| unavailable(&error))?;
        // Ends with the answer, or when nobody wants it any more.
        tokio::spawn(connection);
        let lines = match lines {
            Lines::Kept => "",
            Lines::Followed => "&follow=1",
            Lines::Last => "&tail=1",
        };
        let request = Request::builder()
            .uri(format!(
                "/containers/{}/logs?stdout=1&stderr=1&timestamps=1{lines}",
                container.as_str()
            ))
            .header(header::HOST, "localhost")
            .body(Empty::<Bytes>::new())
            .expect("made of constants and a checked id");
        let answer = sender.send_request(request).await.map_err(|error| unavailable(&error))?;
        let status = answer.status();
        if status != StatusCode::OK {
            let text = Limited::new(answer.into_body(), REFUSAL_MAXIMUM).collect().await;
            let text = text.map(Collected::to_bytes).unwrap_or_default();
            return Err(fault::of_response(status.as_u16(), &String::from_utf8_lossy(&text)));
        }
        Ok(answer.into_body())
    }
}

impl Answer {
    /// Reads on; `None` at the end. Dropping the future loses nothing.
    pub(super) async fn more(&mut self, shape: Shape) -> Option<Result<(), Error>> {
        match self.body.frame().await? {
            Ok(frame) => {
                frame.into_data().ok().map(|data| self.take(shape, &data)).or(Some(Ok(())))
            }
            Err(error) => Some(Err(Error::Unavailable(error.to_string()))),
        }
    }

    pub(super) fn latest(&self) -> Moment {
        self.splitter.latest()
    }

    fn take(&mut self, shape: Shape, data: &[u8]) -> Result<(), Error> {
        let Self { demux, buffer, splitter, lines, .. } = self;
        if let Lines::Followed = self.asked {
            splitter.live(now());
        }
        match shape {
            Shape::Raw => {
                // Of the engine's chunks no two ever come as one.
                splitter.may_begin(LogStream::Stdout);
                splitter.push(LogStream::Stdout, data, lines);
            }
            Shape::Framed => {
                buffer.extend_from_slice(data);
                let broken = |error: DemuxError| Error::Engine(error.to_string());
                while let Some(output) = demux.next(buffer).map_err(broken)? {
                    let (stream, piece) = match output {
                        Output::Stdout(piece) => (LogStream::Stdout, piece),
                        Output::Stderr(piece) => (LogStream::Stderr, piece),
                    };
                    splitter.push(stream, &piece, lines);
                    if demux.at_boundary() {
                        splitter.end(stream, lines);
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn end(&mut self) {
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            self.splitter.end(stream, &mut self.lines);
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "compared with the engine's, which has this machine's clock"
)]
fn now() -> Moment {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Moment(since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)))
}
