//! Trust at first use: what certificate authority a service shows. Nothing but a TLS handshake is done with it; the password
//! goes only over a connection that was checked against an authority that somebody has said yes to.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The last certificate of the chain that a service shows: its authority.
pub(crate) async fn authority(host: &str, port: u16) -> Result<CertificateDer<'static>> {
    let provider = Arc::new(ring::default_provider());
    let seen = Arc::new(Witness { provider: Arc::clone(&provider), authority: Mutex::default() });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&seen) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from(host.to_owned()).context("the address has no host name")?;
    let stream = TcpStream::connect((host, port))
        .await
        .with_context(|| format!("{host}:{port} cannot be reached"))?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .with_context(|| format!("{host}:{port} does not speak TLS"))?;
    let authority = seen.authority.lock().unwrap_or_else(PoisonError::into_inner).take();
    match authority {
        Some(authority) => Ok(authority),
        None => bail!(
            "{host}:{port} does not show its certificate authority: give its certificate with --ca-file"
        ),
    }
}

pub(crate) fn fingerprint(authority: &CertificateDer<'_>) -> String {
    let pairs: Vec<String> =
        Sha256::digest(authority).iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

/// Compares what people copy: with or without colons, in any case.
pub(crate) fn is_fingerprint(authority: &CertificateDer<'_>, text: &str) -> bool {
    let bare = |text: &str| text.replace([':', ' '], "").to_ascii_lowercase();
    bare(&fingerprint(authority)) == bare(text)
}

pub(crate) fn pem(certificate: &CertificateDer<'_>) -> String {
    let encoded = STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in encoded.as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        pem.push('\n');
    }
    pem + "-----END CERTIFICATE-----\n"
}

/// Believes nothing and says yes to the handshake, to see the chain.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    authority: Mutex<Option<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let last = intermediates.last().map(|last| last.clone().into_owned());
        *self.authority.lock().unwrap_or_else(PoisonError::into_inner) = last;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_as_people_copy_them() {
        let authority = CertificateDer::from(vec![1, 2, 3]);
        let text = fingerprint(&authority);
        assert_eq!(text.len(), 32 * 3 - 1);
        assert!(is_fingerprint(&authority, &text));
        assert!(is_fingerprint(&authority, &text.replace(':', "").to_uppercase()));
        assert!(!is_fingerprint(&authority, ""));
        assert!(!is_fingerprint(&authority, &text[3..]));
    }

    #[test]
    fn pem_can_be_read_again() {
        use rustls::pki_types::pem::PemObject as _;
        let authority = CertificateDer::from((0..200).collect::<Vec<u8>>());
        let again = CertificateDer::from_pem_slice(pem(&authority).as_bytes()).unwrap();
        assert_eq!(again, authority);
    }
}
