//! Names of what is not whole yet.

use std::time::Duration;

use berth_core::files::UploadId;

/// What nobody went on with for so long is taken away when its directory is listed.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

const PREFIX: &str = ".berth-";
const SUFFIX: &str = ".part";

pub(crate) fn name(upload: UploadId) -> String {
    format!("{PREFIX}{}{SUFFIX}", upload.0.as_simple())
}

/// Whether it is such a name: with a whole id, so that nobody's own file is taken for one.
pub(crate) fn is_one(name: &[u8]) -> bool {
    let id =
        name.strip_prefix(PREFIX.as_bytes()).and_then(|name| name.strip_suffix(SUFFIX.as_bytes()));
    id.is_some_and(|id| id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn names() {
        assert!(is_one(name(UploadId(Uuid::from_u128(7))).as_bytes()));
        for other in ["", ".berth-.part", ".berth-0.part", ".bashrc", "x.part"] {
            assert!(!is_one(other.as_bytes()), "{other}");
        }
    }
}
