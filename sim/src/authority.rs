//! The cluster's certificates, made once for all runs of a process: a run must not depend on them.

use std::sync::{Arc, OnceLock};

use berth_agent::identity::{Identity, Membership};
use berth_core::{
    clock::Timestamp,
    id::{ClusterId, NodeId},
};
use berth_session::{AuthorityError, CertificateAuthority, IssuedCertificate};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
    PKCS_ED25519, PublicKeyData as _, SanType, SerialNumber,
};
use rustls::{
    pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::ResolvesServerCert,
    sign::{CertifiedKey, SingleCertAndKey},
};
use sha2::{Digest as _, Sha256};

pub use crate::world::CLUSTER;

/// The controller's host name in the simulated network.
pub const CONTROLLER: &str = "controller";

pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    server: Arc<SingleCertAndKey>,
}

/// The one of this process.
pub fn authority() -> &'static Arc<Authority> {
    static AUTHORITY: OnceLock<Arc<Authority>> = OnceLock::new();
    AUTHORITY.get_or_init(|| Arc::new(Authority::new().expect("certificates can be made")))
}

impl Authority {
    fn new() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut params = params(1);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key)?.der().clone();
        let issuer = Issuer::new(params, key);

        let server_key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut server = self::params(2);
        server.subject_alt_names = vec![SanType::DnsName(CONTROLLER.try_into()?)];
        let server = server.signed_by(&server_key, &issuer)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        let provider = rustls::crypto::ring::default_provider();
        // With the authority in the chain: a blade that joins knows it by its fingerprint alone.
        let chain = vec![server.der().clone(), certificate.clone()];
        let certified = CertifiedKey::from_der(chain, private, &provider)?;
        Ok(Self { certificate, issuer, server: Arc::new(SingleCertAndKey::from(certified)) })
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    pub fn server(&self) -> Arc<dyn ResolvesServerCert> {
        Arc::clone(&self.server) as Arc<dyn ResolvesServerCert>
    }

    /// What a blade that has joined holds.
    pub fn identity(&self, node: NodeId) -> Result<Identity, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let certificate = node_params(CLUSTER, node)?.signed_by(&key, &self.issuer)?;
        let membership = Membership::new(
            format!("{CONTROLLER}:{}", crate::world::PORT),
            CLUSTER,
            node,
            certificate.der().to_vec(),
            self.certificate.to_vec(),
        );
        Ok(Identity { membership, key })
    }
}

/// rcgen's default validity lasts for two thousand years: TLS looks at the real clock.
fn params(serial: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(serial));
    params
}

fn node_params(cluster: ClusterId, node: NodeId) -> Result<CertificateParams, rcgen::Error> {
    let mut params = params(3);
    let name = format!("spiffe://{cluster}/node/{node}");
    params.subject_alt_names = vec![SanType::URI(name.as_str().try_into()?)];
    Ok(params)
}

impl CertificateAuthority for Authority {
    fn issue_node(
        &self,
        request_der: &[u8],
        node: NodeId,
        now: Timestamp,
    ) -> Result<IssuedCertificate, AuthorityError> {
        let request = read(request_der)?;
        let made = |error: rcgen::Error| AuthorityError::Issue(error.into());
        let params = node_params(CLUSTER, node).map_err(made)?;
        let certificate = params.signed_by(&request.public_key, &self.issuer).map_err(made)?;
        let expires_at = now + std::time::Duration::from_secs(90 * 24 * 3600);
        Ok(IssuedCertificate { certificate: certificate.der().to_vec(), expires_at })
    }

    fn public_key_sha256(&self, request_der: &[u8]) -> Result<[u8; 32], AuthorityError> {
        Ok(Sha256::digest(read(request_der)?.public_key.subject_public_key_info()).into())
    }

    fn certificate(&self) -> Vec<u8> {
        self.certificate.to_vec()
    }
}

fn read(der: &[u8]) -> Result<CertificateSigningRequestParams, AuthorityError> {
    CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der))
        .map_err(|_| AuthorityError::Request)
}
