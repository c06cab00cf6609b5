//! Accepts agents' connections: TLS 1.3, a certificate of our authority or none at all (for `Enroll` alone).

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use berth_core::id::{ClusterId, NodeId};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::CertificateDer,
    server::{ResolvesServerCert, WebPkiClientVerifier},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::transport::{Server, server::Connected, server::Router};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::service::AgentServer;

/// 1 MiB a stream and 64 MiB a connection: 64 streams may stall before the 65th is felt. A window is asked for again when
/// half of it is used; a smaller one makes a file wait for the next turn of a busy machine's processor.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;
const STREAMS: u32 = 64;
/// A relay's data in one piece, with what is around it.
const FRAME: u32 = 80 << 10;
const KEEPALIVE: Duration = Duration::from_secs(10);
/// A peer that opens a connection and says nothing holds a file descriptor for this long.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// From the certificate; `None` without one.
    pub node: Option<NodeId>,
}

pub struct Connection<IO> {
    stream: TlsStream<IO>,
    peer: Peer,
}

/// The TLS side: our certificate, and whose certificates are believed.
pub fn tls(
    certificate: Arc<dyn ResolvesServerCert>,
    authority: CertificateDer<'static>,
) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Serves agents over whatever `incoming` accepts (TCP, or a simulated network), until `shutdown`.
pub async fn serve<IO>(
    server: AgentServer,
    tls: ServerConfig,
    incoming: impl Stream<Item = io::Result<IO>> + Send + Unpin + 'static,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let cluster = server.handle.committed().state.cluster;
    let connections = accept(tls, incoming, cluster);
    router(server).serve_with_incoming_shutdown(connections, shutdown).await
}

fn router(server: AgentServer) -> Router {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
        .max_frame_size(FRAME)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .add_service(server.into_service())
}

/// Handshakes run beside each other: a slow one holds nobody up.
fn accept<IO>(
    tls: ServerConfig,
    mut incoming: impl Stream<Item = io::Result<IO>> + Send + Unpin + 'static,
    cluster: ClusterId,
) -> impl Stream<Item = io::Result<Connection<IO>>>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            // `closed` is cancel-safe, and so is a stream's next.
            let io = tokio::select! {
                biased;
                () = sender.closed() => return,
                io = incoming.next() => io,
            };
            match io {
                None => return,
                Some(Err(error)) => {
                    // Out of file descriptors, or a peer that was gone before it was accepted. Others still come.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Some(Ok(io)) => {
                    let (acceptor, sender) = (acceptor.clone(), sender.clone());
                    tokio::spawn(async move {
                        match tokio::time::timeout(HANDSHAKE, acceptor.accept(io)).await {
                            Ok(Ok(stream)) => {
                                let peer = peer(&stream, cluster);
                                // Closed means that the server has stopped.
                                drop(sender.send(Ok(Connection { stream, peer })).await);
                            }
                            Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
                            Err(_) => tracing::debug!("a handshake took too long"),
                        }
                    });
                }
            }
        }
    });
    ReceiverStream::new(receiver)
}

fn peer<IO>(stream: &TlsStream<IO>, cluster: ClusterId) -> Peer {
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    Peer { node: certificate.and_then(|certificate| node_of(certificate, cluster)) }
}

/// The node in `spiffe://<cluster>/node/<node>`. The signature was checked in the handshake.
pub fn node_of(certificate: &[u8], cluster: ClusterId) -> Option<NodeId> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    let prefix = format!("spiffe://{cluster}/node/");
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => uri.strip_prefix(&prefix)?.parse().ok(),
        _ => None,
    })
}

impl<IO> Connected for Connection<IO> {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Connection<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
