//! `berth-controller healthcheck`: asks the running controller on this machine whether it answers.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(5);

pub async fn run(config: &Config) -> Result<()> {
    let address = reachable(config.listen.api);
    tokio::time::timeout(PATIENCE, ask(config, address))
        .await
        .with_context(|| format!("the controller on {address} does not answer"))?
}

async fn ask(config: &Config, address: SocketAddr) -> Result<()> {
    let (roots, name) = trusted(config)?;
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("nothing listens on {address}"))?;
    let mut stream = TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
        .context("the controller's certificate is not the one in its data directory")?;
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    ensure!(answer.starts_with(b"HTTP/1.1 200 "), "the controller answers, but not well");
    Ok(())
}

/// The wildcard addresses are no destinations.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Our own authority; or the site's certificate itself, under the first of the names that it should have.
fn trusted(config: &Config) -> Result<(RootCertStore, ServerName<'static>)> {
    let (file, name) = match &config.public.cert_file {
        Some(file) => (
            file.clone(),
            config
                .public
                .names
                .first()
                .context("public.names is needed beside public.cert_file")?
                .clone(),
        ),
        None => (config.data.dir.join("ca.pem"), "localhost".to_owned()),
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(&file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    for certificate in certificates {
        roots.add(certificate?)?;
    }
    let name = ServerName::try_from(name).context("public.names begins with what is no name")?;
    Ok((roots, name))
}
