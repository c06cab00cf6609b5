use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use berth_core::{
    files::{FileFault, Refused},
    violation::Problem,
};

use super::*;

fn every_error() -> Vec<Error> {
    let violations = vec![
        Violation::new("name", Problem::Missing),
        Violation::new("guest_ports[1]", Problem::PortRange),
    ];
    let mut errors = vec![
        Error::InvalidArgument { violations },
        Error::not_found(Kind::Container, "jupyter"),
        Error::not_found(Kind::Node, "blade-1"),
        Error::not_found(Kind::User, "ann"),
        Error::AlreadyExists { kind: Kind::Container, name: "jupyter".into() },
        Error::Unauthenticated,
        Error::SignInRefused,
        Error::TooManyAttempts { retry_after: Duration::from_secs(60) },
        Error::PermissionDenied,
        Error::QuotaExceeded { subject: Quota::ContainersPerPerson, limit: 5 },
        Error::Unavailable { retry_after: Duration::from_secs(1) },
        Error::File { fault: FileFault::NotFound, subject: "/home/ann/notes".into() },
        Error::File { fault: FileFault::NoSpace, subject: "/data".into() },
        Error::File { fault: FileFault::Refused(Refused::Setuid), subject: "bin/su".into() },
        Error::internal("disk on fire"),
    ];
    errors.extend(
        [
            Precondition::BeingDeleted,
            Precondition::LeaseEnded,
            Precondition::NodeHasContainers,
            Precondition::NotRunning,
        ]
        .map(Error::FailedPrecondition),
    );
    errors
}

fn every_status(language: Language) -> Vec<Status> {
    let mut statuses: Vec<Status> =
        every_error().iter().map(|error| of(language, Uuid::nil(), error)).collect();
    statuses.extend([unimplemented(language), deadline_exceeded(language)]);
    statuses
}

/// The whole mapping, in both languages, for a person to read over.
#[test]
fn the_mapping() {
    let mut page = String::new();
    for (english, japanese) in
        every_status(Language::English).iter().zip(every_status(Language::Japanese))
    {
        let details = english.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.domain, DOMAIN);
        writeln!(page, "{:?} {}", english.code(), info.reason).unwrap();
        for (key, value) in &BTreeMap::from_iter(&info.metadata) {
            writeln!(page, "  {key} {value}").unwrap();
        }
        writeln!(page, "  en {}", english.message()).unwrap();
        writeln!(page, "  ja {}", japanese.message()).unwrap();
        for violation in details.bad_request().into_iter().flat_map(|bad| &bad.field_violations) {
            writeln!(page, "  field {}: {}", violation.field, violation.description).unwrap();
        }
        if let Some(resource) = details.resource_info() {
            writeln!(page, "  resource {} {}", resource.resource_type, resource.resource_name)
                .unwrap();
        }
        for quota in details.quota_failure().into_iter().flat_map(|quota| &quota.violations) {
            writeln!(page, "  quota {}", quota.subject).unwrap();
        }
        for violation in
            details.precondition_failure().into_iter().flat_map(|failure| &failure.violations)
        {
            writeln!(page, "  precondition {}", violation.r#type).unwrap();
        }
        if let Some(retry) = details.retry_info() {
            writeln!(page, "  retry {:?}", retry.retry_delay.unwrap()).unwrap();
        }
        if let Some(request) = details.request_info() {
            writeln!(page, "  request {}", request.request_id).unwrap();
        }
    }
    assert!(!page.contains("disk on fire"), "the cause is for the log alone");
    insta::assert_snapshot!(page);
}

#[test]
fn every_reason_is_used() {
    let used: BTreeSet<String> = every_status(Language::English)
        .iter()
        .map(|status| status.get_error_details().error_info().unwrap().reason.clone())
        .collect();
    let reasons: BTreeSet<String> = (1..100)
        .filter_map(|number| ErrorReason::try_from(number).ok())
        .map(|reason| reason.as_str_name().trim_start_matches("ERROR_REASON_").to_owned())
        .collect();
    assert_eq!(used, reasons);
}

/// Python's gRPC refuses metadata beyond 8 KiB.
#[test]
fn a_status_fits_into_headers() {
    let violations: Vec<Violation> = (0..300)
        .map(|n| {
            Violation::new(format!("environment[{n}{}]", "x".repeat(400)), Problem::EnvironmentKey)
        })
        .collect();
    let errors = [
        Error::InvalidArgument { violations },
        Error::not_found(Kind::Container, "名".repeat(1 << 20)),
    ];
    for error in errors {
        let response = of(Language::Japanese, Uuid::nil(), &error).into_http::<()>();
        let size: usize = response
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 32)
            .sum();
        assert!(size < 8 << 10, "{size} bytes for {error}");
    }
}

#[test]
fn names_are_shown_harmless() {
    assert_eq!(shorten("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    assert_eq!(shorten(&"x".repeat(300)).chars().count(), NAME_MAXIMUM + 1);
}
