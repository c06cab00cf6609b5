//! Joining a cluster, and renewing the certificate.

use std::path::Path;

use berth_core::{clock::Timestamp, join::JoinString};
use berth_proto::agent::v1::{self as wire, agent_service_client::AgentServiceClient};

use crate::{
    connect::{self, ConnectError, Dial},
    identity::{self, IdentityError, Membership},
};

#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error("the blade's identity cannot be kept")]
    Identity(#[from] IdentityError),
    #[error("no connection")]
    Connect(#[from] ConnectError),
    #[error("the controller refused: {}", .0.message())]
    Refused(tonic::Status),
    #[error("the controller's answer makes no sense")]
    Answer,
}

/// Makes the key here, asks for a certificate with the one-time token, and remembers where we belong. May be repeated with
/// the same string until it has succeeded.
pub async fn join(
    directory: &Path,
    join: &JoinString,
    node_name: &str,
    dial: &Dial,
) -> Result<Membership, JoinError> {
    let key = identity::load_or_make_key(directory)?;
    let tls = connect::pinned_tls(join.ca_sha256)?;
    let channel = connect::channel(&join.controller, tls, dial).await?;
    let answer = AgentServiceClient::new(channel)
        .enroll(wire::EnrollRequest {
            token: join.token.clone(),
            certificate_request: identity::certificate_request(&key)?,
            node_name: node_name.to_owned(),
        })
        .await
        .map_err(JoinError::Refused)?
        .into_inner();
    let membership = Membership::new(
        join.controller.clone(),
        answer.cluster_id.parse().map_err(|_| JoinError::Answer)?,
        answer.node_id.parse().map_err(|_| JoinError::Answer)?,
        answer.certificate,
        answer.ca_certificate,
    );
    identity::save(directory, &membership)?;
    Ok(membership)
}

/// What came of looking at the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    NotDue,
    Renewed,
}

/// A new certificate for the same key, if the old one has lived for two thirds of its time.
pub async fn renew_if_due(
    directory: &Path,
    dial: &Dial,
    now: Timestamp,
) -> Result<Renewal, JoinError> {
    let identity = identity::load(directory)?;
    if identity.membership.renew_at().is_some_and(|at| at > now) {
        return Ok(Renewal::NotDue);
    }
    let tls = connect::mutual_tls(&identity)?;
    let channel = connect::channel(&identity.membership.controller, tls, dial).await?;
    let request =
        wire::RenewRequest { certificate_request: identity::certificate_request(&identity.key)? };
    let answer = AgentServiceClient::new(channel)
        .renew(request)
        .await
        .map_err(JoinError::Refused)?
        .into_inner();
    let membership = identity.membership.renewed(answer.certificate, answer.ca_certificate);
    identity::save(directory, &membership)?;
    Ok(Renewal::Renewed)
}
