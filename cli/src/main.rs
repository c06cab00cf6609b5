//! `berth`: containers on loan, from a terminal or a script.

mod amount;
mod client;
mod commands;
mod console;
mod definition;
mod harmless;
mod output;
mod settings;
mod ssh;
mod text;
mod transfer;
mod trust;

use std::{io::Write as _, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use tonic::{Code, Status};

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  it could not be done; standard error says why
  2  the command line is wrong
  3  nobody is signed in: `berth login`
  4  there is no such thing
  5  the container did not come to run
  6  the service cannot be reached
  7  a change needs a re-creation that nobody allowed (apply)
`exec` and `attach` end with the code of the program that they showed, and with 255 when that is not known.";

/// Borrows containers.
#[derive(Debug, Parser)]
#[command(name = "berth", version, after_help = EXIT_CODES)]
struct Arguments {
    /// Asks nothing: what is not given is an error
    #[arg(long, global = true)]
    no_input: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Signs in; asks for what is not given
    Login(commands::login::Login),
    /// Signs out, here and at the service
    Logout,
    /// Shows who is signed in
    Whoami,
    /// Lists containers
    Ps(commands::ps::Ps),
    /// Borrows a container and waits until it runs
    Run(commands::run::Run),
    /// Shows containers' definitions
    Get(commands::get::Get),
    /// Makes containers as a file defines them, or changes them
    Apply(commands::apply::Apply),
    /// Makes another container with the same definition
    Duplicate(commands::get::Duplicate),
    /// Starts a stopped container
    Start(commands::acts::Change),
    /// Stops a container; its files stay
    Stop(commands::acts::Change),
    /// Starts a container anew
    Restart(commands::acts::Change),
    /// Deletes a container with everything in it
    Rm(commands::acts::Rm),
    /// Runs a command in a container
    Exec(commands::exec::Exec),
    /// Shows what containers use, for as long as one looks
    Top(commands::top::Top),
    /// Shows what a container's program printed, also after its end
    Logs(commands::logs::Logs),
    /// Copies files and folders to a container or from it
    Cp(commands::cp::Cp),
    /// Shows a container's terminal here; Ctrl-P Ctrl-Q leaves it to itself
    Attach(commands::attach::Attach),
    /// Brings ports of a container to this machine, published or not
    PortForward(commands::port_forward::PortForward),
    /// Prints where a browser reaches a container's ports
    Url(commands::share::Url),
    /// Links that open a container's port to whoever has them
    Share(commands::share::Share),
    /// Prints what ~/.ssh/config needs for ssh, scp, rsync and editors
    SshConfig(commands::ssh::Config),
    /// An ssh server on standard input and output, for ssh's ProxyCommand
    #[command(hide = true)]
    SshProxy(commands::ssh::Proxy),
    /// Prints what a shell needs to complete commands: berth completion bash > /etc/bash_completion.d/berth
    Completion(commands::help::Completion),
    /// Writes manual pages
    Man(commands::help::Man),
    /// Lists volumes, makes and deletes them
    Volumes(commands::volumes::Volumes),
    /// Lists blades (administrators)
    Nodes(commands::nodes::Nodes),
}

/// A container that was asked for and does not run; `run` has said why.
#[derive(Debug)]
pub(crate) struct DoesNotRun;

impl std::fmt::Display for DoesNotRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(text::does_not_run())
    }
}

impl std::error::Error for DoesNotRun {}

/// A program that was shown has ended, and so do we, without a word.
#[derive(Debug)]
pub(crate) struct Ended(u8);

impl Ended {
    /// Zero is an end like the others: the caller gives it to `main` as it is.
    pub(crate) fn with(exit_code: i32) -> anyhow::Error {
        Self(u8::try_from(exit_code).unwrap_or(u8::MAX)).into()
    }

    pub(crate) fn unknown() -> anyhow::Error {
        Self(u8::MAX).into()
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}", self.0)
    }
}

impl std::error::Error for Ended {}

/// There is no session to make a call with.
#[derive(Debug)]
pub(crate) struct NotSignedIn;

impl std::fmt::Display for NotSignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(text::not_signed_in())
    }
}

impl std::error::Error for NotSignedIn {}

fn main() -> ExitCode {
    let Arguments { no_input, command } = Arguments::parse();
    if no_input {
        output::never_ask();
    }
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(Ended(code)) = error.downcast_ref() {
                return ExitCode::from(*code);
            }
            let (sentence, code) = verdict(&error);
            // Standard error may be closed, and then nobody reads it.
            let _ = writeln!(std::io::stderr(), "berth: {sentence}");
            ExitCode::from(code)
        }
    }
}

fn run(command: Command) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the async runtime cannot be started")?;
    runtime.block_on(async {
        match command {
            Command::Login(login) => login.run().await,
            Command::Logout => commands::login::logout().await,
            Command::Whoami => commands::login::whoami().await,
            Command::Ps(ps) => ps.run().await,
            Command::Run(run) => run.run().await,
            Command::Get(get) => get.run().await,
            Command::Apply(apply) => apply.run().await,
            Command::Duplicate(duplicate) => duplicate.run().await,
            Command::Start(act) => act.start().await,
            Command::Stop(act) => act.stop().await,
            Command::Restart(act) => act.restart().await,
            Command::Rm(rm) => rm.run().await,
            Command::Exec(exec) => exec.run().await,
            Command::Top(top) => top.run().await,
            Command::Logs(logs) => logs.run().await,
            Command::Cp(cp) => cp.run().await,
            Command::Attach(attach) => attach.run().await,
            Command::PortForward(forward) => forward.run().await,
            Command::Url(url) => url.run().await,
            Command::Share(share) => share.run().await,
            Command::SshConfig(commands::ssh::Config) => commands::ssh::Config::run(),
            Command::SshProxy(proxy) => proxy.run().await,
            Command::Completion(completion) => {
                completion.run::<Arguments>();
                Ok(())
            }
            Command::Man(man) => man.run::<Arguments>(),
            Command::Volumes(volumes) => volumes.run().await,
            Command::Nodes(nodes) => nodes.run().await,
        }
    })
}

/// What to say and how to end; the table in the help.
fn verdict(error: &anyhow::Error) -> (String, u8) {
    if error.is::<DoesNotRun>() {
        return (error.to_string(), 5);
    }
    if error.is::<NotSignedIn>() {
        return (error.to_string(), 3);
    }
    let Some(status) = error.downcast_ref::<Status>() else {
        let code = if error.chain().any(is_network) { 6 } else { 1 };
        return (format!("{error:#}"), code);
    };
    let code = match status.code() {
        Code::Unauthenticated => 3,
        Code::NotFound => 4,
        Code::Unavailable => 6,
        _ => 1,
    };
    // A message of the service's own is a sentence for people; one of the transport's is not.
    let sentence = match (status.code(), status.details().is_empty()) {
        (Code::Unavailable, true) => unreachable(status),
        _ => output::printable(status.message()),
    };
    (sentence, code)
}

fn is_network(cause: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut,
    };
    cause.downcast_ref::<std::io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable | TimedOut
        )
    })
}

/// With the innermost cause: "connection refused" and "unknown issuer" ask for different things.
fn unreachable(status: &Status) -> String {
    let mut cause = std::error::Error::source(status);
    while let Some(inner) = cause.and_then(|cause| cause.source()) {
        cause = Some(inner);
    }
    match cause {
        Some(cause) => format!("{}: {cause}", text::unreachable()),
        None => text::unreachable().to_owned(),
    }
}
