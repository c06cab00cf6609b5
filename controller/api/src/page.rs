//! Pages of a list: opaque tokens that say after what the next page begins.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use berth_app::error::Error;
use berth_core::violation::{Problem, Violation};

const DEFAULT: u32 = 50;
const MAXIMUM: u32 = 500;

/// Stable while rows come and go: a page begins after a key, not at a number.
pub(crate) fn cut<T, K: Ord>(
    rows: Vec<T>,
    page_size: u32,
    page_token: &str,
    key: impl Fn(&T) -> K,
    read: impl Fn(&str) -> Option<K>,
    write: impl Fn(&K) -> String,
) -> Result<(Vec<T>, String), Error> {
    let after = match page_token {
        "" => None,
        token => Some(decode(token).and_then(|text| read(&text)).ok_or_else(bad_token)?),
    };
    let size = match page_size {
        0 => DEFAULT,
        size => size.min(MAXIMUM),
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut rest =
        rows.into_iter().skip_while(|row| after.as_ref().is_some_and(|after| key(row) <= *after));
    let page: Vec<T> = rest.by_ref().take(size).collect();
    let next = match (page.last(), rest.next()) {
        (Some(last), Some(_)) => URL_SAFE_NO_PAD.encode(write(&key(last))),
        _ => String::new(),
    };
    Ok((page, next))
}

fn decode(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

fn bad_token() -> Error {
    Error::InvalidArgument { violations: vec![Violation::new("page_token", Problem::PageToken)] }
}
