//! A connection to a port inside a container, from inside its network: also to what listens on the container's loopback
//! alone, and past the firewall, which is about other people.

use std::{
    fs::File,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use berth_reconcile::runtime::EngineId;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::{net::TcpStream, sync::oneshot};

use super::{Error, Exec};

/// It is on this very machine.
const CONNECT: Duration = Duration::from_secs(5);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the container cannot be looked at")]
    Container(#[source] Error),
    /// Nothing listens there.
    #[error("nothing listens on the port")]
    Refused,
    #[error("the port cannot be reached")]
    Failed(#[source] io::Error),
}

impl Exec {
    pub async fn connect(
        &self,
        container: &EngineId,
        port: u16,
    ) -> Result<TcpStream, ConnectError> {
        let namespace = self.network(container).await?;
        let (answer, answered) = oneshot::channel();
        // A namespace is a thread's. This one ends in it, and nobody else ever runs on it.
        std::thread::Builder::new()
            .name("connect".to_owned())
            .spawn(move || {
                // Nobody may wait any more.
                drop(answer.send(connect_in(&namespace, port)));
            })
            .map_err(ConnectError::Failed)?;
        let stream = answered.await.map_err(|_| {
            ConnectError::Failed(io::Error::other("the connecting thread has ended"))
        })?;
        let stream = stream.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => ConnectError::Refused,
            _ => ConnectError::Failed(error),
        })?;
        TcpStream::from_std(stream).map_err(ConnectError::Failed)
    }

    /// Held first and looked at again afterwards: by then the number of a process may be another's.
    async fn network(&self, container: &EngineId) -> Result<File, ConnectError> {
        let facts = |error| ConnectError::Container(error);
        let before = self.container(container).await.map_err(facts)?;
        if !before.is_running || before.init <= 1 {
            return Err(ConnectError::Container(Error::NotRunning));
        }
        let namespace =
            File::open(format!("/proc/{}/ns/net", before.init)).map_err(ConnectError::Failed)?;
        let after = self.container(container).await.map_err(facts)?;
        if after.is_running && after.init == before.init {
            Ok(namespace)
        } else {
            Err(ConnectError::Container(Error::NotRunning))
        }
    }
}

fn connect_in(namespace: &File, port: u16) -> io::Result<std::net::TcpStream> {
    move_into_link_name_space(
        std::os::fd::AsFd::as_fd(namespace),
        Some(LinkNameSpaceType::Network),
    )?;
    let mut last = io::Error::from(io::ErrorKind::ConnectionRefused);
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        match std::net::TcpStream::connect_timeout(&SocketAddr::new(address, port), CONNECT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                return Ok(stream);
            }
            // That of the first is what is said: an image without IPv6 fails in other ways at the second.
            Err(error) if address.is_ipv4() => last = error,
            Err(_) => {}
        }
    }
    Err(last)
}
