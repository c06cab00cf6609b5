//! A whole service on this machine: controller, agent, accounts and an image, kept under `target/demo/`.

mod accounts;
mod config;
mod down;
mod listen;
mod paths;
mod programs;
pub(crate) mod starter;
mod up;

use std::{path::PathBuf, sync::mpsc, thread};

use anyhow::Result;
use clap::Args;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

pub(crate) use self::{
    down::down,
    listen::Listen,
    paths::Paths,
    programs::{AGENT, CONTROLLER, Program},
};
use crate::say;

#[derive(Args, Default)]
pub(crate) struct Arguments {
    /// Return as soon as the service is ready.
    #[arg(long, conflicts_with = "down")]
    pub(crate) detach: bool,
    /// Stop the service and remove everything of it.
    #[arg(long)]
    pub(crate) down: bool,
    /// Where to be reached: an address, or an address and a port. Containers' ports are published there as well.
    #[arg(long, value_name = "ADDRESS[:PORT]", conflicts_with = "down")]
    pub(crate) listen: Option<Listen>,
    /// Use the programs in this folder instead of building them; the console is taken as it is.
    #[arg(long, value_name = "FOLDER", conflicts_with = "down")]
    pub(crate) programs: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.down {
        return down();
    }
    // Asked for before anything starts, so that no moment is left in which Ctrl-C would leave half of it behind.
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let interruptions = signals.handle();
    if arguments.detach {
        // While it starts, Ctrl-C ends this program at once; what runs by then is found by the next call.
        interruptions.close();
        return up::up(arguments).map(|_| ());
    }
    let (sender, events) = mpsc::channel();
    let from_signals = sender.clone();
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            let _ = from_signals.send(Event::Interrupted);
        }
    });
    let running = up::up(arguments)?;
    for program in [CONTROLLER, AGENT] {
        let sender = sender.clone();
        let process = running.process(program)?;
        thread::spawn(move || {
            if process.wait().is_ok() {
                let _ = sender.send(Event::Ended(program));
            }
        });
    }
    say::note(
        "Ctrl-C stops both programs and leaves the containers; `cargo xtask demo --down` removes everything.",
    );
    match events.recv()? {
        Event::Interrupted => say::blank(),
        Event::Ended(program) => {
            say::step(format_args!(
                "{program} has ended by itself: see {}",
                running.log(program).display()
            ));
        }
    }
    running.stop()
}

enum Event {
    Interrupted,
    Ended(Program),
}
