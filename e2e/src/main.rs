//! What `cargo xtask` asks a running demo, from outside.
#![allow(clippy::print_stdout, reason = "its answers are on standard output")]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use berth_e2e::{client, demo::Demo, lend};
use berth_proto::v1::CreateJoinTokenRequest;
use clap::{Parser, Subcommand, ValueEnum};

#[derive(Parser)]
struct Arguments {
    /// The demo's description.
    #[arg(long, value_name = "FILE")]
    demo: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Waits until it is there.
    Ready { what: What },
    /// Prints what lets one blade join.
    JoinString,
    /// Lends a container with the starter image to alice, and prints what can be seen of it.
    Lend { name: String },
    /// Prints what can be seen of a container of alice's.
    Look { name: String },
    /// Deletes a container of alice's.
    GiveBack { name: String },
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Controller,
    Node,
}

/// Two slow cores, with everything cold.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let demo = Demo::load(&arguments.demo)?;
    match arguments.command {
        Command::Ready { what: What::Controller } => client::until_serving(&demo, PATIENCE).await,
        Command::Ready { what: What::Node } => {
            client::until_a_node_is_ready(&demo, PATIENCE).await.map(|_| ())
        }
        Command::JoinString => {
            let mut session = client::sign_in(&demo, demo.administrator()?).await?;
            let request = CreateJoinTokenRequest { lifetime: None };
            let token = session.nodes.create_join_token(request).await?.into_inner();
            println!("{}", token.join_string);
            Ok(())
        }
        Command::Lend { name } => {
            let mut session = client::sign_in(&demo, demo.user("alice")?).await?;
            lend::lend(&mut session, lend::request(&demo, &name), PATIENCE).await?;
            show(&lend::look(&mut session, &name).await?)
        }
        Command::Look { name } => {
            let mut session = client::sign_in(&demo, demo.user("alice")?).await?;
            show(&lend::look(&mut session, &name).await?)
        }
        Command::GiveBack { name } => {
            let mut session = client::sign_in(&demo, demo.user("alice")?).await?;
            lend::give_back(&mut session, &name, PATIENCE).await
        }
    }
}

fn show(look: &lend::Look) -> Result<()> {
    println!("{}", serde_json::to_string(look)?);
    Ok(())
}
