//! Cookies: our own, which containers never see, and containers', which reach no other host. Pure.

use axum::http::{HeaderMap, HeaderValue, header};

/// Whoever came in by the console.
pub(crate) const SESSION: &str = "__Host-berth-app";
/// Whoever came in by a link.
pub(crate) const LINK: &str = "__Host-berth-link";
/// The browser that was sent to the console, to be known again when it comes back.
pub(crate) const STATE: &str = "__Host-berth-state";

/// More than one of a name is a page's doing; there is no need to try them all.
const TRIED: usize = 8;

/// What browsers guard no better than any other, and what they do: names of ours in any spelling.
fn is_ours(name: &[u8]) -> bool {
    let starts = |prefix: &[u8]| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    starts(b"__host-berth") || starts(b"__secure-berth")
}

/// The values of a cookie.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(of, _)| *of == name)
        .map(|(_, value)| value)
        .take(TRIED)
        .collect()
}

/// Leaves a request only the container's own cookies, in one header.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let mut kept: Vec<u8> = Vec::new();
    for value in headers.get_all(header::COOKIE) {
        for pair in value.as_bytes().split(|byte| *byte == b';') {
            let pair = pair.trim_ascii();
            // A cookie without a name is sent as its value alone, which may look like a name.
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
            if pair.is_empty() || is_ours(name) {
                continue;
            }
            if !kept.is_empty() {
                kept.extend(b"; ");
            }
            kept.extend(pair);
        }
    }
    headers.remove(header::COOKIE);
    if let (false, Ok(value)) = (kept.is_empty(), HeaderValue::from_bytes(&kept)) {
        headers.insert(header::COOKIE, value);
    }
}

/// A container's `Set-Cookie` without what would carry it to other hosts; `None` for one that it may not set.
pub(crate) fn confined(value: &HeaderValue) -> Option<HeaderValue> {
    let mut parts = value.as_bytes().split(|byte| *byte == b';');
    let pair = parts.next()?.trim_ascii();
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    let name = pair[..equals].trim_ascii();
    // One without a name comes back as its value alone, and could then be taken for another.
    if name.is_empty() || is_ours(name) {
        return None;
    }
    let mut kept = pair.to_vec();
    for attribute in parts {
        let name = attribute.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        if !name.eq_ignore_ascii_case(b"domain") {
            kept.push(b';');
            kept.extend(attribute);
        }
    }
    HeaderValue::from_bytes(&kept).ok()
}

/// One of ours.
pub(crate) fn set(name: &str, value: &str, seconds: u64) -> String {
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}")
}

pub(crate) fn clear(name: &str) -> String {
    set(name, "", 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, cookie.parse().unwrap());
        }
        headers
    }

    fn stripped(cookies: &[&str]) -> Option<String> {
        let mut headers = sent(cookies);
        strip(&mut headers);
        assert!(headers.get_all(header::COOKIE).iter().count() <= 1);
        headers.get(header::COOKIE).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn ours_are_found() {
        let headers = sent(&["a=1; __Host-berth-app=x; b=2", "__Host-berth-app=y"]);
        assert_eq!(find(&headers, SESSION), ["x", "y"]);
        assert!(find(&headers, LINK).is_empty());
        let many = vec!["__Host-berth-app=z"; 50];
        assert_eq!(find(&sent(&many), SESSION).len(), TRIED);
    }

    #[test]
    fn ours_never_reach_a_container() {
        assert_eq!(
            stripped(&["_xsrf=2|a; __Host-berth-app=x; b=2"]),
            Some("_xsrf=2|a; b=2".into())
        );
        assert_eq!(stripped(&["a=1", "b=2"]), Some("a=1; b=2".into()));
        for ours in [
            "__Host-berth-app=x",
            "__Host-berth=x",
            "__Host-berth-link=x; __Host-berth-state=y",
            "__hOST-Berth-app=x",
            "__Secure-berth=x",
            " __Host-berth-app =x",
            "__Host-berth-app",
            ";;  ; ",
        ] {
            assert_eq!(stripped(&[ours]), None, "{ours}");
        }
    }

    #[test]
    fn containers_cookies_stay_with_them() {
        let confined = |text: &str| {
            super::confined(&text.parse().unwrap()).map(|value| value.to_str().unwrap().to_owned())
        };
        let same =
            "_xsrf=2|a|b; Path=/; Secure; SameSite=Lax; Expires=Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(confined(same), Some(same.into()));
        for (said, kept) in [
            ("a=1; Domain=example.ac.jp; Path=/", "a=1; Path=/"),
            ("a=1;DOMAIN = .example.ac.jp;Domain=x", "a=1"),
            ("a=1; domain", "a=1"),
            ("a=Domain=x; HttpOnly", "a=Domain=x; HttpOnly"),
        ] {
            assert_eq!(confined(said), Some(kept.into()), "{said}");
        }
        for refused in [
            "__Host-berth-app=x; Secure; Path=/",
            "__Host-berth=x",
            "__host-BERTH-link=x",
            "__Secure-berth=x",
            "=__Host-berth-app=x; Secure; Path=/",
            "__Host-berth-app",
            "",
            "; Path=/",
        ] {
            assert_eq!(confined(refused), None, "{refused}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent(text in "[ -~]{0,60}|(__[hH]ost-berth[a-z-]{0,5}|[a-z]{1,3}| |;|=){0,12}") {
            if let Some(left) = stripped(&[&text]) {
                for pair in left.split(';') {
                    prop_assert!(!pair.trim().to_lowercase().starts_with("__host-berth"));
                }
            }
            if let Ok(value) = text.parse()
                && let Some(value) = confined(&value)
            {
                let text = value.to_str().unwrap().to_lowercase();
                prop_assert!(!text.trim().starts_with("__host-berth"));
                prop_assert!(text.split(';').skip(1).all(|a| !a.trim().starts_with("domain=")));
            }
        }
    }
}
