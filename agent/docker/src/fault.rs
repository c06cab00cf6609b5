//! What the engine's answers mean. It has few status codes and says the rest in English; the texts here were recorded from
//! engines 20.10 to 28.

use berth_core::fault::FaultKind;
use berth_reconcile::runtime::Error;
use bollard::errors::Error as EngineError;

/// For any call.
pub(crate) fn classify(error: EngineError) -> Error {
    match error {
        EngineError::DockerResponseServerError { status_code, message } => {
            of_response(status_code, &message)
        }
        EngineError::DockerStreamError { error } => of_text(&error),
        EngineError::RequestTimeoutError
        | EngineError::IOError { .. }
        | EngineError::HyperResponseError { .. }
        | EngineError::HyperLegacyError { .. }
        | EngineError::SocketNotFoundError(_) => Error::Unavailable(chain(&error)),
        // What is left is about forming requests and reading answers; bollard's list is long and not ours.
        other => Error::fault(FaultKind::Engine, chain(&other)),
    }
}

/// For the steps of a pull.
pub(crate) fn classify_pull(error: EngineError) -> Error {
    match error {
        EngineError::DockerResponseServerError { message, .. } => of_pull_text(&message),
        EngineError::DockerStreamError { error } => of_pull_text(&error),
        other => classify(other),
    }
}

pub(crate) fn of_response(status: u16, message: &str) -> Error {
    let lower = message.to_lowercase();
    if status == 404 {
        // "No such image" before "no such container": the message of a missing image may carry any text in its name.
        if lower.starts_with("no such image") || lower.contains("no such image:") {
            return Error::ImageMissing;
        }
        if lower.contains("no such container") {
            return Error::NoSuchContainer;
        }
        if lower.contains("network") && lower.contains("not found") {
            return Error::NetworkMissing;
        }
    }
    // 20.10 answers 400 or 403 here, newer ones 404.
    if lower.contains("could not find a network matching")
        || (lower.starts_with("network ") && lower.ends_with(" not found"))
    {
        return Error::NetworkMissing;
    }
    of_text(message)
}

fn of_text(message: &str) -> Error {
    Error::fault(kind_of(message), trimmed(message))
}

fn kind_of(message: &str) -> FaultKind {
    let lower = message.to_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
    if has(&["port is already allocated", "address already in use"]) {
        return match port_of(message) {
            Some(port) => FaultKind::PortInUse { port },
            None => FaultKind::Network,
        };
    }
    if has(&["no space left on device", "disk quota exceeded"]) {
        return FaultKind::NoSpace;
    }
    if has(&[
        "could not select device driver",
        "unresolvable cdi devices",
        "cdi device injection failed",
        "nvidia-container-cli",
        "nvidia-container-runtime-hook",
        "unknown or invalid runtime name: nvidia",
    ]) {
        return FaultKind::NoGpuRuntime;
    }
    if has(&[
        "executable file not found",
        "no such file or directory",
        "permission denied",
        "is a directory",
        "exec format error",
    ]) && has(&["oci runtime", "exec:", "starting container process", "container init"])
    {
        return FaultKind::CommandNotFound;
    }
    if has(&["no command specified"]) {
        return FaultKind::CommandNotFound;
    }
    if has(&[
        "networking",
        "external connectivity",
        "failed to create endpoint",
        "no available ipv4 addresses",
        "endpoint with name",
    ]) {
        return FaultKind::Network;
    }
    FaultKind::Engine
}

fn of_pull_text(message: &str) -> Error {
    let lower = message.to_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
    let kind = if has(&["no space left on device", "disk quota exceeded"]) {
        FaultKind::NoSpace
    } else if has(&[
        "pull access denied",
        "requested access to the resource is denied",
        "insufficient_scope",
        "manifest unknown",
        "manifest for ",
        "name unknown",
        "repository does not exist",
        "repository name not known",
        "invalid reference",
        "no matching manifest",
        "no such image",
        "unsupported media type",
        "unauthorized",
    ]) {
        FaultKind::ImageNotFound
    } else if has(&[
        "connection refused",
        "connection reset",
        "no such host",
        "server misbehaving",
        "temporary failure in name resolution",
        "i/o timeout",
        "timeout exceeded",
        "deadline exceeded",
        "tls handshake",
        "x509",
        "certificate",
        "server gave http response to https client",
        "network is unreachable",
        "no route to host",
        "unexpected eof",
        "eof",
        "toomanyrequests",
        "503",
        "502",
        "request canceled",
        "proxyconnect",
    ]) {
        FaultKind::RegistryUnreachable
    } else {
        FaultKind::Engine
    };
    Error::fault(kind, trimmed(message))
}

/// The host port that a start failed on.
fn port_of(message: &str) -> Option<u16> {
    const BEFORE_ADDRESS: [&str; 6] = [
        "Bind for ",
        "listen tcp4 ",
        "listen tcp6 ",
        "listen tcp ",
        "failed to bind host port for ",
        "failed to bind host port ",
    ];
    BEFORE_ADDRESS.iter().find_map(|prefix| {
        let rest = &message[message.find(prefix)? + prefix.len()..];
        let after_address = if let Some(v6) = rest.strip_prefix('[') {
            v6.split_once("]:")?.1
        } else if let Some(any_v6) = rest.strip_prefix(":::") {
            any_v6
        } else {
            rest.split_once(':')?.1
        };
        let digits = after_address.bytes().take_while(u8::is_ascii_digit).count();
        after_address[..digits].parse().ok()
    })
}

/// Some messages carry the whole output of a hook; a report is not the place for it.
fn trimmed(message: &str) -> String {
    const MAXIMUM: usize = 512;
    let message = message.trim();
    match message.char_indices().nth(MAXIMUM) {
        None => message.to_owned(),
        Some((at, _)) => format!("{}…", &message[..at]),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        let next_text = next.to_string();
        if !text.ends_with(&next_text) {
            text = format!("{text}: {next_text}");
        }
        source = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, message: &str) -> Option<FaultKind> {
        match of_response(status, message) {
            Error::Fault { kind, .. } => Some(kind),
            Error::ImageMissing
            | Error::NetworkMissing
            | Error::NoSuchContainer
            | Error::Unavailable(_) => None,
        }
    }

    #[test]
    fn ports_in_use() {
        let recorded = [
            // 20.10
            "driver failed programming external connectivity on endpoint berth-x.1 (8a7d): Bind for 0.0.0.0:20001 failed: port is already allocated",
            "driver failed programming external connectivity on endpoint berth-x.1 (8a7d): Error starting userland proxy: listen tcp4 0.0.0.0:20001: bind: address already in use",
            "driver failed programming external connectivity on endpoint x (8a7d): Error starting userland proxy: listen tcp6 [::]:20001: bind: address already in use",
            // 26 to 28
            "driver failed programming external connectivity on endpoint x (8a7d): failed to bind port 0.0.0.0:20001/tcp: Error starting userland proxy: listen tcp4 0.0.0.0:20001: bind: address already in use",
            "failed to set up container networking: driver failed programming external connectivity on endpoint x (8a7d): failed to bind host port for 0.0.0.0:20001:172.18.0.2:80/tcp: address already in use",
            "failed to set up container networking: driver failed programming external connectivity on endpoint x (8a7d): failed to bind host port 0.0.0.0:20001/tcp: address already in use",
            "failed to set up container networking: driver failed programming external connectivity on endpoint x (8a7d): Bind for :::20001 failed: port is already allocated",
            "failed to set up container networking: driver failed programming external connectivity on endpoint x (8a7d): Bind for [::1]:20001 failed: port is already allocated",
        ];
        for message in recorded {
            assert_eq!(kind(500, message), Some(FaultKind::PortInUse { port: 20001 }), "{message}");
        }
    }

    #[test]
    fn other_starts() {
        for (message, expected) in [
            (
                "OCI runtime create failed: container_linux.go:380: starting container process caused: exec: \"nothing\": executable file not found in $PATH: unknown",
                FaultKind::CommandNotFound,
            ),
            (
                "failed to create shim: OCI runtime create failed: runc create failed: unable to start container process: exec: \"/nothing\": stat /nothing: no such file or directory: unknown",
                FaultKind::CommandNotFound,
            ),
            (
                "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"/etc\": is a directory: permission denied",
                FaultKind::CommandNotFound,
            ),
            ("No command specified", FaultKind::CommandNotFound),
            (
                "could not select device driver \"\" with capabilities: [[gpu]]",
                FaultKind::NoGpuRuntime,
            ),
            (
                "could not select device driver \"cdi\" with capabilities: []",
                FaultKind::NoGpuRuntime,
            ),
            (
                "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=GPU-1",
                FaultKind::NoGpuRuntime,
            ),
            ("mkdir /var/lib/docker/overlay2/abc: no space left on device", FaultKind::NoSpace),
            (
                "failed to create endpoint x on network y: adding interface veth1 to bridge berth-1 failed: could not find bridge berth-1: route ip+net: no such network interface",
                FaultKind::Network,
            ),
            ("something else", FaultKind::Engine),
        ] {
            assert_eq!(kind(500, message), Some(expected), "{message}");
        }
    }

    #[test]
    fn missing_things() {
        assert_eq!(of_response(404, "No such image: busybox:latest"), Error::ImageMissing);
        assert_eq!(of_response(404, "No such container: 8a7d"), Error::NoSuchContainer);
        assert_eq!(of_response(404, "network berth-u-1 not found"), Error::NetworkMissing);
        assert_eq!(
            of_response(404, "failed to set up container networking: network berth-u-1 not found"),
            Error::NetworkMissing
        );
        assert_eq!(
            of_response(
                409,
                "could not find a network matching network mode x: network x not found"
            ),
            Error::NetworkMissing
        );
    }

    #[test]
    fn pulls() {
        for (message, expected) in [
            (
                "pull access denied for nothing, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                FaultKind::ImageNotFound,
            ),
            (
                "manifest for busybox:nothing not found: manifest unknown: manifest unknown",
                FaultKind::ImageNotFound,
            ),
            (
                "no matching manifest for linux/amd64 in the manifest list entries",
                FaultKind::ImageNotFound,
            ),
            (
                "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io on 192.0.2.1:53: no such host",
                FaultKind::RegistryUnreachable,
            ),
            (
                "Get \"https://localhost:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
                FaultKind::RegistryUnreachable,
            ),
            (
                "Get \"https://r.example/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
                FaultKind::RegistryUnreachable,
            ),
            (
                "Get \"https://r.example/v2/\": x509: certificate signed by unknown authority",
                FaultKind::RegistryUnreachable,
            ),
            (
                "toomanyrequests: You have reached your pull rate limit.",
                FaultKind::RegistryUnreachable,
            ),
            (
                "failed to register layer: Error processing tar file(exit status 1): write /x: no space left on device",
                FaultKind::NoSpace,
            ),
        ] {
            assert_eq!(of_pull_text(message).to_fault().kind, expected, "{message}");
        }
    }

    #[test]
    fn long_messages_are_cut() {
        let Error::Fault { detail, .. } = of_text(&"ä".repeat(5000)) else { panic!() };
        assert_eq!(detail.chars().count(), 513);
    }
}
