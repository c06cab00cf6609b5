//! Programs that go on after this one has ended, found again by more than their number.

use std::{
    fs::{self, File},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use serde::{Deserialize, Serialize};

/// A process number comes again, but never with the same start time and the same program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pid: i32,
    /// Clock ticks since the machine's boot.
    started: u64,
    program: PathBuf,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was not running.
    Absent,
    Ended,
    /// It did not end when asked, and was killed.
    Killed,
}

/// Starts `program` in a session of its own, so that neither Ctrl-C nor the end of the terminal reaches it.
pub(crate) fn start(
    program: &Path,
    configure: impl FnOnce(&mut Command),
    log: &Path,
) -> Result<Identity> {
    let out = File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("{} cannot be written", log.display()))?;
    // setsid(1) becomes the program: the number stays.
    let mut command = Command::new("setsid");
    command.arg(program);
    configure(&mut command);
    let child = command
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    let pid = i32::try_from(child.id()).context("a process number is small")?;
    let program = program.canonicalize()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        match Identity::read(pid) {
            Some(identity) if identity.program == program => return Ok(identity),
            // Still setsid.
            Some(_) => std::thread::sleep(Duration::from_millis(2)),
            None => bail!("{} ended at once: see {}", program.display(), log.display()),
        }
    }
    bail!("{} does not start", program.display())
}

impl Identity {
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (state, started) = parse_stat(&stat)?;
        if matches!(state, 'Z' | 'X') {
            return None;
        }
        let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        Some(Self { pid, started, program })
    }

    pub(crate) fn load(file: &Path) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
    }

    pub(crate) fn save(&self, file: &Path) -> Result<()> {
        fs::write(file, serde_json::to_vec(self)?)
            .with_context(|| format!("{} cannot be written", file.display()))
    }

    pub(crate) fn is_running(&self) -> bool {
        Self::read(self.pid).is_some_and(|now| {
            // A program that was built anew while it runs has its old file marked.
            let same = now.program.to_string_lossy();
            now.started == self.started
                && Path::new(same.strip_suffix(" (deleted)").unwrap_or(&same)) == self.program
        })
    }

    /// Asks it to end, waits, and kills it when it does not.
    pub(crate) fn end(&self, patience: Duration) -> Result<Ending> {
        let Some(handle) = self.open() else { return Ok(Ending::Absent) };
        send(&handle, Signal::TERM)?;
        if wait(&handle, patience)? {
            return Ok(Ending::Ended);
        }
        send(&handle, Signal::KILL)?;
        wait(&handle, Duration::from_secs(10))?;
        Ok(Ending::Killed)
    }

    /// Ends it the way a power failure would.
    pub(crate) fn kill(&self) -> Result<()> {
        let handle =
            self.open().with_context(|| format!("{} is not running", self.program.display()))?;
        send(&handle, Signal::KILL)?;
        wait(&handle, Duration::from_secs(10))?;
        Ok(())
    }

    /// Blocks until it has ended.
    pub(crate) fn wait(&self) -> Result<()> {
        let Some(handle) = self.open() else { return Ok(()) };
        while !wait(&handle, Duration::from_secs(3600))? {}
        Ok(())
    }

    fn open(&self) -> Option<rustix::fd::OwnedFd> {
        let handle = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()?;
        // The number may have gone to another process before it was opened, and cannot any more now.
        self.is_running().then_some(handle)
    }
}

fn send(handle: &rustix::fd::OwnedFd, signal: Signal) -> Result<()> {
    match pidfd_send_signal(handle, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error).context("a process cannot be signalled"),
    }
}

/// Whether it ended in time.
fn wait(handle: &rustix::fd::OwnedFd, patience: Duration) -> Result<bool> {
    let timeout = Timespec {
        tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(patience.subsec_nanos()),
    };
    let mut ends = [PollFd::from_borrowed_fd(handle.as_fd(), PollFlags::IN)];
    Ok(poll(&mut ends, Some(&timeout))? > 0)
}

/// State and start time, out of a line whose second word may hold spaces and parentheses.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut words = after_name.split_ascii_whitespace();
    let state = words.next()?.chars().next()?;
    // Field 22 of the line; the state is field 3.
    let started = words.nth(18)?.parse().ok()?;
    Some((state, started))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4711 2 3";
        assert_eq!(parse_stat(stat), Some(('S', 4711)));
        assert_eq!(parse_stat("7 (a"), None);
    }

    #[test]
    fn another_process_of_the_same_number_is_not_it() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let me = Identity::read(pid).unwrap();
        assert!(me.is_running());
        let other = Identity { started: me.started + 1, ..me.clone() };
        assert!(!other.is_running());
        assert_eq!(other.end(Duration::from_secs(1)).unwrap(), Ending::Absent);
        let program = Identity { program: "/bin/true".into(), ..me };
        assert!(!program.is_running());
    }
}
