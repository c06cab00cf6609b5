//! `berth exec`

use std::time::Duration;

use anyhow::Result;
use berth_proto::v1::{self, run_request, run_response};
use clap::Args;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::attach;
use crate::{Ended, amount::variable, client::Client, console, output::note};

#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// Passes standard input on
    #[arg(short, long)]
    interactive: bool,
    /// In a terminal of its own, which lives on when the connection is lost
    #[arg(short, long)]
    tty: bool,
    /// KEY=value, as often as needed
    #[arg(short, long = "env", value_parser = variable, conflicts_with = "tty")]
    env: Vec<(String, String)>,
    /// The directory that it runs in [default: the image's]
    #[arg(short, long, default_value = "", conflicts_with = "tty")]
    workdir: String,
    /// After this it is ended, such as 90s or 2h
    #[arg(long, value_parser = humantime::parse_duration, conflicts_with = "tty")]
    timeout: Option<Duration>,
    /// Whose the container is (administrators)
    #[arg(long, default_value = "")]
    owner: String,
    /// The container's name, or its id
    name: String,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

impl Exec {
    pub(crate) async fn run(self) -> Result<()> {
        let client = Client::signed_in()?.exec();
        if self.tty {
            let Exec { name, owner, command, .. } = self;
            let attach = v1::AttachTerminal { name, owner, command, ..Default::default() };
            return attach::follow(client, attach).await;
        }
        self.without_terminal(client).await
    }

    async fn without_terminal(
        self,
        mut client: v1::exec_service_client::ExecServiceClient<crate::client::As>,
    ) -> Result<()> {
        let command = v1::RunCommand {
            owner: self.owner,
            name: self.name,
            command: self.command,
            environment: self.env.into_iter().collect(),
            working_directory: self.workdir,
            time_limit: self.timeout.map(berth_proto::convert::duration),
            stdin: self.interactive,
        };
        let (say, messages) = mpsc::channel(4);
        let first = v1::RunRequest { message: Some(run_request::Message::Command(command)) };
        // The queue is empty: there is room.
        drop(say.send(first).await);
        if self.interactive {
            tokio::spawn(feed(say.clone()));
        }
        let mut heard = client.run(ReceiverStream::new(messages)).await?.into_inner();
        while let Some(response) = heard.message().await? {
            match response.message {
                Some(run_response::Message::Stdout(data)) => console::print(&data)?,
                Some(run_response::Message::Stderr(data)) => console::print_error(&data)?,
                Some(run_response::Message::Ended(ended)) => {
                    if ended.end() == v1::ExecEnd::Exited {
                        return Err(Ended::with(ended.exit_code));
                    }
                    note(&crate::output::printable(&ended.message))?;
                    return Err(Ended::unknown());
                }
                // A newer service may say more.
                None => {}
            }
        }
        drop(say);
        Err(Status::unavailable("").into())
    }
}

async fn feed(say: mpsc::Sender<v1::RunRequest>) {
    let mut input = console::input();
    while let Some(typed) = input.recv().await {
        let message = Some(run_request::Message::Stdin(typed.into()));
        if say.send(v1::RunRequest { message }).await.is_err() {
            return;
        }
    }
    let message = Some(run_request::Message::EndOfInput(true));
    // The command may have ended meanwhile.
    drop(say.send(v1::RunRequest { message }).await);
}
