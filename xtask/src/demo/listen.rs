//! Where the demo is reached.

use std::{
    fmt,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

const PORT: u16 = 8443;
const DYING: Duration = Duration::from_secs(2);

/// The console's address; the agents' port is the next one and stays on loopback, since the only agent is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listen(SocketAddr);

impl Default for Listen {
    fn default() -> Self {
        Self(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT))
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = text
            .parse::<SocketAddr>()
            .or_else(|_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, PORT)))
            .map_err(|_| "an address like 0.0.0.0 or 192.0.2.7:8443".to_owned())?;
        if address.port() == 0 || address.port() == u16::MAX {
            return Err("a port from 1 to 65534".to_owned());
        }
        Ok(Self(address))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Listen {
    pub(crate) fn api(self) -> SocketAddr {
        self.0
    }

    pub(crate) fn agents(self) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.0.port() + 1)
    }

    /// What others put into a browser: for "all addresses", the one that the default route leaves by.
    pub(crate) fn host(self) -> IpAddr {
        if !self.0.ip().is_unspecified() {
            return self.0.ip();
        }
        // Nothing is sent: connecting a datagram socket only chooses a route.
        UdpSocket::bind("0.0.0.0:0")
            .and_then(|socket| {
                socket.connect("192.0.2.1:9")?;
                socket.local_addr()
            })
            .map_or_else(|_| Ipv4Addr::LOCALHOST.into(), |address| address.ip())
    }

    pub(crate) fn authority(self) -> SocketAddr {
        SocketAddr::new(self.host(), self.0.port())
    }

    pub(crate) fn url(self) -> String {
        format!("https://{}/", self.authority())
    }

    /// Fails with a sentence when another program has one of the ports.
    pub(crate) fn require_free(self) -> Result<()> {
        for address in [self.api(), self.agents()] {
            match bind(address) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
                    "port {} on {} is taken by another program: stop that, or choose another port \
                     with `--listen {}:PORT`",
                    address.port(),
                    address.ip(),
                    self.0.ip(),
                ),
                Err(error) => {
                    return Err(error).with_context(|| format!("{address} cannot be listened on"));
                }
            }
        }
        Ok(())
    }
}

/// A controller that was killed a moment ago may still be losing its sockets.
fn bind(address: SocketAddr) -> io::Result<()> {
    let deadline = Instant::now() + DYING;
    loop {
        match TcpListener::bind(address) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_a_port() {
        let listen = |text: &str| text.parse::<Listen>();
        assert_eq!(listen("0.0.0.0").unwrap().to_string(), "0.0.0.0:8443");
        assert_eq!(listen("[::1]:9000").unwrap().agents().to_string(), "127.0.0.1:9001");
        assert_eq!(listen("127.0.0.1:9000").unwrap().url(), "https://127.0.0.1:9000/");
        for bad in ["", "localhost", "127.0.0.1:0", "127.0.0.1:65535", "127.0.0.1:x"] {
            assert!(listen(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_taken_port_is_a_sentence() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        if port == u16::MAX {
            return;
        }
        let listen: Listen = format!("127.0.0.1:{port}").parse().unwrap();
        let error = listen.require_free().unwrap_err().to_string();
        assert!(error.contains(&format!("port {port} on 127.0.0.1 is taken")), "{error}");
    }
}
