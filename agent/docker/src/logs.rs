//! What a container's program printed, also after its end. Read over a connection of our own, because bollard's decoder
//! waits for ends of lines that may never come, and keeps all until then.
//!
//! # Guarantees
//! Whatever is printed, at most one read of the engine's answer is held, and nothing is read while nobody takes lines. A
//! line has the same position whenever it is read, as long as the engine keeps it; what follows a position is exactly what
//! was printed after it. For that, the kept log is always read from its beginning: the engine's own `since` leaves out the
//! rest of a line that was begun before, and its `tail` counts pieces of lines.

mod split;

use std::{collections::VecDeque, time::Duration};

use berth_core::relay::{Follow, LogLine, LogPosition, LogStream, Logs, Moment, Rest};
use berth_reconcile::runtime::EngineId;
use bollard::query_parameters::InspectContainerOptions;
use bytes::{Bytes, BytesMut};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Collected, Empty, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    net::UnixStream,
    time::{sleep, timeout},
};

use self::split::Splitter;
use crate::exec::{Error, Exec, Output, demux::Demux, fault, quick};

/// The most that is read ahead of a connection.
const READ_AHEAD: usize = 64 << 10;
const REFUSAL_MAXIMUM: usize = 64 << 10;
/// The engine begins to answer when it has found the log.
const OPEN: Duration = Duration::from_secs(30);
/// Before an engine that hung up on a container that runs is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// How what is printed is sent.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// Both outputs, in frames, each of which is a message.
    Framed,
    /// A terminal's: as it is, a message per chunk.
    Raw,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    since: Option<Moment>,
    after: Option<LogPosition>,
    from: Option<LogPosition>,
}

impl Wanted {
    fn has(&self, position: LogPosition) -> bool {
        self.since.is_none_or(|since| position.moment >= since)
            && self.after.is_none_or(|after| position > after)
            && self.from.is_none_or(|from| position >= from)
    }
}

/// Lines of one container, as they are asked for.
#[derive(Debug)]
pub struct Reader {
    exec: Exec,
    container: EngineId,
    shape: Shape,
    follow: Follow,
    wanted: Wanted,
    answer: Answer,
    ended: bool,
}

/// One of the engine's.
#[derive(Debug)]
struct Answer {
    body: Incoming,
    demux: Demux,
    buffer: BytesMut,
    splitter: Splitter,
    lines: VecDeque<LogLine>,
}

impl Exec {
    pub async fn logs(&self, container: &EngineId, logs: Logs) -> Result<Reader, Error> {
        let shape = self.shape(container).await?;
        let mut wanted = Wanted { since: logs.since, after: logs.after, from: None };
        if let Some(tail) = logs.tail {
            wanted.from = self.tail(container, shape, wanted, tail).await?;
        }
        self.read(container, shape, logs.follow, wanted).await
    }

    async fn shape(&self, container: &EngineId) -> Result<Shape, Error> {
        let client = self.client().await?;
        let call = client.inspect_container(container.as_str(), None::<InspectContainerOptions>);
        let terminal = quick(call).await?.config.and_then(|config| config.tty).unwrap_or(false);
        Ok(if terminal { Shape::Raw } else { Shape::Framed })
    }

    /// Where the last lines begin; `None`: there are no more than these.
    async fn tail(
        &self,
        container: &EngineId,
        shape: Shape,
        wanted: Wanted,
        tail: u32,
    ) -> Result<Option<LogPosition>, Error> {
        let tail = usize::try_from(tail).unwrap_or(usize::MAX);
        let mut reader = self.read(container, shape, Follow::No, wanted).await?;
        let mut starts = VecDeque::new();
        let (mut stdout, mut stderr) = (Rest::Whole, Rest::Whole);
        let mut more = false;
        while let Some(line) = reader.next().await? {
            let rest = match line.stream {
                LogStream::Stdout => &mut stdout,
                LogStream::Stderr => &mut stderr,
            };
            if std::mem::replace(rest, line.rest) == Rest::Whole {
                starts.push_back(line.position);
                if starts.len() > tail {
                    more = true;
                    starts.pop_front();
                }
            }
        }
        Ok(starts.front().copied().filter(|_| more))
    }

    async fn read(
        &self,
        container: &EngineId,
        shape: Shape,
        follow: Follow,
        wanted: Wanted,
    ) -> Result<Reader, Error> {
        let answer = self.ask_logs(container, follow).await?;
        let (exec, container) = (self.clone(), container.clone());
        Ok(Reader { exec, container, shape, follow, wanted, answer, ended: false })
    }

    async fn ask_logs(&self, container: &EngineId, follow: Follow) -> Result<Answer, Error> {
        let body = timeout(OPEN, self.request_logs(container, follow)).await;
        let body =
            body.map_err(|_| Error::Unavailable(format!("no log in {} s", OPEN.as_secs())))??;
        let mut splitter = Splitter::default();
        if follow == Follow::Yes {
            splitter.live(now());
        }
        Ok(Answer {
            body,
            demux: Demux::default(),
            buffer: BytesMut::new(),
            splitter,
            lines: VecDeque::new(),
        })
    }

    async fn request_logs(&self, container: &EngineId, follow: Follow) -> Result<Incoming, Error> {
        let unavailable = |error: &dyn std::fmt::Display| Error::Unavailable(error.to_string());
        let stream = UnixStream::connect(self.socket()).await.map_err(|e| unavailable(&e))?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(READ_AHEAD);
        let connected = builder.handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = connected.map_err(|error| unavailable(&error))?;
        // Ends with the answer, or when nobody wants it any more.
        tokio::spawn(connection);
        let follow = match follow {
            Follow::No => 0,
            Follow::Yes => 1,
        };
        let request = Request::builder()
            .uri(format!(
                "/containers/{}/logs?stdout=1&stderr=1&timestamps=1&follow={follow}",
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

impl Reader {
    /// The next line, or `None` when there are no more: at the end of what is kept, or of the container when it is
    /// followed. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<LogLine>, Error> {
        loop {
            while let Some(line) = self.answer.lines.pop_front() {
                if self.wanted.has(line.position) {
                    // Where it goes on when the engine has to be asked again.
                    self.wanted.after = Some(line.position);
                    return Ok(Some(line));
                }
            }
            if self.ended {
                return Ok(None);
            }
            match self.answer.body.frame().await {
                Some(Ok(frame)) => {
                    if self.follow == Follow::Yes {
                        self.answer.splitter.live(now());
                    }
                    if let Ok(data) = frame.into_data() {
                        self.answer.take(self.shape, &data)?;
                    }
                }
                Some(Err(error)) => self.again(Some(Error::Unavailable(error.to_string()))).await?,
                None => self.again(None).await?,
            }
        }
    }

    /// At the end of an answer: a container that runs on is asked for anew, since an engine also hangs up when it has
    /// thrown away what it was reading.
    async fn again(&mut self, problem: Option<Error>) -> Result<(), Error> {
        let runs = match self.follow {
            Follow::No => false,
            Follow::Yes => match self.exec.container(&self.container).await {
                Ok(facts) => facts.is_running,
                Err(Error::NoSuchContainer) => false,
                Err(error) => return Err(error),
            },
        };
        if runs {
            tracing::debug!(engine.id = self.container.as_str(), "a log is asked for again");
            sleep(PAUSE).await;
            self.answer = self.exec.ask_logs(&self.container, self.follow).await?;
            return Ok(());
        }
        if let Some(problem) = problem {
            return Err(problem);
        }
        self.answer.end();
        self.ended = true;
        Ok(())
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

impl Answer {
    fn take(&mut self, shape: Shape, data: &[u8]) -> Result<(), Error> {
        let Self { demux, buffer, splitter, lines, .. } = self;
        match shape {
            Shape::Raw => {
                // Of the engine's chunks no two ever come as one.
                splitter.may_begin(LogStream::Stdout);
                splitter.push(LogStream::Stdout, data, lines);
            }
            Shape::Framed => {
                buffer.extend_from_slice(data);
                let broken = |error: crate::exec::DemuxError| Error::Engine(error.to_string());
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

    fn end(&mut self) {
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            self.splitter.end(stream, &mut self.lines);
        }
    }
}
