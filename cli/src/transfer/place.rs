//! Where something is: on this machine, or in a container.

use std::{path::PathBuf, str::FromStr};

/// `NAME:PATH` is in a container, `HOME:PATH` in the home. A local path with a colon is written with a slash before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Here(PathBuf),
    There { name: String, path: String },
}

impl FromStr for Place {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let here = || Self::Here(PathBuf::from(text));
        let Some((name, path)) = text.split_once(':') else { return Ok(here()) };
        let is_drive = cfg!(windows) && name.len() == 1;
        if name.is_empty() || name.contains(['/', '\\', '.']) || is_drive {
            return Ok(here());
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self::There { name: name.to_owned(), path: format!("{slash}{path}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let there = |name: &str, path: &str| Place::There { name: name.into(), path: path.into() };
        for (text, place) in [
            ("box:/srv/a", there("box", "/srv/a")),
            ("box:a", there("box", "/a")),
            ("box:", there("box", "/")),
            ("HOME:thesis", there("HOME", "/thesis")),
            ("box:/a:b", there("box", "/a:b")),
            ("a", Place::Here("a".into())),
            ("./a:b", Place::Here("./a:b".into())),
            ("/a:b", Place::Here("/a:b".into())),
            (":a", Place::Here(":a".into())),
        ] {
            assert_eq!(text.parse(), Ok(place), "{text}");
        }
    }
}
