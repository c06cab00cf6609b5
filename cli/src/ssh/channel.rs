//! One channel of ssh's, and what it is for.

use std::collections::BTreeMap;

use berth_proto::v1::{
    self, attach_request, connect_request, connect_response, run_request, run_response,
    terminal_output,
};
use bytes::{Bytes, BytesMut};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, server::Msg};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::Status;

use super::{Target, sftp::Sftp};
use crate::{client::Client, output::printable};

/// As a login shell does it; every image for people has this one.
const SHELL: &str = "/bin/sh";
/// Where a login would begin.
const HOME: &str = "cd && pwd";
/// What ssh itself ends with when something went wrong on the way.
const BROKEN: u32 = 255;
const STANDARD_ERROR: u32 = 1;
/// A packet of sftp's.
const SFTP_BUFFER: usize = 256 << 10;

/// What a channel wants, before it says what for.
#[derive(Debug, Default)]
pub(super) struct Ask {
    /// It wants a terminal.
    pub(super) size: Option<v1::TerminalSize>,
    pub(super) environment: BTreeMap<String, String>,
}

pub(super) enum Work {
    Shell,
    /// For a shell to take apart, as sshd does it.
    Command(String),
}

pub(super) fn size(rows: u32, columns: u32) -> v1::TerminalSize {
    v1::TerminalSize { rows: rows.clamp(1, 1000), columns: columns.clamp(1, 1000) }
}

pub(super) async fn run(
    client: Client,
    target: Target,
    channel: Channel<Msg>,
    ask: Ask,
    work: Work,
) {
    let command = match (&work, ask.size) {
        // The best shell that the image has.
        (Work::Shell, Some(_)) => Vec::new(),
        (Work::Shell, None) => vec![SHELL.to_owned()],
        (Work::Command(line), _) => shell(line),
    };
    let (mut ssh, out) = channel.split();
    let done = match ask.size {
        Some(size) => terminal(&client, target, &mut ssh, &out, command, size).await,
        None => streams(&client, target, &mut ssh, &out, command, ask.environment).await,
    };
    let code = match done {
        Ok(code) => code,
        Err(status) => {
            let line = format!("berth: {}\r\n", printable(status.message()));
            // ssh may have gone.
            drop(out.extended_data_bytes(STANDARD_ERROR, line.into_bytes()).await);
            BROKEN
        }
    };
    drop(out.eof().await);
    drop(out.exit_status(code).await);
    drop(out.close().await);
}

/// Files, by the service's own calls.
pub(super) async fn sftp(client: Client, target: Target, channel: Channel<Msg>) {
    let home = home(&client, target.clone()).await.unwrap_or_else(|| "/".to_owned());
    let files = Sftp::new(&client, target, home);
    let (near, far) = tokio::io::duplex(SFTP_BUFFER);
    russh_sftp::server::run(far, files).await;
    let (mut answers, mut questions) = tokio::io::split(near);
    let (mut ssh, out) = channel.split();
    let down = async {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(SFTP_BUFFER);
            let read = answers.read_buf(&mut buffer).await;
            if read.map_err(|_| hung_up())? == 0 {
                return Ok(());
            }
            send(&out, buffer.split().freeze()).await?;
        }
    };
    let up = async {
        loop {
            let told = match ssh.wait().await {
                Some(ChannelMsg::Data { data }) => questions.write_all(&data).await,
                // It answers what it was asked, and then ends.
                Some(ChannelMsg::Eof) => questions.shutdown().await,
                Some(ChannelMsg::Close) | None => return hung_up(),
                Some(_) => Ok(()),
            };
            if told.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    // Whoever has hung up has nothing to hear.
    drop(both(down, up).await);
    drop(out.eof().await);
    drop(out.exit_status(0).await);
    drop(out.close().await);
}

/// `None` where there is no shell to ask, or the container does not run.
async fn home(client: &Client, target: Target) -> Option<String> {
    let Target { owner, name } = target;
    let command = v1::RunCommand { owner, name, command: shell(HOME), ..Default::default() };
    let request = v1::RunRequest { message: Some(run_request::Message::Command(command)) };
    let request = tokio_stream::once(request).chain(tokio_stream::pending());
    let mut hear = client.exec().run(request).await.ok()?.into_inner();
    let mut said = Vec::new();
    loop {
        match hear.message().await.ok()??.message? {
            run_response::Message::Stdout(data) => said.extend_from_slice(&data),
            run_response::Message::Stderr(_) => {}
            run_response::Message::Ended(ended) if code(&ended) == 0 => break,
            run_response::Message::Ended(_) => return None,
        }
    }
    let home = String::from_utf8(said).ok()?.trim_end_matches('\n').to_owned();
    home.starts_with('/').then_some(home)
}

fn shell(line: &str) -> Vec<String> {
    [SHELL, "-c", line].map(str::to_owned).to_vec()
}

fn code(ended: &v1::TerminalEnded) -> u32 {
    match ended.end() {
        v1::ExecEnd::Exited => u32::try_from(ended.exit_code).unwrap_or(BROKEN),
        v1::ExecEnd::Unspecified
        | v1::ExecEnd::ContainerStopped
        | v1::ExecEnd::TimeLimit
        | v1::ExecEnd::CommandNotFound
        | v1::ExecEnd::Lost => BROKEN,
    }
}

fn hung_up() -> Status {
    Status::cancelled("ssh has hung up")
}

type Out = ChannelWriteHalf<Msg>;

/// Both directions beside each other: one that has to wait must not keep the other from being heard, or both would wait
/// for ever.
async fn both<T>(
    down: impl Future<Output = Result<T, Status>>,
    up: impl Future<Output = Status>,
) -> Result<T, Status> {
    tokio::select! {
        done = down => done,
        gone = up => Err(gone),
    }
}

async fn terminal(
    client: &Client,
    target: Target,
    ssh: &mut ChannelReadHalf,
    out: &Out,
    command: Vec<String>,
    size: v1::TerminalSize,
) -> Result<u32, Status> {
    let attach = v1::AttachTerminal {
        owner: target.owner,
        name: target.name,
        command,
        size: Some(size),
        ..Default::default()
    };
    let (say, messages) = mpsc::channel(8);
    let tell = async |message| {
        let request = v1::AttachRequest { message: Some(message) };
        say.send(request).await.map_err(|_| hung_up())
    };
    tell(attach_request::Message::Attach(attach)).await?;
    let mut hear = client.exec().attach(ReceiverStream::new(messages)).await?.into_inner();
    let down = async {
        loop {
            match hear.message().await?.and_then(|output| output.message) {
                Some(terminal_output::Message::Data(data)) => send(out, data).await?,
                Some(terminal_output::Message::Ended(ended)) => return Ok(code(&ended)),
                Some(
                    terminal_output::Message::Opened(_) | terminal_output::Message::Skipped(_),
                ) => {}
                None => return Err(Status::unavailable("the service has hung up")),
            }
        }
    };
    let up = async {
        loop {
            let told = match ssh.wait().await {
                Some(ChannelMsg::Data { data }) => tell(attach_request::Message::Data(data)).await,
                Some(ChannelMsg::WindowChange { col_width, row_height, .. }) => {
                    let size = self::size(row_height, col_width);
                    tell(attach_request::Message::Size(size)).await
                }
                Some(ChannelMsg::Close) | None => return hung_up(),
                Some(_) => Ok(()),
            };
            if told.is_err() {
                // Why is said where it is listened.
                std::future::pending::<()>().await;
            }
        }
    };
    both(down, up).await
}

async fn streams(
    client: &Client,
    target: Target,
    ssh: &mut ChannelReadHalf,
    out: &Out,
    command: Vec<String>,
    environment: BTreeMap<String, String>,
) -> Result<u32, Status> {
    let command = v1::RunCommand {
        owner: target.owner,
        name: target.name,
        command,
        environment,
        stdin: true,
        ..Default::default()
    };
    let (say, messages) = mpsc::channel(4);
    let tell = async |message| {
        let request = v1::RunRequest { message: Some(message) };
        say.send(request).await.map_err(|_| hung_up())
    };
    tell(run_request::Message::Command(command)).await?;
    let mut hear = client.exec().run(ReceiverStream::new(messages)).await?.into_inner();
    let down = async {
        loop {
            match hear.message().await?.and_then(|response| response.message) {
                Some(run_response::Message::Stdout(data)) => send(out, data).await?,
                Some(run_response::Message::Stderr(data)) => {
                    let sent = out.extended_data_bytes(STANDARD_ERROR, data).await;
                    sent.map_err(|_| hung_up())?;
                }
                Some(run_response::Message::Ended(ended)) => return Ok(code(&ended)),
                None => return Err(Status::unavailable("the service has hung up")),
            }
        }
    };
    let up = async {
        loop {
            let told = match ssh.wait().await {
                Some(ChannelMsg::Data { data }) => tell(run_request::Message::Stdin(data)).await,
                Some(ChannelMsg::Eof) => tell(run_request::Message::EndOfInput(true)).await,
                Some(ChannelMsg::Close) | None => return hung_up(),
                Some(_) => Ok(()),
            };
            if told.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    both(down, up).await
}

/// A connection that ssh forwards, to a port of the container. Where nothing listens it is closed at once.
pub(super) async fn forward(client: Client, target: Target, channel: Channel<Msg>, port: u32) {
    let (mut ssh, out) = channel.split();
    // ssh has nobody to tell why.
    drop(connect(&client, target, &mut ssh, &out, port).await);
    drop(out.close().await);
}

async fn connect(
    client: &Client,
    target: Target,
    ssh: &mut ChannelReadHalf,
    out: &Out,
    port: u32,
) -> Result<(), Status> {
    let (say, messages) = mpsc::channel(4);
    let tell = async |message| {
        let request = v1::ConnectRequest { message: Some(message) };
        say.send(request).await.map_err(|_| hung_up())
    };
    let connect = v1::ConnectTo { owner: target.owner, name: target.name, port };
    tell(connect_request::Message::Connect(connect)).await?;
    let mut hear = client.forward().connect(ReceiverStream::new(messages)).await?.into_inner();
    let down = async {
        loop {
            match hear.message().await?.and_then(|response| response.message) {
                Some(connect_response::Message::Data(data)) => send(out, data).await?,
                Some(connect_response::Message::End(_)) => {
                    out.eof().await.map_err(|_| hung_up())?;
                }
                Some(connect_response::Message::Connected(_)) => {}
                None => return Ok(()),
            }
        }
    };
    let up = async {
        loop {
            let told = match ssh.wait().await {
                Some(ChannelMsg::Data { data }) => tell(connect_request::Message::Data(data)).await,
                Some(ChannelMsg::Eof) => tell(connect_request::Message::End(true)).await,
                Some(ChannelMsg::Close) | None => return hung_up(),
                Some(_) => Ok(()),
            };
            if told.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    both(down, up).await
}

/// Waits for ssh's window: whoever does not read holds up only this channel.
async fn send(out: &Out, data: Bytes) -> Result<(), Status> {
    out.data_bytes(data).await.map_err(|_| hung_up())
}
