//! The one place where an error becomes a gRPC status.

mod file;

use std::{collections::HashMap, time::Duration};

use berth_app::{
    error::{Error, Kind, Precondition, Quota},
    writer::chain,
};
use berth_core::{definition::change::Field, text::Language, violation::Violation};
use berth_proto::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt as _};
use uuid::Uuid;

use crate::text;

pub const DOMAIN: &str = "berth";

/// A status travels in headers, of which some clients take 8 KiB in all: sixteen violations of 80 + 120 bytes in base64 are
/// half of that.
const VIOLATIONS_MAXIMUM: usize = 16;
const NAME_MAXIMUM: usize = 80;

/// One for each field that needs it; others ask for their consent by these.
const NEEDS_RECREATION: &str = "NEEDS_RECREATION";
const DOES_NOT_FIT: &str = "DOES_NOT_FIT";

pub fn of(language: Language, request_id: Uuid, error: &Error) -> Status {
    let message = status_message(language, error);
    let details = match error {
        Error::InvalidArgument { violations } => {
            ErrorDetails::with_bad_request(field_violations(language, violations))
        }
        Error::NotFound { kind, name } | Error::AlreadyExists { kind, name } => {
            ErrorDetails::with_resource_info(
                resource_type(*kind),
                shorten(name),
                "",
                message.as_str(),
            )
        }
        Error::QuotaExceeded { subject, .. } => {
            ErrorDetails::with_quota_failure_violation(quota_subject(*subject), message.as_str())
        }
        Error::FailedPrecondition(precondition) => {
            ErrorDetails::with_precondition_failure_violation(
                precondition_type(*precondition),
                "",
                message.as_str(),
            )
        }
        Error::NeedsRecreation { fields } => {
            let violation = |field: &Field| {
                let said = berth_core::text::field(language, *field);
                PreconditionViolation::new(NEEDS_RECREATION, field.name(), said)
            };
            ErrorDetails::with_precondition_failure(
                fields.iter().map(violation).collect::<Vec<_>>(),
            )
        }
        Error::DoesNotFit(_) => {
            ErrorDetails::with_precondition_failure_violation(DOES_NOT_FIT, "", message.as_str())
        }
        Error::TooManyAttempts { retry_after } | Error::Unavailable { retry_after } => {
            ErrorDetails::with_retry_info(Some(*retry_after))
        }
        Error::Internal(_) => {
            tracing::error!(request.id = %request_id, error = %chain(error), "a call failed");
            ErrorDetails::with_request_info(request_id.to_string(), "")
        }
        Error::Unauthenticated
        | Error::SignInRefused
        | Error::PermissionDenied
        | Error::File { .. } => ErrorDetails::new(),
    };
    let metadata = match error {
        Error::File { fault, subject } => HashMap::from([
            ("fault".to_owned(), file::name(*fault).to_owned()),
            ("path".to_owned(), shorten(subject)),
        ]),
        Error::InvalidArgument { .. }
        | Error::NotFound { .. }
        | Error::AlreadyExists { .. }
        | Error::Unauthenticated
        | Error::SignInRefused
        | Error::TooManyAttempts { .. }
        | Error::PermissionDenied
        | Error::QuotaExceeded { .. }
        | Error::FailedPrecondition(_)
        | Error::NeedsRecreation { .. }
        | Error::DoesNotFit(_)
        | Error::Unavailable { .. }
        | Error::Internal(_) => HashMap::new(),
    };
    let (code, reason) = code(error);
    with_reason(code, reason, &message, details, metadata)
}

/// What happened and what to do, for a person.
pub fn status_message(language: Language, error: &Error) -> String {
    text::error(language, error)
}

fn code(error: &Error) -> (Code, ErrorReason) {
    match error {
        Error::InvalidArgument { .. } => (Code::InvalidArgument, ErrorReason::InvalidArgument),
        Error::NotFound { .. } => (Code::NotFound, ErrorReason::NotFound),
        Error::AlreadyExists { .. } => (Code::AlreadyExists, ErrorReason::AlreadyExists),
        Error::Unauthenticated | Error::SignInRefused => {
            (Code::Unauthenticated, ErrorReason::Unauthenticated)
        }
        Error::TooManyAttempts { .. } => (Code::ResourceExhausted, ErrorReason::TooManyAttempts),
        Error::PermissionDenied => (Code::PermissionDenied, ErrorReason::PermissionDenied),
        Error::QuotaExceeded { .. } => (Code::ResourceExhausted, ErrorReason::QuotaExceeded),
        Error::FailedPrecondition(_) | Error::NeedsRecreation { .. } | Error::DoesNotFit(_) => {
            (Code::FailedPrecondition, ErrorReason::FailedPrecondition)
        }
        Error::File { fault, .. } => (file::code(*fault), ErrorReason::File),
        Error::Unavailable { .. } => (Code::Unavailable, ErrorReason::Unavailable),
        Error::Internal(_) => (Code::Internal, ErrorReason::Internal),
    }
}

/// There is no such call.
pub fn unimplemented(language: Language) -> Status {
    let message = text::unimplemented(language);
    let details = ErrorDetails::new();
    with_reason(Code::Unimplemented, ErrorReason::Unimplemented, message, details, HashMap::new())
}

/// The caller's own deadline passed. It may be tried again, with more time.
pub fn deadline_exceeded(language: Language) -> Status {
    let details = ErrorDetails::with_retry_info(Some(Duration::ZERO));
    let message = text::deadline_exceeded(language);
    with_reason(Code::DeadlineExceeded, ErrorReason::Unavailable, message, details, HashMap::new())
}

fn with_reason(
    code: Code,
    reason: ErrorReason,
    message: &str,
    mut details: ErrorDetails,
    metadata: HashMap<String, String>,
) -> Status {
    let reason = reason.as_str_name().trim_start_matches("ERROR_REASON_");
    details.set_error_info(reason, DOMAIN, metadata);
    Status::with_error_details(code, message, details)
}

fn field_violations(language: Language, violations: &[Violation]) -> Vec<FieldViolation> {
    violations
        .iter()
        .take(VIOLATIONS_MAXIMUM)
        .map(|violation| {
            let description = berth_core::text::problem(language, &violation.problem);
            FieldViolation::new(shorten(&violation.field), description)
        })
        .collect()
}

/// What a caller typed, short and without anything that moves a cursor.
pub(crate) fn shorten(text: &str) -> String {
    let printable = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    match text.char_indices().nth(NAME_MAXIMUM) {
        None => text.chars().map(printable).collect(),
        Some((end, _)) => text[..end].chars().map(printable).chain(['…']).collect(),
    }
}

fn resource_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Container => "berth.v1.Container",
        Kind::Volume => "berth.v1.Volume",
        Kind::Node => "berth.v1.Node",
        Kind::User => "berth.v1.User",
        Kind::Terminal => "berth.v1.Terminal",
        Kind::ShareLink => "berth.v1.ShareLink",
    }
}

fn quota_subject(quota: Quota) -> &'static str {
    match quota {
        Quota::ContainersPerPerson => "containers_per_person",
        Quota::VolumesPerPerson => "volumes_per_person",
        Quota::TerminalsPerContainer => "terminals_per_container",
        Quota::LinksPerContainer => "links_per_container",
    }
}

fn precondition_type(precondition: Precondition) -> &'static str {
    match precondition {
        Precondition::BeingDeleted => "BEING_DELETED",
        Precondition::LeaseEnded => "LEASE_ENDED",
        Precondition::NodeHasContainers => "NODE_HAS_CONTAINERS",
        Precondition::NotRunning => "NOT_RUNNING",
        Precondition::NoSuchCommand => "NO_SUCH_COMMAND",
        Precondition::NothingListens => "NOTHING_LISTENS",
        Precondition::VolumeInUse => "VOLUME_IN_USE",
        Precondition::OverQuota => "OVER_QUOTA",
        Precondition::NoHomes => "NO_HOMES",
        Precondition::AgentTooOld => "AGENT_TOO_OLD",
        Precondition::NoShareLinks => "NO_SHARE_LINKS",
    }
}

#[cfg(test)]
mod tests;
