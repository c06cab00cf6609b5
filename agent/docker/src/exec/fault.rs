//! What the engine's answers about execs mean.

use berth_core::fault::FaultKind;
use bollard::errors::Error as EngineError;

use super::Error;

pub(crate) fn classify(error: EngineError) -> Error {
    use berth_reconcile::runtime::Error as Known;
    if let EngineError::DockerResponseServerError { status_code, message } = &error {
        return of_response(*status_code, message);
    }
    match crate::fault::classify(error) {
        Known::Unavailable(detail) => Error::Unavailable(detail),
        Known::NoSuchContainer => Error::NoSuchContainer,
        other @ (Known::ImageMissing | Known::NetworkMissing | Known::Fault { .. }) => {
            Error::Engine(other.to_fault().detail)
        }
    }
}

pub(crate) fn of_response(status: u16, message: &str) -> Error {
    let lower = message.to_lowercase();
    match status {
        404 if lower.contains("no such exec") => Error::NoSuchExec,
        404 if lower.contains("no such container") => Error::NoSuchContainer,
        // "is paused" as well: nothing can be run in it, and the engine's sentence says why.
        409 if lower.contains("is not running") || lower.contains("is paused") => Error::NotRunning,
        _ => Error::Engine(message.trim().to_owned()),
    }
}

/// Of a program that never came to life: the engine prints the reason where the program's output was to be.
pub(crate) fn of_start(text: &str) -> Error {
    let lower = text.to_lowercase();
    if lower.contains("is not running") || lower.contains("container not running") {
        return Error::NotRunning;
    }
    // A working directory that is missing has the words of a missing program.
    let of_directory = lower.contains("chdir to cwd");
    match crate::fault::of_response(500, text) {
        berth_reconcile::runtime::Error::Fault { kind: FaultKind::CommandNotFound, detail }
            if !of_directory =>
        {
            Error::CommandNotFound(detail)
        }
        other => Error::Engine(other.to_fault().detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        assert!(matches!(
            of_response(404, "{\"message\":\"No such exec instance: 12\"}"),
            Error::NoSuchExec
        ));
        assert!(matches!(of_response(404, "No such container: 12"), Error::NoSuchContainer));
        assert!(matches!(of_response(409, "Container 12 is not running"), Error::NotRunning));
        assert!(matches!(
            of_response(409, "Container 12 is paused, unpause the container before exec"),
            Error::NotRunning
        ));
        assert!(matches!(of_response(500, "no such container"), Error::Engine(_)));
    }

    #[test]
    fn programs_that_never_ran() {
        for text in [
            "OCI runtime exec failed: exec failed: unable to start container process: exec: \"/nope\": stat /nope: no such file or directory: unknown\r\n",
            "OCI runtime exec failed: exec failed: unable to start container process: exec: \"/etc\": permission denied: unknown",
            "OCI runtime exec failed: exec failed: unable to start container process: exec: \"nope\": executable file not found in $PATH: unknown",
        ] {
            assert!(matches!(of_start(text), Error::CommandNotFound(_)), "{text}");
        }
        for text in [
            "OCI runtime exec failed: exec failed: unable to start container process: chdir to cwd (\"/nowhere\") set in config.json failed: no such file or directory: unknown",
            "unable to find user nosuch: no matching entries in passwd file",
            "",
        ] {
            assert!(matches!(of_start(text), Error::Engine(_)), "{text}");
        }
    }
}
