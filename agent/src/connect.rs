//! Connections to the controller: TLS 1.3, over whatever network the caller brings.

use std::{future::Future, io, pin::Pin, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::identity::Identity;

/// The same as at the controller's end.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;
const KEEPALIVE: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection without TLS, however it is made.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub type Dialed = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// Opens a connection to `host:port`: TCP, or a simulated network.
pub type Dial = Arc<dyn Fn(String) -> Dialed + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{0:?} is not HOST:PORT")]
    Address(String),
    #[error("the TLS configuration cannot be used")]
    Tls(#[source] rustls::Error),
    #[error("the controller's certificates cannot be used")]
    Verifier(#[source] rustls::client::VerifierBuilderError),
    #[error("the controller {address} cannot be reached")]
    Unreachable { address: String, source: tonic::transport::Error },
}

/// The ordinary network.
pub fn tcp() -> Dial {
    Arc::new(|address| {
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            // Small messages, each of which somebody waits for.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    })
}

/// For a blade that has joined: our certificate, and the one authority that we believe.
pub fn mutual_tls(identity: &Identity) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    roots.add(identity.membership.authority()).map_err(ConnectError::Tls)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.serialize_der()));
    let config = builder()?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![identity.membership.certificate()], key)
        .map_err(ConnectError::Tls)?;
    Ok(http2(config))
}

/// For a blade that joins: whoever presents the authority whose fingerprint is in the join string.
pub fn pinned_tls(authority_sha256: [u8; 32]) -> Result<ClientConfig, ConnectError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(PinnedAuthority { authority_sha256, provider });
    let config =
        builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Ok(http2(config))
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, ConnectError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(ConnectError::Tls)
}

fn http2(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Connects once; the channel does not reconnect behind our back, since a session is bound to its connection.
pub async fn channel(
    address: &str,
    tls: ClientConfig,
    dial: &Dial,
) -> Result<Channel, ConnectError> {
    let invalid = || ConnectError::Address(address.to_owned());
    let (host, _port) = address.rsplit_once(':').ok_or_else(invalid)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|_| invalid())?;
    // "http" as far as tonic can see: it refuses "https" wherever its own TLS is built in but not used, and ours is below it.
    let endpoint = Endpoint::try_from(format!("http://{address}")).map_err(|_| invalid())?;
    let endpoint = endpoint
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true)
        .connect_timeout(CONNECT_TIMEOUT);
    let connector = TlsConnector::from(Arc::new(tls));
    let (dial, target) = (Arc::clone(dial), address.to_owned());
    endpoint
        .connect_with_connector(service_fn(move |_: Uri| {
            let (dial, target) = (Arc::clone(&dial), target.clone());
            let (connector, name) = (connector.clone(), name.clone());
            async move {
                let stream = dial(target).await?;
                connector.connect(name, stream).await.map(TokioIo::new)
            }
        }))
        .await
        .map_err(|source| ConnectError::Unreachable { address: address.to_owned(), source })
}

/// Believes a chain that contains the authority with this fingerprint, and is otherwise as strict as always.
#[derive(Debug)]
struct PinnedAuthority {
    authority_sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let is_pinned = |certificate: &&CertificateDer<'_>| {
            Sha256::digest(certificate.as_ref()).as_slice() == self.authority_sha256
        };
        let authority = intermediates.iter().find(is_pinned).ok_or_else(|| {
            rustls::Error::General("the controller is not the one in the join string".to_owned())
        })?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 is wanted".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
