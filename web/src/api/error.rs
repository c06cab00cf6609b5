//! Why a call gave no answer, in words.

use super::status::{Code, FieldViolation, Status};
use crate::text;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Error {
    /// Nothing came back, or only a part.
    Network,
    /// Something came back that is not gRPC-web.
    Garbled,
    Status(Status),
}

impl Error {
    /// A WebSocket was closed with a gRPC code and a sentence.
    pub(crate) fn closed(code: u32, message: String) -> Self {
        let code = Code::from_number(code);
        Error::Status(Status { code, message, violations: Vec::new(), recreation: Vec::new() })
    }

    pub(crate) fn code(&self) -> Option<Code> {
        match self {
            Error::Network | Error::Garbled => None,
            Error::Status(status) => Some(status.code),
        }
    }

    /// The same call may well succeed in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Error::Network => true,
            Error::Garbled => false,
            Error::Status(status) => status.code == Code::Unavailable,
        }
    }

    pub(crate) fn violations(&self) -> &[FieldViolation] {
        match self {
            Error::Network | Error::Garbled => &[],
            Error::Status(status) => &status.violations,
        }
    }

    /// What takes another container in this one's place.
    pub(crate) fn recreation(&self) -> &[FieldViolation] {
        match self {
            Error::Network | Error::Garbled => &[],
            Error::Status(status) => &status.recreation,
        }
    }

    /// What happened and what to do, for a person.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Error::Network => text::error_network().to_owned(),
            Error::Garbled => text::error_garbled().to_owned(),
            Error::Status(status) if !status.message.is_empty() => status.message.clone(),
            Error::Status(status) => match status.code {
                Code::Unavailable => text::error_network().to_owned(),
                Code::NotFound => text::error_not_found().to_owned(),
                Code::PermissionDenied => text::error_permission().to_owned(),
                Code::Unauthenticated => text::error_signed_out().to_owned(),
                Code::Cancelled
                | Code::Unknown
                | Code::InvalidArgument
                | Code::DeadlineExceeded
                | Code::AlreadyExists
                | Code::ResourceExhausted
                | Code::FailedPrecondition
                | Code::Aborted
                | Code::OutOfRange
                | Code::Unimplemented
                | Code::Internal
                | Code::DataLoss => text::error_internal().to_owned(),
            },
        }
    }
}
