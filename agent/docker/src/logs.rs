//! What a container's program printed, also after its end. Read over a connection of our own, because bollard's decoder
//! waits for ends of lines that may never come, and keeps all until then.
//!
//! # Guarantees
//! Whatever is printed, at most one read of the engine's answer is held, and nothing is read while nobody takes lines. A
//! line has the same position whenever it is read, as long as the engine keeps it; what follows a position is exactly what
//! was printed after it. For that, the kept log is always read from its beginning: the engine's own `since` leaves out the
//! rest of a line that was begun before, and its `tail` counts pieces of lines.

mod ask;
mod split;

use std::{collections::VecDeque, time::Duration};

use berth_core::relay::{Follow, LogLine, LogPosition, LogStream, Logs, Moment, Rest};
use berth_reconcile::runtime::EngineId;
use bollard::query_parameters::InspectContainerOptions;
use tokio::time::{Instant, sleep, timeout_at};

use self::ask::{Answer, Lines, Shape};
use crate::exec::{Error, Exec, quick};

/// Without a word, until the engine is asked whether there is really nothing; it forgets a follower now and then, when it
/// throws away a file.
const SILENCE: Duration = Duration::from_secs(5);
const SILENCE_AFTERWARDS: Duration = Duration::from_secs(30);
/// Before an engine that hung up on a container that runs is asked again.
const PAUSE: Duration = Duration::from_secs(1);

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
    /// When the engine is asked about its silence.
    doubt_at: Instant,
    ended: bool,
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
        let lines = match follow {
            Follow::No => Lines::Kept,
            Follow::Yes => Lines::Followed,
        };
        let answer = self.ask_logs(container, lines).await?;
        let (exec, container) = (self.clone(), container.clone());
        let doubt_at = Instant::now() + SILENCE;
        Ok(Reader { exec, container, shape, follow, wanted, answer, doubt_at, ended: false })
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
            let more = match self.follow {
                Follow::No => self.answer.more(self.shape).await,
                Follow::Yes => {
                    match timeout_at(self.doubt_at, self.answer.more(self.shape)).await {
                        Ok(more) => more,
                        Err(_) => {
                            self.doubt().await?;
                            continue;
                        }
                    }
                }
            };
            self.doubt_at = Instant::now() + SILENCE;
            match more {
                Some(Ok(())) => {}
                Some(Err(error @ Error::Unavailable(_))) => self.again(Some(error)).await?,
                Some(Err(error)) => return Err(error),
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
            sleep(PAUSE).await;
            return self.ask_again().await;
        }
        if let Some(problem) = problem {
            return Err(problem);
        }
        self.answer.end();
        self.ended = true;
        Ok(())
    }

    async fn ask_again(&mut self) -> Result<(), Error> {
        tracing::debug!(engine.id = self.container.as_str(), "a log is asked for again");
        self.answer = self.exec.ask_logs(&self.container, Lines::Followed).await?;
        self.doubt_at = Instant::now() + SILENCE;
        Ok(())
    }

    async fn doubt(&mut self) -> Result<(), Error> {
        let newest = match self.exec.newest(&self.container, self.shape).await {
            // What there is to be said about it is said where it is followed.
            Err(Error::NoSuchContainer) => None,
            newest => newest?,
        };
        if newest.is_some_and(|newest| newest > self.answer.latest()) {
            return self.ask_again().await;
        }
        self.doubt_at = Instant::now() + SILENCE_AFTERWARDS;
        Ok(())
    }
}
