//! How a call ended: code, message, and the google.rpc details that name the fields at fault.

use base64::{Engine as _, alphabet, engine};
use prost::Message as _;

/// gRPC writes the details with or without padding.
const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent),
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

impl Code {
    pub(super) fn from_number(number: u32) -> Self {
        match number {
            1 => Code::Cancelled,
            3 => Code::InvalidArgument,
            4 => Code::DeadlineExceeded,
            5 => Code::NotFound,
            6 => Code::AlreadyExists,
            7 => Code::PermissionDenied,
            8 => Code::ResourceExhausted,
            9 => Code::FailedPrecondition,
            10 => Code::Aborted,
            11 => Code::OutOfRange,
            12 => Code::Unimplemented,
            13 => Code::Internal,
            14 => Code::Unavailable,
            15 => Code::DataLoss,
            16 => Code::Unauthenticated,
            _ => Code::Unknown,
        }
    }

    /// For an answer that is HTTP and not gRPC, as proxies give; the table is gRPC's own.
    pub(super) fn from_http(status: u16) -> Self {
        match status {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502..=504 => Code::Unavailable,
            _ => Code::Unknown,
        }
    }
}

/// A call that ended, and not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: Code,
    /// In the caller's language; may be empty.
    pub(crate) message: String,
    pub(crate) violations: Vec<FieldViolation>,
    /// What cannot be changed without making the container anew.
    pub(crate) recreation: Vec<FieldViolation>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldViolation {
    pub(crate) field: String,
    pub(crate) description: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Trailers {
    pub(super) code: Option<u32>,
    pub(super) message: String,
    pub(super) details: Vec<u8>,
}

impl Trailers {
    pub(super) fn parse(body: &[u8]) -> Self {
        let mut trailers = Self::default();
        for line in String::from_utf8_lossy(body).lines() {
            if let Some((name, value)) = line.split_once(':') {
                trailers.insert(name.trim(), value.trim());
            }
        }
        trailers
    }

    pub(super) fn insert(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("grpc-status") {
            self.code = value.parse().ok();
        } else if name.eq_ignore_ascii_case("grpc-message") {
            self.message = percent_decode(value);
        } else if name.eq_ignore_ascii_case("grpc-status-details-bin") {
            self.details = BASE64.decode(value).unwrap_or_default();
        }
    }

    pub(super) fn status(&self) -> Result<(), Status> {
        match self.code {
            Some(0) => Ok(()),
            code => Err(Status {
                code: Code::from_number(code.unwrap_or(2)),
                message: self.message.clone(),
                violations: violations(&self.details),
                recreation: recreation(&self.details),
            }),
        }
    }
}

fn percent_decode(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|b| char::from(*b).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair =
            (bytes[at] == b'%').then(|| (digit(bytes.get(at + 1)), digit(bytes.get(at + 2))));
        if let Some((Some(high), Some(low))) = pair {
            decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// google.rpc.Status, as far as it is read here.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// google.rpc.BadRequest
#[derive(Clone, PartialEq, prost::Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    field_violations: Vec<RpcFieldViolation>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RpcFieldViolation {
    #[prost(string, tag = "1")]
    field: String,
    #[prost(string, tag = "2")]
    description: String,
}

/// google.rpc.PreconditionFailure
#[derive(Clone, PartialEq, prost::Message)]
struct PreconditionFailure {
    #[prost(message, repeated, tag = "1")]
    violations: Vec<RpcPrecondition>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RpcPrecondition {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    subject: String,
    #[prost(string, tag = "3")]
    description: String,
}

fn recreation(details: &[u8]) -> Vec<FieldViolation> {
    let Ok(status) = RpcStatus::decode(details) else { return Vec::new() };
    status
        .details
        .iter()
        .filter(|any| any.type_url.ends_with("/google.rpc.PreconditionFailure"))
        .filter_map(|any| PreconditionFailure::decode(any.value.as_slice()).ok())
        .flat_map(|failure| failure.violations)
        .filter(|violation| violation.kind == "NEEDS_RECREATION")
        .map(|v| FieldViolation { field: v.subject, description: v.description })
        .collect()
}

fn violations(details: &[u8]) -> Vec<FieldViolation> {
    let Ok(status) = RpcStatus::decode(details) else { return Vec::new() };
    status
        .details
        .iter()
        .filter(|any| any.type_url.ends_with("/google.rpc.BadRequest"))
        .filter_map(|any| BadRequest::decode(any.value.as_slice()).ok())
        .flat_map(|bad| bad.field_violations)
        .map(|v| FieldViolation { field: v.field, description: v.description })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_decoded() {
        assert_eq!(percent_decode("no%20such%3A 100%"), "no such: 100%");
        assert_eq!(percent_decode("%E5%81%9C%E6%AD%A2%E4%B8%AD"), "停止中");
        assert_eq!(percent_decode("%zz%4"), "%zz%4");
    }

    #[test]
    fn violations_are_found_in_the_details() {
        let bad = BadRequest {
            field_violations: vec![RpcFieldViolation {
                field: "guest_ports[1]".into(),
                description: "is not a port".into(),
            }],
        };
        let status = RpcStatus {
            details: vec![
                prost_types::Any { type_url: "type.googleapis.com/x.Y".into(), value: vec![1] },
                prost_types::Any {
                    type_url: "type.googleapis.com/google.rpc.BadRequest".into(),
                    value: bad.encode_to_vec(),
                },
            ],
        };
        for padded in [true, false] {
            let mut text = BASE64.encode(status.encode_to_vec());
            if !padded {
                text = text.trim_end_matches('=').to_owned();
            }
            let trailers = Trailers::parse(
                format!("Grpc-Status:3\r\ngrpc-message:bad\r\ngrpc-status-details-bin:{text}\r\n")
                    .as_bytes(),
            );
            let status = trailers.status().unwrap_err();
            assert_eq!(status.code, Code::InvalidArgument);
            assert_eq!(status.violations[0].field, "guest_ports[1]");
            assert_eq!(status.violations[0].description, "is not a port");
        }
    }

    #[test]
    fn what_takes_a_recreation_is_found() {
        let violation = |kind: &str, subject: &str| RpcPrecondition {
            kind: kind.into(),
            subject: subject.into(),
            description: String::new(),
        };
        let failure = PreconditionFailure {
            violations: vec![violation("NEEDS_RECREATION", "image"), violation("OTHER", "tty")],
        };
        let status = RpcStatus {
            details: vec![prost_types::Any {
                type_url: "type.googleapis.com/google.rpc.PreconditionFailure".into(),
                value: failure.encode_to_vec(),
            }],
        };
        let found = recreation(&status.encode_to_vec());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].field, "image");
    }

    #[test]
    fn no_status_is_not_success() {
        assert_eq!(Trailers::parse(b"x: y").status().unwrap_err().code, Code::Unknown);
        assert_eq!(Trailers::parse(b"grpc-status: 0\r\n").status(), Ok(()));
    }
}
