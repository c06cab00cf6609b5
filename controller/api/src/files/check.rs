//! What callers say of files, checked by field.

use berth_app::error::Error;
use berth_core::{
    files::{Archive, Blake3, FilePath, LIST_DEFAULT, LIST_MAXIMUM, Replace, UploadId, Write},
    relay::Moment,
    violation::{Problem, Violation},
};
use berth_proto::{convert::relay::moment_from_wire, v1};

const MODE_MAXIMUM: u32 = 0o7777;

fn wrong(field: &str, problem: Problem) -> Error {
    Error::InvalidArgument { violations: vec![Violation::new(field, problem)] }
}

pub(super) fn path(field: &str, text: &str) -> Result<FilePath, Error> {
    FilePath::parse(text).map_err(|problem| wrong(field, problem))
}

pub(super) fn upload_id(text: &str) -> Result<UploadId, Error> {
    if text.is_empty() {
        return Err(wrong("upload_id", Problem::Missing));
    }
    text.parse().map(UploadId).map_err(|_| wrong("upload_id", Problem::NotAUuid))
}

pub(super) fn limit(limit: u32) -> Result<u32, Error> {
    match limit {
        0 => Ok(LIST_DEFAULT),
        1..=LIST_MAXIMUM => Ok(limit),
        _ => Err(wrong("limit", Problem::TooLarge { maximum: LIST_MAXIMUM.to_string() })),
    }
}

pub(super) fn archive(archive: i32) -> Result<Option<Archive>, Error> {
    match v1::ArchiveFormat::try_from(archive) {
        Ok(v1::ArchiveFormat::Unspecified) => Ok(None),
        Ok(v1::ArchiveFormat::Tar) => Ok(Some(Archive::Tar)),
        Ok(v1::ArchiveFormat::Zip) => Ok(Some(Archive::Zip)),
        Err(_) => Err(wrong("archive", Problem::UnknownValue)),
    }
}

pub(super) fn replace(replace: bool) -> Replace {
    if replace { Replace::Yes } else { Replace::No }
}

pub(super) fn digest(field: &str, digest: &[u8]) -> Result<Blake3, Error> {
    digest.try_into().map(Blake3).map_err(|_| wrong(field, Problem::UnknownValue))
}

/// As 64 hex digits.
pub(super) fn hex_digest(field: &str, text: &str) -> Result<Blake3, Error> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    match bytes {
        Some(bytes) if is_hex => digest(field, &bytes),
        Some(_) | None => Err(wrong(field, Problem::UnknownValue)),
    }
}

/// A container by the name of whoever it belongs to.
pub(super) struct Named {
    pub(super) owner: String,
    pub(super) name: String,
}

pub(super) fn begin(begin: v1::BeginUpload) -> Result<(Named, Write), Error> {
    let write = Write {
        path: path("path", &begin.path)?,
        upload: upload_id(&begin.upload_id)?,
        size: begin.size_bytes,
        mode: mode(begin.mode)?,
        modified: begin.modify_time.as_ref().map(moment_from_wire),
        replace: replace(begin.replace),
    };
    Ok((Named { owner: begin.owner, name: begin.name }, write))
}

pub(super) fn mode(mode: Option<u32>) -> Result<Option<u32>, Error> {
    match mode {
        Some(mode) if mode > MODE_MAXIMUM => {
            Err(wrong("mode", Problem::TooLarge { maximum: format!("0o{MODE_MAXIMUM:o}") }))
        }
        mode => Ok(mode),
    }
}

pub(super) fn milliseconds(since_epoch: i64) -> Moment {
    Moment(since_epoch.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests() {
        let text = "0123456789abcdef".repeat(4);
        assert_eq!(hex_digest("blake3", &text).unwrap().to_string(), text);
        for bad in ["", "ab", &"g".repeat(64), &"+f".repeat(32), &"ab".repeat(33), "日"] {
            assert!(hex_digest("blake3", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fields_are_named() {
        let field = |error: Error| match error {
            Error::InvalidArgument { violations } => violations[0].field.clone(),
            other => panic!("{other}"),
        };
        let good = v1::BeginUpload {
            path: "/a".into(),
            upload_id: "00000000-0000-0000-0000-000000000001".into(),
            ..Default::default()
        };
        assert!(begin(good.clone()).is_ok());
        for (bad, expected) in [
            (v1::BeginUpload { path: "a".into(), ..good.clone() }, "path"),
            (v1::BeginUpload { path: "/../a".into(), ..good.clone() }, "path"),
            (v1::BeginUpload { upload_id: "x".into(), ..good.clone() }, "upload_id"),
            (v1::BeginUpload { upload_id: String::new(), ..good.clone() }, "upload_id"),
            (v1::BeginUpload { mode: Some(0o10000), ..good }, "mode"),
        ] {
            assert_eq!(field(begin(bad).err().unwrap()), expected);
        }
        assert_eq!(field(limit(LIST_MAXIMUM + 1).unwrap_err()), "limit");
        assert_eq!(field(archive(9).unwrap_err()), "archive");
    }
}
