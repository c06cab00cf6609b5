//! Who this blade is: a key that never leaves it, a certificate, and the authority that signed it.
//!
//! The key is written before the first request, so that a join whose answer was lost can be asked again with the same key
//! and gets the same node.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use berth_core::{
    clock::Timestamp,
    id::{ClusterId, NodeId},
};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::ledger::replace;

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("{} cannot be read or written", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("this blade has not joined yet: run `berth-agent join JOIN_STRING`")]
    NotJoined,
    #[error("{} is damaged", path.display())]
    Damaged { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("a key could not be made")]
    Key(#[source] rcgen::Error),
}

/// Everything in one file, so that it is replaced as a whole; the key is beside it, since it never changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Membership {
    pub controller: String,
    pub cluster: ClusterId,
    pub node: NodeId,
    certificate_der: Vec<u8>,
    authority_der: Vec<u8>,
}

pub struct Identity {
    pub membership: Membership,
    pub key: KeyPair,
}

impl Membership {
    pub fn new(
        controller: String,
        cluster: ClusterId,
        node: NodeId,
        certificate_der: Vec<u8>,
        authority_der: Vec<u8>,
    ) -> Self {
        Self { controller, cluster, node, certificate_der, authority_der }
    }

    pub fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.certificate_der.clone())
    }

    pub fn authority(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.authority_der.clone())
    }

    /// The same blade with a newer certificate.
    #[must_use]
    pub fn renewed(&self, certificate_der: Vec<u8>, authority_der: Vec<u8>) -> Self {
        Self { certificate_der, authority_der, ..self.clone() }
    }

    /// Two thirds into its life: a month's certificate leaves ten days of failed attempts before anything is lost.
    pub fn renew_at(&self) -> Option<Timestamp> {
        let (_, certificate) = X509Certificate::from_der(&self.certificate_der).ok()?;
        let validity = certificate.validity();
        let (from, until) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        Some(Timestamp(from.saturating_add((until - from) / 3 * 2).saturating_mul(1000)))
    }
}

/// The blade's own key: read, or made and written.
pub fn load_or_make_key(directory: &Path) -> Result<KeyPair, IdentityError> {
    let path = directory.join("agent.key");
    match fs::read_to_string(&path) {
        Ok(pem) => KeyPair::from_pem(&pem).map_err(|error| damaged(&path, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = KeyPair::generate().map_err(IdentityError::Key)?;
            fs::create_dir_all(directory)
                .map_err(|source| IdentityError::Io { path: path.clone(), source })?;
            replace(&path, key.serialize_pem().as_bytes(), 0o600)
                .map_err(|source| IdentityError::Io { path: path.clone(), source })?;
            Ok(key)
        }
        Err(source) => Err(IdentityError::Io { path, source }),
    }
}

pub fn load(directory: &Path) -> Result<Identity, IdentityError> {
    let path = directory.join("membership.json");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(IdentityError::NotJoined);
        }
        Err(source) => return Err(IdentityError::Io { path, source }),
    };
    let membership = serde_json::from_slice(&text).map_err(|error| damaged(&path, error))?;
    Ok(Identity { membership, key: load_or_make_key(directory)? })
}

pub fn save(directory: &Path, membership: &Membership) -> Result<(), IdentityError> {
    let path = directory.join("membership.json");
    let text = serde_json::to_vec_pretty(membership).map_err(|error| damaged(&path, error))?;
    replace(&path, &text, 0o600).map_err(|source| IdentityError::Io { path, source })
}

/// A request for a certificate, DER. It proves that we hold the key; the names are the controller's business.
pub fn certificate_request(key: &KeyPair) -> Result<Vec<u8>, IdentityError> {
    let request =
        CertificateParams::default().serialize_request(key).map_err(IdentityError::Key)?;
    Ok(request.der().to_vec())
}

fn damaged(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> IdentityError {
    IdentityError::Damaged { path: path.to_owned(), source: source.into() }
}
