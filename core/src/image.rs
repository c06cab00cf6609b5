//! Image references.
//!
//! The grammar is the one of distribution/reference. It is parsed here, and not by the engine, because what is accepted
//! becomes part of a path on the engine's socket.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::violation::Problem;

/// A checked image reference, kept as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageRef(String);

/// distribution/reference: the name may have 255 characters, a tag 128, and a digest `sha256:` and 64.
const NAME_MAXIMUM: usize = 255;
const TAG_MAXIMUM: usize = 128;

impl ImageRef {
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text.is_empty() {
            return Err(Problem::Missing);
        }
        if text.len() > NAME_MAXIMUM + TAG_MAXIMUM + 73 {
            return Err(Problem::TooLong { maximum: NAME_MAXIMUM + TAG_MAXIMUM + 73 });
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        // A colon after the last slash begins a tag; one before it belongs to the registry's port.
        let last_slash = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match rest[last_slash..].split_once(':') {
            Some((_, tag)) => (&rest[..rest.len() - tag.len() - 1], Some(tag)),
            None => (rest, None),
        };
        if name.len() > NAME_MAXIMUM {
            return Err(Problem::TooLong { maximum: NAME_MAXIMUM });
        }
        let (host, path) = split_host(name);
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(Problem::ImageUppercase);
        }
        let ok = host.is_none_or(is_host)
            && path.split('/').all(is_path_component)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest);
        if ok { Ok(Self(text.to_owned())) } else { Err(Problem::ImageReference) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the engine's pull call takes apart: the name, and the tag or digest ("latest" when neither was typed).
    pub fn name_and_tag(&self) -> (&str, &str) {
        if let Some((name, digest)) = self.0.split_once('@') {
            // A digest decides; a tag beside it is only decoration.
            let last_slash = name.rfind('/').map_or(0, |at| at + 1);
            let name = match name[last_slash..].find(':') {
                Some(colon) => &name[..last_slash + colon],
                None => name,
            };
            return (name, digest);
        }
        let last_slash = self.0.rfind('/').map_or(0, |at| at + 1);
        match self.0[last_slash..].find(':') {
            Some(colon) => (&self.0[..last_slash + colon], &self.0[last_slash + colon + 1..]),
            None => (&self.0, "latest"),
        }
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The part before the first slash is a registry when it could not be a path: it has a dot, a port, or is "localhost".
fn split_host(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => {
            (Some(first), path)
        }
        _ => (None, name),
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.split('.').all(label)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(component: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let edges_ok = bytes.first().copied().is_some_and(alphanumeric)
        && bytes.last().copied().is_some_and(alphanumeric);
    edges_ok
        && component.split(|c: char| c.is_ascii() && alphanumeric(c as u8)).all(|separator| {
            matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-')
        })
}

/// `[\w][\w.-]{0,127}`
fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= TAG_MAXIMUM
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn is_digest(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_as_the_engine_accepts_them() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for good in [
            "busybox",
            "busybox:1.36",
            "library/python:3.13-slim",
            "ghcr.io/owner/app:v1",
            "localhost/app",
            "localhost:5000/app:latest",
            "registry.example.edu:5000/u/alice/app_one__two--three.four",
            &format!("python@{digest}"),
            &format!("python:3.13@{digest}"),
        ] {
            assert!(ImageRef::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn refused() {
        for bad in [
            "",
            "..",
            "../images/busybox",
            "busybox/../../containers",
            "busybox?x=1",
            "busybox#x",
            "busybox/start?name=x",
            "-busybox",
            "busybox:",
            "busybox:-x",
            "busybox@sha256:abc",
            "busybox@md5:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "a//b",
            "/a",
            "a/",
            "host.example:0/app",
            "host.example:99999/app",
            "bad_host.:5000/app",
            "a b",
            "a\n",
            "a\0",
            "ａ",
            "file:///etc/passwd",
            "a___b",
        ] {
            assert!(ImageRef::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(ImageRef::parse("BusyBox"), Err(Problem::ImageUppercase));
        assert!(ImageRef::parse(&"a".repeat(300)).is_err());
    }

    #[test]
    fn taken_apart_for_the_pull() {
        let digest = format!("sha256:{}", "b".repeat(64));
        for (text, expected) in [
            ("busybox", ("busybox", "latest")),
            ("localhost:5000/app", ("localhost:5000/app", "latest")),
            ("localhost:5000/app:v2", ("localhost:5000/app", "v2")),
            (&format!("a/b:v1@{digest}") as &str, ("a/b", &digest as &str)),
        ] {
            assert_eq!(ImageRef::parse(text).unwrap().name_and_tag(), expected);
        }
    }
}
