//! Values as columns and back. Only writing is total: what is read may have been damaged, or be of a newer version.

use std::{fmt::Display, str::FromStr};

use berth_app::ports::StoreError;
use berth_core::storage::Posix;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The row being read; says in every error where it happened.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) table: &'static str,
    pub(super) id: &'a str,
}

impl At<'_> {
    pub(super) fn corrupt(self, column: &str, why: impl Display) -> StoreError {
        let Self { table, id } = self;
        StoreError::Corrupt { what: format!("{table} {id}: column {column}: {why}") }
    }

    pub(super) fn parse<T: FromStr<Err: Display>>(
        self,
        column: &str,
        text: &str,
    ) -> Result<T, StoreError> {
        text.parse().map_err(|error| self.corrupt(column, error))
    }

    pub(super) fn json<T: DeserializeOwned>(
        self,
        column: &str,
        text: &str,
    ) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|error| self.corrupt(column, error))
    }

    pub(super) fn word<T: DeserializeOwned>(
        self,
        column: &str,
        text: String,
    ) -> Result<T, StoreError> {
        serde_json::from_value(Value::String(text)).map_err(|error| self.corrupt(column, error))
    }

    pub(super) fn small(self, column: &str, number: i64) -> Result<u32, StoreError> {
        u32::try_from(number).map_err(|error| self.corrupt(column, error))
    }

    pub(super) fn sha256(self, column: &str, text: &str) -> Result<[u8; 32], StoreError> {
        from_hex(text).ok_or_else(|| self.corrupt(column, "not a SHA-256 in hex"))
    }
}

/// The two columns of an account's numbers; both empty, or both full.
pub(super) fn posix(
    at: At<'_>,
    uid: Option<i64>,
    gid: Option<i64>,
) -> Result<Option<Posix>, StoreError> {
    match (uid, gid) {
        (None, None) => Ok(None),
        (Some(uid), Some(gid)) => Posix::new(at.small("uid", uid)?, at.small("gid", gid)?)
            .map(Some)
            .ok_or_else(|| at.corrupt("uid", "not an account's number")),
        (Some(_), None) | (None, Some(_)) => Err(at.corrupt("gid", "one number without the other")),
    }
}

/// A nested structure, as JSON text. Not the database's own JSON type: PostgreSQL's refuses U+0000 and SQLite has none.
pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value)
        .expect("what core derives has text for keys, and then JSON holds it")
}

/// A plain enum, by the name that its JSON form has.
pub(super) fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        other => unreachable!("a plain enum has a word for each variant, not {other:?}"),
    }
}

/// SQL's integers are signed. The bits are kept, so that no number a blade can send stops a commit; those above `i64::MAX`
/// look negative to whoever reads the table.
pub(super) fn bits(number: u64) -> i64 {
    number.cast_signed()
}

pub(super) fn from_bits(number: i64) -> u64 {
    number.cast_unsigned()
}

/// Text that people or programs chose freely. PostgreSQL cannot hold U+0000, and one such name must not stop a commit that
/// carries others' changes: it is written `%00`, and `%` is `%25`.
pub(super) fn free_text(text: &str) -> String {
    text.replace('%', "%25").replace('\0', "%00")
}

pub(super) fn from_free_text(text: &str) -> String {
    text.replace("%00", "\0").replace("%25", "%")
}

pub(super) fn hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_text_comes_back() {
        for text in ["", "%", "%00", "%25", "%2500", "\0", "%\0%25\0", "fe80::1%eth0", "百%"] {
            let written = free_text(text);
            assert!(!written.contains('\0'), "{text:?}");
            assert_eq!(from_free_text(&written), text);
        }
        assert_eq!(free_text("Ada"), "Ada");
    }

    #[test]
    fn hex_has_one_spelling() {
        let bytes = std::array::from_fn(|at| u8::try_from(at * 8).unwrap());
        assert_eq!(from_hex(&hex(&bytes)), Some(bytes));
        assert_eq!(from_hex(&hex(&bytes).to_uppercase()), None);
        assert_eq!(from_hex("00"), None);
        assert_eq!(from_hex(&"é".repeat(32)), None);
    }
}
