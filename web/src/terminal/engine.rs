//! Keeps a terminal on the screen: opens lines to it, one after the other, until it has ended.

use std::rc::Rc;

use berth_proto::v1::{AttachTerminal, TerminalEnded, TerminalOpened, terminal_output::Message};
use futures::{
    FutureExt as _, StreamExt as _,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    future::{Either, pending, select},
};

use super::{
    flow::Flow,
    line::Line,
    plan::{Kind, Next, Plan},
    position::{Gap, Position},
    screen::{Part, Screen},
};
use crate::{
    api::{Code, Error},
    state::session,
    time,
};

/// Between two looks at whether the line is quiet, or dead.
const TICK: u32 = 1000;
/// What a prompt and a clock print in a tick.
const QUIET: usize = 16 << 10;
/// Something was typed, and so long nothing came: the line may have died unnoticed, as when a laptop was asleep.
const UNANSWERED: u32 = 15;
/// Typed while a line is being replaced; more than that is not typed by hand.
const KEPT: usize = 4 << 10;
/// CAN: ends an escape sequence whose rest will never come.
const CANCEL: &[u8] = b"\x18";

#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) number: u32,
}

/// What the person should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Open,
    Lost,
    Back,
    /// Some of what was printed is not to be had any more.
    Gap,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ending {
    Ended(TerminalEnded),
    Refused(Error),
}

#[derive(Debug)]
pub(crate) enum Command {
    Typed(Vec<u8>),
    Sized,
    Drawn(u32),
    /// The network, or the person, is back.
    Wake,
}

/// What the page and the screen tell.
#[derive(Debug, Clone)]
pub(crate) struct Handle(UnboundedSender<Command>);

impl Handle {
    pub(crate) fn new() -> (Self, UnboundedReceiver<Command>) {
        let (to, commands) = unbounded();
        (Self(to), commands)
    }

    pub(crate) fn send(&self, command: Command) {
        // Nobody listens to a terminal that has ended.
        let _ = self.0.unbounded_send(command);
    }

    pub(crate) fn wake(&self) {
        self.send(Command::Wake);
    }
}

/// Why a line is no more.
enum Outcome {
    Ended(TerminalEnded),
    Broke { error: Error, opened: bool },
    Overrun,
    Calm,
}

struct Engine<S> {
    target: Target,
    screen: Rc<Screen>,
    commands: UnboundedReceiver<Command>,
    show: S,
    plan: Plan,
    position: Position,
    flow: Flow,
    /// Up to this byte the screen shows what was printed before it was there.
    history_end: Option<u64>,
    kept: Vec<u8>,
    began: bool,
    lost: bool,
}

/// Until the terminal has ended, or will not be opened again. Drop it to leave.
pub(crate) async fn run(
    target: Target,
    screen: Rc<Screen>,
    commands: UnboundedReceiver<Command>,
    show: impl Fn(Shown),
) -> Ending {
    let mut engine = Engine {
        target,
        screen,
        commands,
        show,
        plan: Plan::default(),
        position: Position::default(),
        flow: Flow::default(),
        history_end: None,
        kept: Vec::new(),
        began: false,
        lost: false,
    };
    loop {
        match engine.line().await {
            Outcome::Ended(ended) => return Ending::Ended(ended),
            Outcome::Overrun => {
                engine.plan.overrun();
                engine.settle().await;
            }
            Outcome::Calm => engine.plan.calm(),
            Outcome::Broke { error, opened } => match engine.plan.broke(error.code(), opened) {
                Next::Stop => {
                    if error.code() == Some(Code::Unauthenticated) {
                        session::ended();
                    }
                    return Ending::Refused(error);
                }
                Next::After(wait) => engine.pause(wait).await,
            },
        }
    }
}

impl<S: Fn(Shown)> Engine<S> {
    async fn line(&mut self) -> Outcome {
        let size = self.screen.size();
        let attach = AttachTerminal {
            owner: self.target.owner.clone(),
            name: self.target.name.clone(),
            terminal: self.target.number,
            command: Vec::new(),
            size: Some(size),
            from: self.position.next(),
        };
        let mut line = match Line::open(self.plan.kind(), attach).await {
            Ok(line) => line,
            Err(error) => return Outcome::Broke { error, opened: false },
        };
        self.opened(&line.opened);
        if self.screen.size() != size {
            line.resize(self.screen.size());
        }
        if !self.kept.is_empty()
            && let Err(kept) = line.send(std::mem::take(&mut self.kept))
        {
            self.kept = kept;
        }
        self.serve(&mut line).await
    }

    fn opened(&mut self, opened: &TerminalOpened) {
        // What was typed while nobody listened; sent now, it would surprise.
        while self.lost
            && let Some(Some(command)) = self.commands.next().now_or_never()
        {
            self.between_lines(command);
        }
        self.plan.opened();
        let gap = self.position.opened(opened.from);
        if self.began {
            self.gap(gap);
        } else {
            self.began = true;
            let printed = opened.terminal.as_ref().map_or(0, |terminal| terminal.printed_bytes);
            if printed > opened.from {
                self.screen.begin_history();
                self.history_end = Some(printed);
            }
        }
        if gap == Gap::No {
            (self.show)(if self.lost { Shown::Back } else { Shown::Open });
        }
        self.lost = false;
    }

    async fn serve(&mut self, line: &mut Line) -> Outcome {
        let mut tick = Box::pin(time::sleep(TICK));
        let mut printed = 0;
        let mut quiet = 0;
        let mut unanswered = None;
        loop {
            if line.kind() == Kind::Socket && self.flow.must_close() {
                return Outcome::Overrun;
            }
            let reads = line.kind() == Kind::Socket || self.flow.may_read();
            let incoming =
                if reads { line.incoming.next().left_future() } else { pending().right_future() };
            let timed = select(incoming, &mut tick);
            match select(self.commands.next(), timed).await {
                Either::Left((command, _)) => match command {
                    Some(Command::Typed(data)) => {
                        if let Err(data) = line.send(data) {
                            self.between_lines(Command::Typed(data));
                        }
                        unanswered.get_or_insert(0);
                    }
                    Some(Command::Sized) => line.resize(self.screen.size()),
                    Some(Command::Drawn(bytes)) => self.drawn(bytes),
                    Some(Command::Wake) => {}
                    // The screen is held here and sends: it cannot be gone.
                    None => pending::<()>().await,
                },
                Either::Right((Either::Left((message, _)), _)) => {
                    unanswered = None;
                    match message {
                        Some(Ok(Message::Data(data))) => {
                            printed += data.len();
                            self.data(&data);
                        }
                        Some(Ok(Message::Skipped(skipped))) => {
                            let gap = self.position.skipped(skipped.next);
                            self.gap(gap);
                        }
                        Some(Ok(Message::Ended(ended))) => return Outcome::Ended(ended),
                        Some(Ok(Message::Opened(_))) => {
                            return Outcome::Broke { error: Error::Garbled, opened: true };
                        }
                        Some(Err(error)) => return Outcome::Broke { error, opened: true },
                        None => {
                            return Outcome::Broke { error: Error::Network, opened: true };
                        }
                    }
                }
                Either::Right((Either::Right(((), _)), _)) => {
                    tick = Box::pin(time::sleep(TICK));
                    quiet = if printed > QUIET { 0 } else { quiet + TICK };
                    printed = 0;
                    let calm = quiet >= self.plan.keep() && self.flow.has_settled();
                    if line.kind() == Kind::Pair && calm && line.has_sent_all() {
                        return Outcome::Calm;
                    }
                    unanswered = unanswered.map(|seconds| seconds + 1);
                    if unanswered == Some(UNANSWERED) {
                        return Outcome::Broke { error: Error::Network, opened: true };
                    }
                }
            }
        }
    }

    fn data(&mut self, data: &[u8]) {
        let fresh = self.position.data(data);
        if fresh.is_empty() {
            return;
        }
        self.flow.written(fresh.len());
        match self.history_end {
            Some(end) if self.position.next() >= end => {
                let new = usize::try_from(self.position.next() - end).unwrap_or(usize::MAX);
                let (old, new) = fresh.split_at(fresh.len().saturating_sub(new));
                self.history_end = None;
                self.screen.write(old, Part::EndOfHistory);
                if !new.is_empty() {
                    self.screen.write(new, Part::Ordinary);
                }
            }
            _ => self.screen.write(fresh, Part::Ordinary),
        }
    }

    fn gap(&mut self, gap: Gap) {
        if gap == Gap::No {
            return;
        }
        let past = self.history_end.is_some_and(|end| self.position.next() >= end);
        let part = if past { Part::EndOfHistory } else { Part::Ordinary };
        self.history_end = self.history_end.filter(|_| !past);
        self.flow.written(CANCEL.len());
        self.screen.write(CANCEL, part);
        (self.show)(Shown::Gap);
    }

    fn drawn(&mut self, bytes: u32) {
        self.flow.drawn(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    /// Until the screen has nearly caught up. What is typed meanwhile (Ctrl-C, most likely) is sent then.
    async fn settle(&mut self) {
        while !self.flow.has_settled() {
            match self.commands.next().await {
                Some(command) => self.between_lines(command),
                None => return,
            }
        }
    }

    async fn pause(&mut self, wait: u32) {
        if self.plan.is_trouble() && !self.lost {
            self.lost = true;
            self.kept.clear();
            (self.show)(Shown::Lost);
        }
        if wait == 0 {
            return;
        }
        let mut waiting = Box::pin(time::sleep(time::jittered(wait)));
        loop {
            match select(self.commands.next(), &mut waiting).await {
                Either::Left((Some(Command::Wake), _)) => return,
                Either::Left((Some(command), _)) => self.between_lines(command),
                Either::Left((None, _)) | Either::Right(_) => return,
            }
        }
    }

    fn between_lines(&mut self, command: Command) {
        match command {
            Command::Drawn(bytes) => self.drawn(bytes),
            // The person has been told that it goes nowhere.
            Command::Typed(_) if self.lost => {}
            Command::Typed(data) => {
                if self.kept.len() + data.len() <= KEPT {
                    self.kept.extend(data);
                }
            }
            // The next line begins with the size.
            Command::Sized | Command::Wake => {}
        }
    }
}
