//! The cluster's certificate authority: made once, kept in the data directory, and the only thing that agents trust.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use berth_core::{
    clock::Timestamp,
    id::{ClusterId, NodeId},
};
use berth_session::{AuthorityError, CertificateAuthority, IssuedCertificate};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
    date_time_ymd,
};
use rustls::pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer,
    pem::PemObject as _,
};
use sha2::{Digest as _, Sha256};

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca-key.pem";

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Replacing it means that every blade joins anew.
const CA_VALIDITY: Duration = DAY.saturating_mul(20 * 365);
/// Browsers refuse more than 398 days; these are made anew at every start and every day.
const SERVER_VALIDITY: Duration = DAY.saturating_mul(90);
/// A blade may be off over a summer and still come back by itself.
const NODE_VALIDITY: Duration = DAY.saturating_mul(90);
/// For clocks that are behind.
const BACKDATED: Duration = DAY;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path} cannot be read or written", path = path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{path} holds no certificate authority of Berth's", path = path.display())]
    Damaged { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{there} is there and {missing} is not: restore it from a backup, or remove both and let every blade join anew",
        there = there.display(), missing = missing.display())]
    Half { there: PathBuf, missing: PathBuf },
    #[error("a certificate cannot be made")]
    Make(#[source] rcgen::Error),
}

pub struct Ca {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate with its chain, and its key.
pub struct ServerIdentity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl Ca {
    /// The one in `folder`; made there the first time.
    pub fn load_or_create(folder: &Path, now: Timestamp) -> Result<Self, Error> {
        let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
        match (certificate.exists(), key.exists()) {
            (true, true) => {}
            // The key is written first: a certificate without its key was not left by a crash.
            (true, false) => return Err(Error::Half { there: certificate, missing: key }),
            (false, true | false) => create(&certificate, &key, now)?,
        }
        let pem = read(&certificate)?;
        let key_pem = read(&key)?;
        let damaged = |path: &Path| {
            let path = path.to_owned();
            |source: Box<dyn std::error::Error + Send + Sync>| Error::Damaged { path, source }
        };
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| damaged(&certificate)(error.into()))?;
        let key_pair = KeyPair::from_pem(&key_pem).map_err(|error| damaged(&key)(error.into()))?;
        let issuer = Issuer::from_ca_cert_der(&der, key_pair)
            .map_err(|error| damaged(&certificate)(error.into()))?;
        Ok(Self { certificate: der, pem, issuer })
    }

    pub fn der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// What join strings and the command line pin.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    /// For our listeners. The authority is part of the chain, so that a client that trusts it at first use can see it.
    pub fn issue_server(&self, names: &[String], now: Timestamp) -> Result<ServerIdentity, Error> {
        let mut params = params("Berth controller", now, SERVER_VALIDITY);
        for name in names {
            params.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(name.as_str().try_into().map_err(Error::Make)?),
            });
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(Error::Make)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(Error::Make)?;
        Ok(ServerIdentity {
            chain: vec![certificate.der().clone(), self.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }

    /// For the key in the request. Its names are whatever its sender liked, and ignored.
    fn issue_node(
        &self,
        request_der: &[u8],
        cluster: ClusterId,
        node: NodeId,
        now: Timestamp,
    ) -> Result<IssuedCertificate, AuthorityError> {
        let request = read_request(request_der)?;
        let made = |error: rcgen::Error| AuthorityError::Issue(error.into());
        let mut params = params(&format!("Berth node {node}"), now, NODE_VALIDITY);
        let name = format!("spiffe://{cluster}/node/{node}");
        params.subject_alt_names = vec![SanType::URI(name.as_str().try_into().map_err(made)?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&request.public_key, &self.issuer).map_err(made)?;
        Ok(IssuedCertificate {
            certificate: certificate.der().to_vec(),
            expires_at: now + NODE_VALIDITY,
        })
    }
}

fn create(certificate: &Path, key: &Path, now: Timestamp) -> Result<(), Error> {
    let mut params = params("Berth certificate authority", now, CA_VALIDITY);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = false;
    let key_pair = KeyPair::generate().map_err(Error::Make)?;
    let made = params.self_signed(&key_pair).map_err(Error::Make)?;
    write(key, &key_pair.serialize_pem(), 0o600)?;
    write(certificate, &made.pem(), 0o644)?;
    tracing::info!(path = %certificate.display(), "certificate authority made");
    Ok(())
}

fn params(common_name: &str, now: Timestamp, validity: Duration) -> CertificateParams {
    let epoch = date_time_ymd(1970, 1, 1);
    let moment = Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = epoch + moment.saturating_sub(BACKDATED);
    params.not_after = epoch + moment + validity;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}

fn read_request(der: &[u8]) -> Result<CertificateSigningRequestParams, AuthorityError> {
    // Also checks that the sender holds the key.
    CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der))
        .map_err(|_| AuthorityError::Request)
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

/// All of it or nothing, whenever the machine stops.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let new = path.with_extension("pem.new");
    let written = || -> io::Result<()> {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
    };
    written().map_err(|source| Error::File { path: path.to_owned(), source })
}

/// The authority as agents meet it: its certificates name the cluster.
pub struct NodeAuthority {
    pub ca: std::sync::Arc<Ca>,
    pub cluster: ClusterId,
}

impl CertificateAuthority for NodeAuthority {
    fn issue_node(
        &self,
        request_der: &[u8],
        node: NodeId,
        now: Timestamp,
    ) -> Result<IssuedCertificate, AuthorityError> {
        self.ca.issue_node(request_der, self.cluster, node, now)
    }

    fn public_key_sha256(&self, request_der: &[u8]) -> Result<[u8; 32], AuthorityError> {
        let key = read_request(request_der)?.public_key.subject_public_key_info();
        Ok(Sha256::digest(key).into())
    }

    fn certificate(&self) -> Vec<u8> {
        self.ca.der().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn node() -> NodeId {
        "0190a5c2-7a5b-7c3d-8e4f-123456789abc".parse().unwrap()
    }

    fn authority(folder: &Path) -> NodeAuthority {
        let ca = Arc::new(Ca::load_or_create(folder, NOW).unwrap());
        NodeAuthority { ca, cluster: "0190a5c2-7a5b-7c3d-8e4f-000000000000".parse().unwrap() }
    }

    #[test]
    fn made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let first = Ca::load_or_create(folder.path(), NOW).unwrap();
        let second = Ca::load_or_create(folder.path(), NOW).unwrap();
        assert_eq!(first.sha256(), second.sha256());
        let mode = fs::metadata(folder.path().join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(first.pem().starts_with("-----BEGIN CERTIFICATE-----"));

        fs::remove_file(folder.path().join(KEY)).unwrap();
        assert!(matches!(Ca::load_or_create(folder.path(), NOW), Err(Error::Half { .. })));
        fs::write(folder.path().join(KEY), "nothing").unwrap();
        assert!(matches!(Ca::load_or_create(folder.path(), NOW), Err(Error::Damaged { .. })));
    }

    #[test]
    fn nodes_get_the_name_that_we_give_them() {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority(folder.path());
        let key = KeyPair::generate().unwrap();
        // Asks for somebody else's name, and to be an authority itself.
        let mut wanted = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let request = wanted.serialize_request(&key).unwrap();
        let issued = authority.issue_node(request.der(), node(), NOW).unwrap();
        assert_eq!(issued.expires_at, NOW + NODE_VALIDITY);
        assert_eq!(
            berth_session::listener::node_of(&issued.certificate, authority.cluster),
            Some(node())
        );
        let other: ClusterId = "0190a5c2-7a5b-7c3d-8e4f-000000000001".parse().unwrap();
        assert_eq!(berth_session::listener::node_of(&issued.certificate, other), None);
        let text = String::from_utf8_lossy(&issued.certificate).into_owned();
        assert!(!text.contains("localhost"));
        assert_eq!(
            authority.public_key_sha256(request.der()).unwrap(),
            <[u8; 32]>::from(Sha256::digest(key.subject_public_key_info()))
        );
    }

    #[test]
    fn requests_that_are_not_signed_by_their_key_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority(folder.path());
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::default().serialize_request(&key).unwrap();
        let mut forged = request.der().to_vec();
        *forged.last_mut().unwrap() ^= 1;
        for bad in [forged.as_slice(), b"", b"-----BEGIN"] {
            let refused = authority.issue_node(bad, node(), NOW);
            assert!(matches!(refused, Err(AuthorityError::Request)));
        }
    }
}
