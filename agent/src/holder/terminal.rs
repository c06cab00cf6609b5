//! One terminal: the connection to its program, the ring of what it printed, and those who are attached.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use berth_core::id::ContainerId;
use berth_docker::exec::{
    Command, Error, Exec, ExecId, GRACE, Input, Outcome, Process, Reader, Running, Size,
};
use berth_proto::agent::v1 as wire;
use berth_reconcile::runtime::EngineId;
use tokio::{
    io::AsyncReadExt as _,
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::tape::{Flow, Piece, ReaderId, Tape};

/// Read from the program at a time.
const READ: usize = 16 << 10;
/// The most in one frame.
const FRAME: usize = 64 << 10;
/// What a program that prints for nobody may print in a second. It would keep a core of the engine busy otherwise; a
/// build's log is far below this.
const UNWATCHED_PER_SECOND: u32 = 1 << 20;
/// A size that the engine does not take in this time is not worth waiting for: keys are behind it.
const RESIZE: Duration = Duration::from_secs(3);

/// What does not change.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) container: ContainerId,
    pub(crate) number: u32,
    pub(crate) command: Vec<String>,
    pub(crate) started_at: SystemTime,
}

impl Facts {
    pub(crate) fn describe(&self) -> wire::HeldTerminal {
        wire::HeldTerminal {
            container_id: self.container.to_string(),
            number: self.number,
            command: self.command.clone(),
            start_time: Some(self.started_at.into()),
            ..wire::HeldTerminal::default()
        }
    }
}

#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) facts: Facts,
    exec: Exec,
    engine: EngineId,
    id: ExecId,
    process: Option<Arc<Process>>,
    begun: Instant,
    state: Mutex<State>,
    /// Changes with everything that readers may want to know.
    news: watch::Sender<()>,
    /// The program may be read again, perhaps.
    room: Notify,
    input: tokio::sync::Mutex<Option<Input>>,
    size: tokio::sync::Mutex<Option<Size>>,
}

#[derive(Debug)]
struct State {
    tape: Tape,
    end: Option<(wire::RelayEnd, Instant)>,
}

/// The next thing for somebody who is attached.
#[derive(Debug)]
pub(crate) enum Next {
    Piece(Piece),
    Nothing,
    End(wire::RelayEnd),
}

impl Terminal {
    /// Starts the program; from then on it is read in a task of its own.
    pub(crate) async fn start(
        facts: Facts,
        exec: Exec,
        engine: EngineId,
        size: Option<Size>,
        ring: usize,
    ) -> Result<Arc<Self>, Error> {
        let marks = [
            ("TERM".to_owned(), "xterm-256color".to_owned()),
            (super::TERMINAL_MARK.to_owned(), facts.number.to_string()),
        ];
        let command = Command {
            words: facts.command.clone(),
            environment: marks.into(),
            ..Command::default()
        };
        let Running { id, process, output, input } =
            exec.start_terminal(&engine, &command, size).await?;
        let terminal = Arc::new(Self {
            facts,
            exec,
            engine,
            id,
            process,
            begun: Instant::now(),
            state: Mutex::new(State { tape: Tape::new(ring), end: None }),
            news: watch::Sender::new(()),
            room: Notify::new(),
            input: tokio::sync::Mutex::new(Some(input)),
            size: tokio::sync::Mutex::new(size),
        });
        tokio::spawn(Arc::clone(&terminal).read(output));
        Ok(terminal)
    }

    pub(crate) fn describe(&self) -> wire::HeldTerminal {
        let state = self.state();
        wire::HeldTerminal {
            attached: u32::try_from(state.tape.readers()).unwrap_or(u32::MAX),
            printed_bytes: state.tape.printed(),
            ended: state.end.is_some(),
            exit_code: state.end.as_ref().map_or(0, |(end, _)| end.exit_code),
            ..self.facts.describe()
        }
    }

    pub(crate) fn ended_at(&self) -> Option<Instant> {
        self.state().end.as_ref().map(|(_, at)| *at)
    }

    pub(crate) fn readers(&self) -> usize {
        self.state().tape.readers()
    }

    pub(crate) async fn ended(&self) {
        let mut news = self.news.subscribe();
        while self.ended_at().is_none() {
            if news.changed().await.is_err() {
                return;
            }
        }
    }

    /// Returns when its program has ended; what it printed stays for a while.
    pub(crate) async fn hang_up(&self, grace: Duration) -> Result<(), Error> {
        let Some(process) = &self.process else {
            return Ok(());
        };
        process.hang_up(grace).await.map_err(|error| Error::Process(error.to_string()))?;
        // Behind what it printed last, so only for as long as somebody may be slow to read that.
        let _ = timeout(grace, self.ended()).await;
        Ok(())
    }

    /// An input that the program does not take waits, and with it whoever typed it.
    pub(crate) async fn type_in(&self, bytes: &[u8]) {
        if let Some(input) = self.input.lock().await.as_mut()
            && let Err(error) = input.write(bytes).await
        {
            // It has just ended; that is told where its output ends.
            tracing::debug!(terminal = self.facts.number, %error, "typed into a terminal that has gone");
        }
    }

    pub(crate) async fn resize(&self, size: Size) {
        let mut current = self.size.lock().await;
        if *current != Some(size) {
            self.resize_now(&mut current, size).await;
        }
    }

    /// Has a program that fills the screen paint it anew, for somebody who has missed a part: it is told of another size,
    /// and of the right one again.
    pub(crate) async fn redraw(&self, size: Size) {
        let rows = if size.rows > 1 { size.rows - 1 } else { 2 };
        let mut current = self.size.lock().await;
        self.resize_now(&mut current, Size { rows, ..size }).await;
        self.resize_now(&mut current, size).await;
    }

    async fn resize_now(&self, current: &mut Option<Size>, size: Size) {
        if self.ended_at().is_some() {
            return;
        }
        *current = Some(size);
        match timeout(RESIZE, self.exec.resize(&self.id, size)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(terminal = self.facts.number, %error, "not resized"),
            Err(_) => tracing::warn!(terminal = self.facts.number, "not resized in time"),
        }
    }

    /// The program's output, to its end.
    async fn read(self: Arc<Self>, mut output: Reader) {
        let mut buffer = vec![0; READ];
        loop {
            let flow = self.state().tape.flow(self.now());
            if let Flow::Full { until } = flow {
                tokio::select! {
                    () = self.room.notified() => {}
                    () = sleep_until(self.begun + until) => {}
                }
                continue;
            }
            let count = match output.read(&mut buffer).await {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => {
                    tracing::debug!(terminal = self.facts.number, %error, "the connection broke");
                    break;
                }
            };
            self.state().tape.append(&buffer[..count], self.now());
            self.news.send_replace(());
            if flow == Flow::Unwatched {
                let share = u32::try_from(count).unwrap_or(u32::MAX);
                tokio::select! {
                    () = self.room.notified() => {}
                    () = sleep(Duration::from_secs(1) * share / UNWATCHED_PER_SECOND) => {}
                }
            }
        }
        let end = self.how_it_ended().await;
        tracing::info!(
            container = %self.facts.container,
            terminal = self.facts.number,
            reason = end.reason().as_str_name(),
            exit_code = end.exit_code,
            "terminal ended"
        );
        self.state().end = Some((end, Instant::now()));
        self.news.send_replace(());
        *self.input.lock().await = None;
    }

    async fn how_it_ended(&self) -> wire::RelayEnd {
        let (reason, exit_code, detail) = match self.exec.outcome(&self.engine, &self.id).await {
            Ok(Outcome::Exited(code)) => (wire::RelayEndReason::Exited, code, String::new()),
            Ok(Outcome::ContainerStopped) => {
                (wire::RelayEndReason::ContainerNotRunning, 0, String::new())
            }
            Err(error) => {
                // Its connection is lost, so nobody can ever see it again.
                if let Some(process) = &self.process
                    && let Err(error) = process.hang_up(GRACE).await
                {
                    tracing::warn!(%error, "a program without a connection runs on");
                }
                (wire::RelayEndReason::Failed, 0, error.to_string())
            }
        };
        wire::RelayEnd { reason: reason.into(), exit_code, detail, ..Default::default() }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Never held over an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who reads. Leaves when dropped.
#[derive(Debug)]
pub(crate) struct Attached {
    terminal: Arc<Terminal>,
    id: ReaderId,
    /// Where it begins.
    pub(crate) position: u64,
    news: watch::Receiver<()>,
}

impl Attached {
    pub(crate) fn new(terminal: Arc<Terminal>, from: u64) -> Self {
        let news = terminal.news.subscribe();
        let now = terminal.now();
        let (id, position) = terminal.state().tape.join(from, now);
        terminal.room.notify_one();
        Self { terminal, id, position, news }
    }

    pub(crate) fn next(&mut self) -> Next {
        // Before looking, so that what comes while looking is seen as new.
        self.news.mark_unchanged();
        let now = self.terminal.now();
        let mut state = self.terminal.state();
        let next = match (state.tape.take(self.id, FRAME, now), &state.end) {
            (Some(piece), _) => Next::Piece(piece),
            (None, Some((end, _))) => Next::End(end.clone()),
            (None, None) => Next::Nothing,
        };
        drop(state);
        if let Next::Piece(_) = next {
            self.terminal.room.notify_one();
        }
        next
    }

    pub(crate) async fn news(&mut self) {
        // The sender is the terminal's, which this holds.
        let _ = pin!(self.news.changed()).await;
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.terminal.state().tape.leave(self.id);
        self.terminal.room.notify_one();
    }
}
