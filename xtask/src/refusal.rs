//! The one sentence at the end of a command that could not go on.

use std::{io::ErrorKind, path::Path};

use anyhow::Error;

use crate::{machine, workspace};

/// With less than this left, what failed without saying why has most likely failed of it.
const FULL: u64 = 32 << 20;

/// A sentence of ours first, then what the machine said; of a full disk only what it kept from being done.
pub(crate) fn sentence(error: &Error) -> String {
    let full = [workspace::root(), Path::new("/var/lib/docker")]
        .into_iter()
        .filter(|disk| disk.exists())
        .find(|disk| machine::free_bytes(disk).is_ok_and(|free| free < FULL));
    explain(error, full)
}

/// `full` is a disk on which nothing is left, if there is one.
fn explain(error: &Error, full: Option<&Path>) -> String {
    let disk = match (full, says_disk_full(error)) {
        (Some(disk), _) => format!("the disk under {}", disk.display()),
        // Some other disk, or one on which there is room again by now.
        (None, true) => "a disk".to_owned(),
        (None, false) => {
            let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
            return chain.join(": ");
        }
    };
    // What failed; the rest says in other words that the disk is full.
    format!("{disk} is full: make room and run this again ({error})")
}

/// Told by the system, or by a program that was told so.
fn says_disk_full(error: &Error) -> bool {
    error.chain().any(|cause| {
        let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) {
            return true;
        }
        let text = cause.to_string().to_lowercase();
        ["no space left on device", "disk quota exceeded", "database or disk is full"]
            .iter()
            .any(|words| text.contains(words))
    })
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn a_full_disk_comes_first() {
        let told = std::io::Error::from(ErrorKind::StorageFull);
        let error = Err::<(), _>(told).context("demo.json cannot be written").unwrap_err();
        let sentence = explain(&error, None);
        assert_eq!(
            sentence,
            "a disk is full: make room and run this again (demo.json cannot be written)"
        );

        for said in [
            "docker import failed (exit status: 1): write /x: no space left on device",
            "cargo build failed: No space left on device (os error 28)",
            "account admin could not be made: database or disk is full",
        ] {
            let sentence = explain(&anyhow!(said), None);
            assert_eq!(sentence, format!("a disk is full: make room and run this again ({said})"));
        }
    }

    #[test]
    fn a_step_that_does_not_say_why_is_explained() {
        let error = anyhow!("cargo build failed (exit status: 101)");
        assert_eq!(
            explain(&error, Some(Path::new("/srv/berth"))),
            "the disk under /srv/berth is full: make room and run this again (cargo build failed (exit status: 101))"
        );
        assert_eq!(explain(&error, None), "cargo build failed (exit status: 101)");
    }

    #[test]
    fn other_causes_follow_the_sentence() {
        let error = anyhow!("nobody answers").context("the console cannot be built");
        assert_eq!(explain(&error, None), "the console cannot be built: nobody answers");
    }
}
