//! Benchmarks: each prints a table and leaves `target/bench/NAME.json` for others to read.

mod figure;
mod figures;
mod files;
mod launch;
mod list;
mod programs;
mod terminal;
mod web;

use anyhow::{Result, bail};
use clap::Args;

pub(crate) use self::{figure::Figure, web::first_load};
use crate::say;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Which one; all of them when none is named.
    name: Option<String>,
    #[command(flatten)]
    size: Size,
}

/// How large it is to be. Each benchmark has defaults that give a figure worth reading.
#[derive(Args, Clone, Copy, Default)]
pub(crate) struct Size {
    /// Blades.
    #[arg(long)]
    pub(crate) nodes: Option<u32>,
    /// Containers.
    #[arg(long)]
    pub(crate) containers: Option<u32>,
    /// Repetitions.
    #[arg(long)]
    pub(crate) rounds: Option<u32>,
}

pub(crate) struct Bench {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(Size) -> Result<Vec<Figure>>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let chosen: Vec<&Bench> = match arguments.name.as_deref() {
        None => list::BENCHES.iter().collect(),
        Some(name) => match list::BENCHES.iter().find(|bench| bench.name == name) {
            Some(bench) => vec![bench],
            None => bail!("no benchmark is called {name}; there are: {}", names()),
        },
    };
    let mut missed = Vec::new();
    for bench in chosen {
        say::step(format_args!("{}: {}", bench.name, bench.about));
        let figures = (bench.run)(arguments.size)?;
        figure::print(&figures);
        let file = figure::save(bench.name, &figures)?;
        say::note(format_args!("written to {}", file.display()));
        let broken = figures.into_iter().filter(|figure| !figure.holds);
        missed.extend(broken.map(|figure| format!("{}/{}", bench.name, figure.name)));
    }
    if !missed.is_empty() {
        bail!("beyond their limits: {}", missed.join(", "));
    }
    Ok(())
}

fn names() -> String {
    list::BENCHES.iter().map(|bench| bench.name).collect::<Vec<_>>().join(", ")
}
