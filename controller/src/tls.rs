//! What our listeners show: certificates that are made anew while the program runs.

use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::{Context as _, Result};
use berth_core::{app_host::below, clock::Clock};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::ca::{Ca, ServerIdentity};

/// A daily change of a certificate that lives 90 days: a month of failures is survived.
const PERIOD: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug)]
pub(crate) struct Certificate(RwLock<Arc<CertifiedKey>>);

impl Certificate {
    pub(crate) fn new(identity: ServerIdentity) -> Result<Self> {
        Ok(Self(RwLock::new(certified(identity)?)))
    }

    fn replace(&self, identity: ServerIdentity) -> Result<()> {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = certified(identity)?;
        Ok(())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn certified(identity: ServerIdentity) -> Result<Arc<CertifiedKey>> {
    let provider = ring::default_provider();
    let certified = CertifiedKey::from_der(identity.chain, identity.key, &provider)
        .context("the certificate and its key do not belong together")?;
    Ok(Arc::new(certified))
}

/// The site's own certificate.
pub(crate) fn from_files(certificate: &Path, key: &Path) -> Result<ServerIdentity> {
    let unreadable = |path: &Path| format!("{} cannot be read", path.display());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .with_context(|| unreadable(certificate))?;
    anyhow::ensure!(!chain.is_empty(), "{} holds no certificate", certificate.display());
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| unreadable(key))?;
    Ok(ServerIdentity { chain, key })
}

/// The console's certificate, and another one for the names below a domain.
#[derive(Debug)]
pub(crate) struct ByName {
    pub(crate) console: Arc<Certificate>,
    pub(crate) below: Option<(String, Arc<Certificate>)>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or_default();
        match &self.below {
            Some((domain, certificate)) if below(name, domain).is_some() => {
                certificate.resolve(hello)
            }
            Some(_) | None => self.console.resolve(hello),
        }
    }
}

/// For the API port: browsers and programs, HTTP/2 first.
pub(crate) fn api_config(certificate: Arc<ByName>) -> Result<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("the TLS provider lacks a protocol version")?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Where a listener's certificate comes from.
pub(crate) enum Source {
    Authority { ca: Arc<Ca>, names: Vec<String> },
    Files { certificate: std::path::PathBuf, key: std::path::PathBuf },
}

impl Source {
    pub(crate) fn identity(&self, clock: &dyn Clock) -> Result<ServerIdentity> {
        match self {
            Source::Authority { ca, names } => {
                ca.issue_server(names, clock.now()).context("no certificate for our own listeners")
            }
            Source::Files { certificate, key } => from_files(certificate, key),
        }
    }
}

/// Replaces a certificate every day, for ever; files are read again, so that a renewed one needs no restart.
pub(crate) async fn renew(certificate: Arc<Certificate>, source: Source, clock: Arc<dyn Clock>) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let done =
            source.identity(clock.as_ref()).and_then(|identity| certificate.replace(identity));
        match done {
            Ok(()) => tracing::info!("server certificate renewed"),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "server certificate not renewed");
            }
        }
    }
}
