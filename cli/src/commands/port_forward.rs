//! `berth port-forward`: a container's ports on this machine's loopback.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use berth_proto::v1::{
    self, connect_request, connect_response, forward_service_client::ForwardServiceClient,
};
use bytes::BytesMut;
use clap::Args;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinSet,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::{
    client::{As, Client},
    output::{note, printable, say},
    text,
};

type Forward = ForwardServiceClient<As>;

const CHUNK: usize = 32 << 10;

#[derive(Debug, Args)]
pub(crate) struct PortForward {
    /// The container's name, or its id
    name: String,
    /// [LOCAL:]PORT, as often as needed; LOCAL 0 takes a free one
    #[arg(required = true, value_parser = ports)]
    ports: Vec<Ports>,
    /// Whose it is (administrators)
    #[arg(long, default_value = "")]
    owner: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ports {
    local: u16,
    remote: u16,
}

fn ports(text: &str) -> Result<Ports, String> {
    let (local, remote) = text.split_once(':').unwrap_or((text, text));
    let port = |text: &str| text.parse::<u16>().map_err(|_| format!("{text:?} is no port"));
    let ports = Ports { local: port(local)?, remote: port(remote)? };
    if ports.remote == 0 { Err("0 is no port of a container".to_owned()) } else { Ok(ports) }
}

impl PortForward {
    pub(crate) async fn run(self) -> Result<()> {
        let client = Client::signed_in()?;
        // Whether it is there at all is said now, and not to the first who connects.
        let get = v1::GetContainerRequest { name: self.name.clone(), owner: self.owner.clone() };
        client.containers().get_container(get).await?;
        let mut listening = JoinSet::new();
        for Ports { local, remote } in self.ports {
            let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, local));
            let listener = TcpListener::bind(wanted)
                .await
                .with_context(|| text::cannot_listen(wanted.port()))?;
            say(&format!("{} -> {}:{remote}", listener.local_addr()?, self.name))?;
            let (forward, owner, name) = (client.forward(), self.owner.clone(), self.name.clone());
            let to = v1::ConnectTo { owner, name, port: remote.into() };
            listening.spawn(async move { serve(listener, forward, to).await });
        }
        match listening.join_next().await {
            Some(ended) => ended?,
            None => Ok(()),
        }
    }
}

async fn serve(listener: TcpListener, forward: Forward, to: v1::ConnectTo) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await.context("no more connections can be taken")?;
        let (forward, to) = (forward.clone(), to.clone());
        tokio::spawn(async move {
            if let Err(status) = one(stream, forward, to).await {
                // Standard error may be closed; the others go on.
                let _ = note(&format!("berth: {}", printable(status.message())));
            }
        });
    }
}

async fn one(stream: TcpStream, mut forward: Forward, to: v1::ConnectTo) -> Result<(), Status> {
    // Small messages, each of which somebody waits for. A stream that cannot be told so is only slower.
    let _ = stream.set_nodelay(true);
    let (say, messages) = mpsc::channel(4);
    let first = v1::ConnectRequest { message: Some(connect_request::Message::Connect(to)) };
    // The queue is empty: there is room.
    drop(say.send(first).await);
    let hear = forward.connect(ReceiverStream::new(messages)).await?.into_inner();
    let (reading, writing) = stream.into_split();
    // The caller's end is told; the connection ends when the container's has.
    let upwards = async {
        up(reading, &say).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = down(hear, writing) => done,
        () = upwards => Ok(()),
    }
}

async fn up(mut reading: OwnedReadHalf, say: &mpsc::Sender<v1::ConnectRequest>) {
    let mut buffer = BytesMut::with_capacity(CHUNK);
    loop {
        buffer.reserve(CHUNK);
        let message = match reading.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => connect_request::Message::End(true),
            Ok(_) => connect_request::Message::Data(buffer.split().freeze()),
        };
        let last = matches!(message, connect_request::Message::End(_));
        let sent = say.send(v1::ConnectRequest { message: Some(message) }).await;
        if last || sent.is_err() {
            return;
        }
    }
}

async fn down(
    mut hear: Streaming<v1::ConnectResponse>,
    mut writing: OwnedWriteHalf,
) -> Result<(), Status> {
    while let Some(response) = hear.message().await? {
        match response.message {
            Some(connect_response::Message::Data(data)) => {
                if writing.write_all(&data).await.is_err() {
                    // Who connected has gone.
                    return Ok(());
                }
            }
            Some(connect_response::Message::End(_)) => drop(writing.shutdown().await),
            Some(connect_response::Message::Connected(_)) | None => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_as_people_type_them() {
        assert_eq!(ports("8888"), Ok(Ports { local: 8888, remote: 8888 }));
        assert_eq!(ports("0:80"), Ok(Ports { local: 0, remote: 80 }));
        for bad in ["", "a", "80:", ":80", "80:0", "70000", "1:2:3"] {
            assert!(ports(bad).is_err(), "{bad}");
        }
    }
}
