//! A Docker engine to work with: the one that answers, or one of our own that goes when it is no longer wanted.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::{
    install,
    process::{self, Ending, Identity},
    say, shell, workspace,
};

/// The agent's default, and everybody's.
const HOST: &str = "unix:///var/run/docker.sock";

/// Who wanted an engine that was not there, and takes it away again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wanted {
    Demo,
    Tests,
}

#[derive(Serialize, Deserialize)]
struct Ours {
    wanted: Wanted,
    process: Identity,
}

fn folder() -> PathBuf {
    workspace::state("engine")
}

pub(crate) fn docker(arguments: &[&str]) -> Command {
    let mut command = shell::command("docker", &["--host", HOST]);
    command.args(arguments);
    command
}

pub(crate) fn answers() -> bool {
    version().is_some()
}

fn version() -> Option<String> {
    let output =
        shell::output(&mut docker(&["version", "--format", "{{.Server.Version}}"])).ok()?;
    Some(output.trim().to_owned())
}

/// Installs and starts what is missing. An engine that answers already is used as it is.
pub(crate) fn ensure(wanted: Wanted) -> Result<()> {
    install::ensure(&[install::ENGINE, install::IPTABLES, install::NFTABLES])?;
    if let Some(version) = version() {
        say::note(format_args!("Docker {version} answers"));
        return Ok(());
    }
    if PathBuf::from("/run/systemd/system").is_dir() {
        say::step("Starting the Docker engine by systemd");
        shell::run(&mut shell::command("systemctl", &["start", "docker.service"]))?;
        return until_it_answers(None);
    }
    say::step("Starting a Docker engine, because none answers");
    let folder = folder();
    fs::create_dir_all(&folder)?;
    let program = shell::find("dockerd").context("docker.io brings dockerd")?;
    let log = folder.join("dockerd.log");
    // A data folder of our own, so that everything in it can go with it. The bridge stays the default one: an engine
    // without a bridge would take away docker0 of another engine on this machine.
    let process = process::start(
        &program,
        |command| {
            command
                .arg(format!("--host={HOST}"))
                .arg(format!("--data-root={}", folder.join("data").display()))
                .arg(format!("--pidfile={}", folder.join("dockerd.pid").display()));
        },
        &log,
    )?;
    let record = serde_json::to_vec(&Ours { wanted, process: process.clone() })?;
    fs::write(folder.join("engine.json"), record)?;
    until_it_answers(Some(&process))
}

fn until_it_answers(process: Option<&Identity>) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        if let Some(version) = version() {
            say::note(format_args!(
                "Docker {version} answers after {}",
                say::seconds(began.elapsed())
            ));
            return Ok(());
        }
        if process.is_some_and(|process| !process.is_running()) {
            bail!("the Docker engine ended at once: {}", last_words());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("the Docker engine does not answer within a minute: {}", last_words())
}

fn last_words() -> String {
    let log = folder().join("dockerd.log");
    let text = fs::read_to_string(&log).unwrap_or_default();
    let last =
        text.lines().rev().find(|line| line.contains("level=fatal") || line.contains("failed"));
    last.or_else(|| text.lines().last()).unwrap_or("see its log").to_owned()
}

/// Ends the engine with all its data if it was started for this; leaves any other alone.
pub(crate) fn release(wanted: Wanted) -> Result<()> {
    let folder = folder();
    let record = folder.join("engine.json");
    let Ok(text) = fs::read(&record) else { return Ok(()) };
    let ours: Ours = serde_json::from_slice(&text)
        .with_context(|| format!("{} cannot be read", record.display()))?;
    if ours.wanted != wanted {
        return Ok(());
    }
    match ours.process.end(Duration::from_secs(60))? {
        Ending::Absent => {}
        Ending::Ended => say::note("the Docker engine that was started for this has ended"),
        Ending::Killed => say::note("the Docker engine that was started for this had to be killed"),
    }
    unmount(&folder)?;
    fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))
}

/// Where `/` is not shared, the engine mounts its data folder onto itself, and leaves that behind.
fn unmount(folder: &Path) -> Result<()> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("no list of mounts")?;
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(Path::new);
    // What was mounted last is on top.
    for point in points.filter(|point| point.starts_with(&folder)).rev() {
        shell::run(shell::command("umount", &["--"]).arg(point))?;
    }
    Ok(())
}
