//! People's accounts and roles.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    id::{SessionId, UserId},
    storage::Posix,
};

/// An account's name as the directory spells it. It becomes part of host names and labels, so its alphabet is small.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountName(String);

impl AccountName {
    /// 1 to 32 of `a-z 0-9 . _ -`, beginning with a letter or digit.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let first = bytes.next()?;
        let ok = (first.is_ascii_lowercase() || first.is_ascii_digit())
            && text.len() <= 32
            && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
        ok.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In ascending order of what they may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Student,
    Teacher,
    Administrator,
}

/// A person as Berth knows them: made at their first sign-in, from what the directory says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub account: AccountName,
    pub display_name: String,
    pub role: Role,
    /// Never changed: files carry it.
    pub posix: Posix,
    /// May not sign in, and has no sessions.
    pub suspended: bool,
    pub created_at: Timestamp,
}

/// A signed-in browser or program. The token itself is nowhere kept: only its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    pub token_sha256: [u8; 32],
    pub device: String,
    pub address: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Someone in the built-in directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAccount {
    pub account: AccountName,
    pub display_name: String,
    pub role: Role,
    /// `None`: numbers are chosen at the first sign-in.
    pub posix: Option<Posix>,
    /// A PHC string (argon2id).
    pub password_hash: String,
    pub disabled: bool,
}
