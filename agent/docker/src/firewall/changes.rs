//! The kernel's own word that somebody touched our table.

use std::{io::ErrorKind, os::unix::net::UnixDatagram as StdDatagram};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, bind, netlink, socket_with},
};
use tokio::net::UnixDatagram;

/// NFNLGRP_NFTABLES is group 7; groups are bits from 0.
const NFTABLES_GROUP: u32 = 1 << 6;

/// A subscription. Without one (a kernel that refuses it) the periodic look is what is left.
pub(crate) struct Changes {
    /// A netlink socket. Nothing is done with it but recv(2), which is the same for every kind of datagram socket; tokio's
    /// way to wait for any descriptor needs unsafe code.
    socket: Option<UnixDatagram>,
    needle: Vec<u8>,
    buffer: Vec<u8>,
}

impl Changes {
    pub(crate) fn subscribe(table: &str) -> Self {
        let socket = open()
            .map_err(|error| {
                tracing::warn!(error = %error, "no word from the kernel about rule changes");
            })
            .ok();
        // As an attribute of a message: a text that ends with NUL.
        let needle = table.bytes().chain([0]).collect();
        Self { socket, needle, buffer: vec![0; 64 * 1024] }
    }

    /// Returns when a message names our table, or when messages were lost. The engine changes its own tables with every
    /// container; those are passed over without waking anybody. Cancel-safe: it holds nothing between messages.
    pub(crate) async fn next(&mut self) {
        loop {
            let Some(socket) = &self.socket else {
                return std::future::pending().await;
            };
            match socket.recv(&mut self.buffer).await {
                Ok(length) if names(&self.buffer[..length], &self.needle) => return,
                Ok(_) => {}
                Err(error) if is_overrun(&error) => return,
                Err(error) => {
                    tracing::warn!(error = %error, "the kernel's word about rule changes ended");
                    self.socket = None;
                }
            }
        }
    }

    /// Forgets what was said up to now.
    pub(crate) fn drain(&mut self) {
        while let Some(socket) = &self.socket {
            match socket.try_recv(&mut self.buffer) {
                Ok(_) => {}
                Err(error) if is_overrun(&error) || error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

fn is_overrun(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error())
}

fn names(messages: &[u8], needle: &[u8]) -> bool {
    messages.windows(needle.len()).any(|window| window == needle)
}

fn open() -> std::io::Result<UnixDatagram> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        Some(netlink::NETFILTER),
    )?;
    bind(&socket, &netlink::SocketAddrNetlink::new(0, NFTABLES_GROUP))?;
    UnixDatagram::from_std(StdDatagram::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_name() {
        assert!(names(b"\x0c\0\x01\0berth_1\0\0", b"berth_1\0"));
        assert!(!names(b"\x0c\0\x01\0berth_12\0", b"berth_1\0"));
        assert!(!names(b"filter\0", b"berth_1\0"));
        assert!(!names(b"", b"berth_1\0"));
    }
}
