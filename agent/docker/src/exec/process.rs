//! The program of an exec as a process of this machine, and how it is ended.
//!
//! # Guarantees
//! A signal goes to that one process and to no other: it is held by a descriptor, which a new process with the same number
//! does not get, and it was seen to be in the container's process namespace. So what runs under nohup or tmux lives on.

use std::{io, os::fd::OwnedFd, path::PathBuf, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::timeout,
};

/// A killed process is gone at once, unless it waits for a disk.
const KILLED: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Process {
    pid: Pid,
    descriptor: AsyncFd<OwnedFd>,
}

impl Process {
    /// `None`: it has ended. Numbers up to 1 are nobody's program.
    pub(crate) fn open(pid: i64) -> io::Result<Option<Self>> {
        let Some(pid) = i32::try_from(pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw)
        else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => {
                // Deprecated for types that lie about what they own; its successor is unsafe, and this one owns it.
                #[allow(deprecated)]
                let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE)?;
                Ok(Some(Self { pid, descriptor }))
            }
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// As this machine counts.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    pub fn has_ended(&self) -> bool {
        let mut polled = [PollFd::new(self.descriptor.get_ref(), PollFlags::IN)];
        poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    pub async fn ended(&self) {
        // An error is about the runtime that goes away, and this process with it.
        let _ = self.descriptor.readable().await;
    }

    /// Tells it that its line has gone, and kills it if it is still there after the grace. Returns when it has ended.
    pub async fn hang_up(&self, grace: Duration) -> io::Result<()> {
        for (signal, patience) in [(Signal::HUP, grace), (Signal::KILL, KILLED)] {
            match pidfd_send_signal(self.descriptor.get_ref(), signal) {
                Ok(()) => {}
                Err(Errno::SRCH) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            if timeout(patience, self.ended()).await.is_ok() {
                return Ok(());
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Whether it is in the same process namespace as `init`. Asked of the very process that is held: it still lives
    /// afterwards.
    pub(crate) fn is_beside(&self, init: i64) -> bool {
        let namespace =
            |pid: i64| std::fs::read_link(PathBuf::from(format!("/proc/{pid}/ns/pid"))).ok();
        let own = namespace(i64::from(self.pid()));
        init > 1 && own.is_some() && own == namespace(init) && !self.has_ended()
    }

    /// The value of a variable in the environment that it was started with.
    pub fn environment(&self, name: &str) -> Option<String> {
        let bytes = std::fs::read(format!("/proc/{}/environ", self.pid())).ok()?;
        if self.has_ended() {
            return None;
        }
        variable(&bytes, name)
    }
}

/// Whether a process of this number runs. One that has ended and waits for its parent does not.
pub(crate) fn runs(pid: i64) -> bool {
    matches!(Process::open(pid), Ok(Some(process)) if !process.has_ended())
}

fn variable(environ: &[u8], name: &str) -> Option<String> {
    environ.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn numbers_that_are_nobodys() {
        for pid in [0, 1, -1, i64::MAX, i64::MIN] {
            assert!(Process::open(pid).is_err(), "{pid}");
        }
    }

    #[tokio::test]
    async fn one_that_hears_and_one_that_does_not() {
        for script in ["sleep 100", "trap '' HUP; echo; while :; do sleep 1; done"] {
            let mut child = tokio::process::Command::new("sh")
                .args(["-c", script])
                .stdout(std::process::Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let process = Process::open(i64::from(child.id().unwrap())).unwrap().unwrap();
            assert!(!process.has_ended());
            assert!(process.is_beside(i64::from(std::process::id())));
            assert!(!process.is_beside(0));
            process.hang_up(Duration::from_millis(200)).await.unwrap();
            assert!(process.has_ended());
            assert!(!child.wait().await.unwrap().success());
            // Its number may be another's now; the descriptor is not.
            process.hang_up(Duration::ZERO).await.unwrap();
        }
    }

    #[test]
    fn variables() {
        let environ = b"A=1\0BERTH_TERMINAL=7\0EMPTY=\0";
        assert_eq!(variable(environ, "BERTH_TERMINAL").as_deref(), Some("7"));
        assert_eq!(variable(environ, "EMPTY").as_deref(), Some(""));
        assert_eq!(variable(environ, "BERTH"), None);
        assert_eq!(variable(b"XBERTH_TERMINAL=7", "BERTH_TERMINAL"), None);
    }
}
