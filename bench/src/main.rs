//! Benchmarks that need the real parts: started by `cargo xtask bench`, which prints what comes out here.

mod burst;
mod engine;
mod figure;
mod figures;
mod files;
mod house;
mod launch;
mod lent;
mod person;
mod recorder;
mod statistics;
mod terminal;
mod web;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};

/// Measures Berth beside the engine that it works on. Figures go to standard output as JSON, the rest to standard error.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Creations, one at a time and forty at once, and the memory of controller and agent
    Launch {
        /// For everything that is written; made anew
        #[arg(long)]
        folder: PathBuf,
        /// Where berth-controller and berth-agent are
        #[arg(long)]
        programs: PathBuf,
        /// An image with a program that runs on, and listens on 8080
        #[arg(long)]
        image: String,
        #[arg(long, default_value = "/var/run/docker.sock")]
        socket: PathBuf,
        /// Pairs of launches
        #[arg(long, default_value_t = 300)]
        rounds: usize,
        /// Pairs of forty launches at once
        #[arg(long, default_value_t = 6)]
        bursts: usize,
    },
    /// A key's way to a program and back, and a flood the other way
    Terminal {
        /// For everything that is written; made anew
        #[arg(long)]
        folder: PathBuf,
        /// Where berth-controller and berth-agent are
        #[arg(long)]
        programs: PathBuf,
        /// An image with a shell
        #[arg(long)]
        image: String,
        #[arg(long, default_value = "/var/run/docker.sock")]
        socket: PathBuf,
        /// Pairs of echoes
        #[arg(long, default_value_t = 2000)]
        rounds: usize,
    },
    /// Half a gigabyte to a container and back
    Files {
        /// For everything that is written; made anew
        #[arg(long)]
        folder: PathBuf,
        /// Where berth-controller, berth-agent and berth are
        #[arg(long)]
        programs: PathBuf,
        /// Any image whose program runs on
        #[arg(long)]
        image: String,
        #[arg(long, default_value = "/var/run/docker.sock")]
        socket: PathBuf,
        /// Pairs of each direction
        #[arg(long, default_value_t = 7)]
        rounds: usize,
    },
    /// The controller's CPU while it hears what everybody uses
    Figures {
        /// For everything that is written; made anew
        #[arg(long)]
        folder: PathBuf,
        /// Where berth-controller is
        #[arg(long)]
        programs: PathBuf,
        #[arg(long, default_value_t = 20)]
        nodes: usize,
        #[arg(long, default_value_t = 1000)]
        containers: usize,
    },
    /// The time until somebody who comes for the first time can sign in
    Web {
        /// For everything that is written; made anew
        #[arg(long)]
        folder: PathBuf,
        /// Where berth-controller is
        #[arg(long)]
        programs: PathBuf,
        /// Loads, each in a browser of its own
        #[arg(long, default_value_t = 20)]
        rounds: usize,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(async {
        // Dropping the benchmark ends its programs and takes away their containers.
        tokio::select! {
            figures = Box::pin(measure(arguments.bench)) => figures,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                bail!("interrupted")
            }
        }
    })?;
    let text = serde_json::to_string(&figures)?;
    writeln!(std::io::stdout(), "{text}").context("nobody reads the figures")
}

async fn measure(bench: Bench) -> Result<Vec<figure::Figure>> {
    match bench {
        Bench::Launch { folder, programs, image, socket, rounds, bursts } => {
            let options = launch::Options { folder, programs, socket, image, rounds, bursts };
            Box::pin(launch::run(&options)).await
        }
        Bench::Terminal { folder, programs, image, socket, rounds } => {
            let options = terminal::Options { folder, programs, socket, image, rounds };
            Box::pin(terminal::run(&options)).await
        }
        Bench::Files { folder, programs, image, socket, rounds } => {
            let options = files::Options { folder, programs, socket, image, rounds };
            Box::pin(files::run(&options)).await
        }
        Bench::Figures { folder, programs, nodes, containers } => {
            let options = figures::Options { folder, programs, nodes, containers };
            Box::pin(figures::run(&options)).await
        }
        Bench::Web { folder, programs, rounds } => {
            Box::pin(web::run(&web::Options { folder, programs, rounds })).await
        }
    }
}

/// For a person who waits. Standard error may be closed, and then nobody does.
fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "    {text}");
}
