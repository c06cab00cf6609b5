//! The controller.

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use berth_controller::{accounts, config, healthcheck, new_epoch, serve};
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Migrations that ran are no news to somebody who adds an account.
const LOG: &str = "info,sea_orm_migration=warn";

/// Lends containers: the controller.
#[derive(Debug, Parser)]
#[command(name = "berth-controller", version)]
struct Arguments {
    /// The configuration file [default: /etc/berth/controller.toml, if it is there]
    #[arg(long, global = true, env = "BERTH_CONTROLLER_CONFIG")]
    config: Option<PathBuf>,
    /// What is logged: "info", "debug", "berth_app=debug,info"
    #[arg(long, global = true, env = "BERTH_CONTROLLER_LOG", default_value = LOG)]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the controller
    Serve,
    /// The built-in directory's accounts
    #[command(subcommand)]
    User(accounts::User),
    /// After an older database was put back, with the controller stopped: the blades' containers are taken into it
    NewEpoch,
    /// Says whether the configuration can be used
    CheckConfig,
    /// Shows the merged configuration, and where each value comes from
    PrintConfig,
    /// Ends with 0 when the controller on this machine answers
    Healthcheck,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One sentence with its causes; standard error may be closed, and then nobody reads it.
            let _ = writeln!(std::io::stderr(), "berth-controller: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&arguments.log).context("--log cannot be read")?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let loaded = config::load(arguments.config.as_deref())?;
    let mut out = std::io::stdout();
    match arguments.command {
        Command::CheckConfig => writeln!(out, "the configuration is fine")?,
        Command::PrintConfig => out.write_all(loaded.print()?.as_bytes())?,
        Command::Serve => runtime()?.block_on(serve::run(loaded.config))?,
        Command::User(command) => {
            runtime()?.block_on(accounts::run(&loaded.config, command, &mut out))?;
        }
        Command::NewEpoch => runtime()?.block_on(new_epoch::run(&loaded.config, &mut out))?,
        Command::Healthcheck => runtime()?.block_on(healthcheck::run(&loaded.config))?,
    }
    Ok(())
}

/// Two workers: one thread writes, the rest is waiting. Few blocking threads: they hash passwords, two at a time.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .thread_name("berth")
        .enable_all()
        .build()
        .context("the async runtime cannot be started")
}
