//! Who signs agents' certificates.

use berth_core::{clock::Timestamp, id::NodeId};

/// A certificate for an agent, DER.
#[derive(Debug, Clone)]
pub struct IssuedCertificate {
    pub certificate: Vec<u8>,
    pub expires_at: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("the certificate request cannot be read, or is not signed by its own key")]
    Request,
    #[error("the certificate could not be made")]
    Issue(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The cluster's certificate authority, as far as agents are concerned.
pub trait CertificateAuthority: Send + Sync + 'static {
    /// Checks the request's self-signature and issues a client certificate for its public key. The names in the request
    /// are ignored: the only one in the certificate is the URI `spiffe://<cluster>/node/<node>`.
    fn issue_node(
        &self,
        request_der: &[u8],
        node: NodeId,
        now: Timestamp,
    ) -> Result<IssuedCertificate, AuthorityError>;

    /// SHA-256 of the request's public key (SubjectPublicKeyInfo, DER).
    fn public_key_sha256(&self, request_der: &[u8]) -> Result<[u8; 32], AuthorityError>;

    /// The authority's own certificate, DER.
    fn certificate(&self) -> Vec<u8>;
}
