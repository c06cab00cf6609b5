//! The terminal that somebody sits at: raw while a remote one is shown in it, and as it was afterwards.

use std::io::{IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, Result};
use berth_proto::v1;
use tokio::sync::mpsc;

/// What a person types between two looks; a paste comes in several.
const CHUNK: usize = 16 << 10;

/// Raw until dropped.
pub(crate) struct Raw;

impl Raw {
    pub(crate) fn enter() -> Result<Self> {
        crossterm::terminal::enable_raw_mode().context("the terminal cannot be made raw")?;
        Ok(Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing is left to do about a terminal that cannot be put back.
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

pub(crate) fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Within what the service takes. `None` where there is no terminal.
pub(crate) fn size() -> Option<v1::TerminalSize> {
    let (columns, rows) = crossterm::terminal::size().ok()?;
    let within = |number: u16| u32::from(number).clamp(1, 1000);
    Some(v1::TerminalSize { rows: within(rows), columns: within(columns) })
}

/// Standard input, on a thread of its own: a read that waits for somebody to type cannot be called off, and ends with the
/// process. The channel closes at the end of the input.
pub(crate) fn input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        let mut stdin = std::io::stdin().lock();
        loop {
            match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => {
                    if sender.blocking_send(buffer[..length].to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
    receiver
}

pub(crate) fn print(data: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(data)?;
    Ok(out.flush()?)
}

pub(crate) fn print_error(data: &[u8]) -> Result<()> {
    Ok(std::io::stderr().lock().write_all(data)?)
}

/// Says when the window has another size. Cancel-safe.
pub(crate) struct Resizes {
    #[cfg(unix)]
    changes: tokio::signal::unix::Signal,
    #[cfg(not(unix))]
    looks: tokio::time::Interval,
    last: Option<v1::TerminalSize>,
}

impl Resizes {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            changes: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::window_change())?,
            #[cfg(not(unix))]
            looks: tokio::time::interval(std::time::Duration::from_millis(500)),
            last: size(),
        })
    }

    pub(crate) async fn next(&mut self) -> v1::TerminalSize {
        loop {
            #[cfg(unix)]
            self.changes.recv().await;
            #[cfg(not(unix))]
            self.looks.tick().await;
            let now = size();
            if now != self.last
                && let Some(now) = now
            {
                self.last = Some(now);
                return now;
            }
        }
    }
}

/// Finds the keys that leave a remote terminal to itself: Ctrl-P, then Ctrl-Q, as elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    held: bool,
}

const FIRST: u8 = 0x10;
const SECOND: u8 = 0x11;

impl Keys {
    /// What is to be sent of what was typed; `true` when the rest was the order to leave.
    pub(crate) fn typed(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut send = Vec::with_capacity(typed.len() + 1);
        for &byte in typed {
            match (std::mem::take(&mut self.held), byte) {
                (true, SECOND) => return (send, true),
                (true, FIRST) => {
                    send.push(FIRST);
                    self.held = true;
                }
                (true, byte) => send.extend([FIRST, byte]),
                (false, FIRST) => self.held = true,
                (false, byte) => send.push(byte),
            }
        }
        (send, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_leave() {
        let mut keys = Keys::default();
        assert_eq!(keys.typed(b"ls\r"), (b"ls\r".to_vec(), false));
        assert_eq!(keys.typed(b"a\x10"), (b"a".to_vec(), false));
        assert_eq!(keys.typed(b"b"), (b"\x10b".to_vec(), false));
        assert_eq!(keys.typed(b"\x10\x10\x10"), (b"\x10\x10".to_vec(), false));
        assert_eq!(keys.typed(b"\x11never"), (Vec::new(), true));
    }
}
