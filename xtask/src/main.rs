//! `cargo xtask`: checks, demo, tests and benchmarks. Only this program knows how to bring a fresh machine to the point
//! where they run; what they do when it is there belongs to the crates themselves and to `berth-e2e`.

mod bench;
mod demo;
mod deps;
mod engine;
mod install;
mod lint;
mod machine;
mod metadata;
mod process;
mod refusal;
mod say;
mod shell;
mod test;
mod web;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// From a fresh clone to a working service on this machine.
    Demo(demo::Arguments),
    /// Everything that CI checks, installing what it needs first.
    Test(test::Arguments),
    /// The console, from source to what the controller embeds.
    Web {
        /// Built in a moment and large; the controller of a debug build reads it from disk.
        #[arg(long)]
        dev: bool,
    },
    /// Formatting, lints and the rules of the house.
    Lint,
    /// Who may depend on whom.
    Deps,
    /// Benchmarks, built for release.
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::stopped(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Web { dev } => workspace::build_console(!dev),
        Command::Lint => lint::run(),
        Command::Deps => deps::run(),
        Command::Bench(arguments) => bench::run(&arguments),
    }
}
