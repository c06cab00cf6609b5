//! `berth attach`, and `berth exec -t`: a remote terminal in this one.

use std::time::Duration;

use anyhow::{Result, bail};
use berth_proto::v1::{
    self, attach_request, exec_service_client::ExecServiceClient, terminal_output,
};
use clap::Args;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::{
    Ended,
    client::{As, Client},
    console::{self, Keys, Raw, Resizes},
    output::note,
    text,
};

type Exec = ExecServiceClient<As>;

/// Between attempts to come back after a connection was lost.
const PAUSE: Duration = Duration::from_secs(1);
/// A closed laptop is opened again within minutes, or its owner attaches anew.
const ATTEMPTS: u32 = 300;

#[derive(Debug, Args)]
pub(crate) struct Attach {
    /// The container's name, or its id
    name: String,
    /// Its terminal's number [default: the last one that lives, or else a new one]
    #[arg(default_value_t = 0)]
    terminal: u32,
    /// Starts a new terminal, whatever others there are
    #[arg(long, conflicts_with = "terminal")]
    new: bool,
    /// Whose it is (administrators)
    #[arg(long, default_value = "")]
    owner: String,
}

impl Attach {
    pub(crate) async fn run(self) -> Result<()> {
        let mut client = Client::signed_in()?.exec();
        let Attach { name, mut terminal, new, owner } = self;
        if terminal == 0 && !new {
            let list = v1::ListTerminalsRequest { name: name.clone(), owner: owner.clone() };
            let terminals = client.list_terminals(list).await?.into_inner().terminals;
            let living = terminals.iter().filter(|terminal| !terminal.ended);
            terminal = living.map(|terminal| terminal.number).max().unwrap_or(0);
        }
        let attach = v1::AttachTerminal { name, owner, terminal, ..Default::default() };
        follow(client, attach).await
    }
}

/// Shows the terminal here until its program ends or its user leaves it.
pub(crate) async fn follow(client: Exec, mut attach: v1::AttachTerminal) -> Result<()> {
    if !console::is_terminal() {
        bail!(text::needs_a_terminal());
    }
    let mut screen = Screen {
        input: console::input(),
        resizes: Resizes::new()?,
        keys: Keys::default(),
        left: false,
    };
    let mut attempts = 0;
    let raw = Raw::enter()?;
    let end = loop {
        attach.size = console::size();
        let lost = match connect(client.clone(), attach.clone()).await {
            Ok((say, hear)) => {
                attempts = 0;
                match screen.show(&say, hear, &mut attach).await? {
                    Shown::Ended(ended) => break Some(ended),
                    Shown::Left => break None,
                    Shown::Lost(status) => status,
                }
            }
            Err(status) => status,
        };
        attempts += 1;
        // A terminal that was never seen is not waited for.
        if !is_passing(&lost) || attach.terminal == 0 || attempts > ATTEMPTS {
            drop(raw);
            return Err(lost.into());
        }
        if attempts == 1 {
            note(&format!("\r\n[{}]\r", text::connection_lost()))?;
        }
        tokio::time::sleep(PAUSE).await;
    };
    drop(raw);
    match end {
        None => note(&format!("\n{}", text::left(&attach.name, attach.terminal))),
        Some(ended) if ended.end() == v1::ExecEnd::Exited => Err(Ended::with(ended.exit_code)),
        Some(ended) => {
            note(&crate::output::printable(&ended.message))?;
            Err(Ended::unknown())
        }
    }
}

fn is_passing(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
}

type Say = mpsc::Sender<v1::AttachRequest>;

async fn connect(
    mut client: Exec,
    attach: v1::AttachTerminal,
) -> Result<(Say, Streaming<v1::TerminalOutput>), Status> {
    let (say, messages) = mpsc::channel(8);
    let message = Some(attach_request::Message::Attach(attach));
    // The queue is empty: there is room.
    drop(say.send(v1::AttachRequest { message }).await);
    let hear = client.attach(ReceiverStream::new(messages)).await?.into_inner();
    Ok((say, hear))
}

struct Screen {
    input: mpsc::Receiver<Vec<u8>>,
    resizes: Resizes,
    keys: Keys,
    left: bool,
}

enum Shown {
    Ended(v1::TerminalEnded),
    Left,
    Lost(Status),
}

impl Screen {
    /// Keeps `attach` at what has been seen, so that it goes on from there.
    async fn show(
        &mut self,
        say: &Say,
        mut hear: Streaming<v1::TerminalOutput>,
        attach: &mut v1::AttachTerminal,
    ) -> Result<Shown> {
        loop {
            // Every arm is cancel-safe: a channel's receive, a signal's, a stream's message.
            tokio::select! {
                biased;
                heard = hear.message() => match heard {
                    Ok(Some(output)) => {
                        if let Some(ended) = print(output, attach)? {
                            return Ok(Shown::Ended(ended));
                        }
                    }
                    Ok(None) => return Ok(Shown::Lost(Status::unavailable(""))),
                    Err(status) => return Ok(Shown::Lost(status)),
                },
                typed = self.input.recv(), if !self.left => match typed {
                    Some(typed) => {
                        let (send, leave) = self.keys.typed(&typed);
                        if !send.is_empty() {
                            say_it(say, attach_request::Message::Data(send.into())).await;
                        }
                        if leave {
                            return Ok(Shown::Left);
                        }
                    }
                    None => self.left = true,
                },
                size = self.resizes.next() => {
                    say_it(say, attach_request::Message::Size(size)).await;
                }
            }
        }
    }
}

/// A connection that is gone is noticed where it is listened to.
async fn say_it(say: &Say, message: attach_request::Message) {
    drop(say.send(v1::AttachRequest { message: Some(message) }).await);
}

fn print(
    output: v1::TerminalOutput,
    attach: &mut v1::AttachTerminal,
) -> Result<Option<v1::TerminalEnded>> {
    match output.message {
        Some(terminal_output::Message::Opened(opened)) => {
            attach.terminal = opened.terminal.map_or(attach.terminal, |terminal| terminal.number);
            attach.from = opened.from;
        }
        Some(terminal_output::Message::Data(data)) => {
            attach.from += u64::try_from(data.len())?;
            console::print(&data)?;
        }
        Some(terminal_output::Message::Skipped(skipped)) => attach.from = skipped.next,
        Some(terminal_output::Message::Ended(ended)) => return Ok(Some(ended)),
        // A newer service may say more.
        None => {}
    }
    Ok(None)
}
