//! Whether a page of somewhere else is behind a request: one container's page must not drive another's. Pure.
//!
//! All hosts for applications are one site to a browser, so a cookie's `SameSite` keeps none of them from the others.

use axum::http::{HeaderMap, Method, Version, header};
use berth_core::app_host::{AppLabel, below};

/// What a request came to.
pub(crate) struct Here<'a> {
    pub(crate) label: &'a AppLabel,
    /// As it was sent.
    pub(crate) authority: &'a str,
    pub(crate) domain: &'a str,
}

/// Only HTTP/1.1 upgrades: browsers take it for WebSockets where HTTP/2 does not offer them.
pub(crate) fn is_websocket(method: &Method, version: Version, headers: &HeaderMap) -> bool {
    let upgrade = headers.get_all(header::UPGRADE).iter().collect::<Vec<_>>();
    method == Method::GET
        && version == Version::HTTP_11
        && matches!(upgrade.as_slice(), [one] if one.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
}

/// A person goes to a page: a link, an address that is typed.
pub(crate) fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    if method != Method::GET && method != Method::HEAD {
        return false;
    }
    match one(headers, "sec-fetch-mode") {
        Said::Word(mode) => mode == "navigate",
        // A browser from before these headers, or none at all.
        Said::Nothing => headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html")),
        Said::Nonsense => false,
    }
}

pub(crate) fn is_foreign(
    here: &Here<'_>,
    method: &Method,
    headers: &HeaderMap,
    is_websocket: bool,
) -> bool {
    let origin = match one(headers, header::ORIGIN.as_str()) {
        Said::Word(origin) => Some(is_own(here, origin)),
        Said::Nothing => None,
        Said::Nonsense => return true,
    };
    if is_websocket {
        // Browsers always say from where; what says nothing is none, and holds a cookie of its own.
        return origin == Some(false);
    }
    match one(headers, "sec-fetch-site") {
        Said::Word("same-origin" | "none") => false,
        Said::Word(_) => !(goes_there(method, headers) || origin == Some(true)),
        Said::Nothing => origin == Some(false),
        Said::Nonsense => true,
    }
}

/// Somebody follows a link: the whole window goes there, and nothing is sent along. A frame would let the page around it
/// place clicks.
fn goes_there(method: &Method, headers: &HeaderMap) -> bool {
    (method == Method::GET || method == Method::HEAD)
        && one(headers, "sec-fetch-mode") == Said::Word("navigate")
        && one(headers, "sec-fetch-dest") == Said::Word("document")
}

/// The very host, or another port of the same container: that is the same person's program.
fn is_own(here: &Here<'_>, origin: &str) -> bool {
    let Some(authority) = origin.strip_prefix("https://") else { return false };
    if authority.eq_ignore_ascii_case(here.authority) {
        return true;
    }
    let port = |authority: &str| authority.rsplit_once(':').map(|(_, port)| port.to_owned());
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    port(authority) == port(here.authority)
        && below(host, here.domain)
            .and_then(AppLabel::parse)
            .is_some_and(|label| label.key == here.label.key)
}

#[derive(Debug, PartialEq, Eq)]
enum Said<'a> {
    Nothing,
    Word(&'a str),
    /// Twice, or not text.
    Nonsense,
}

fn one<'a>(headers: &'a HeaderMap, name: &str) -> Said<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(|value| value.to_str()), values.next()) {
        (None, _) => Said::Nothing,
        (Some(Ok(word)), None) => Said::Word(word),
        (Some(Ok(_)), Some(_)) | (Some(Err(_)), _) => Said::Nonsense,
    }
}

#[cfg(test)]
mod tests {
    use berth_core::{container::ContainerName, id::UserId};
    use uuid::Uuid;

    use super::*;

    const DOMAIN: &str = "apps.example.ac.jp";

    fn label(port: u16, owner: u128) -> AppLabel {
        let name = ContainerName::parse("web").unwrap();
        AppLabel::of(port, UserId::new(Uuid::from_u128(owner)), &name)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn foreign(method: Method, pairs: &[(&'static str, &str)], is_websocket: bool) -> bool {
        let label = label(80, 1);
        let authority = format!("{label}.{DOMAIN}:8443");
        let here = Here { label: &label, authority: &authority, domain: DOMAIN };
        is_foreign(&here, &method, &headers(pairs), is_websocket)
    }

    fn origin(label: &AppLabel) -> String {
        format!("https://{label}.{DOMAIN}:8443")
    }

    #[test]
    fn pages_of_its_own() {
        let (own, sibling) = (origin(&label(80, 1)), origin(&label(3000, 1)));
        for pairs in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
            &[("sec-fetch-site", "same-site"), ("origin", &sibling)],
            &[("origin", &own)],
            &[],
        ] {
            assert!(!foreign(Method::POST, pairs, false), "{pairs:?}");
        }
        for pairs in [&[("origin", &*own)][..], &[("origin", &sibling)], &[]] {
            assert!(!foreign(Method::GET, pairs, true), "{pairs:?}");
        }
    }

    #[test]
    fn links_are_followed() {
        let follow = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert!(!foreign(Method::GET, &follow, false));
        assert!(foreign(Method::POST, &follow, false), "a form of another site");
        for frame in ["iframe", "frame", "embed", "object", "empty", ""] {
            let mut framed = follow;
            framed[2].1 = frame;
            assert!(foreign(Method::GET, &framed, false), "{frame}");
        }
        assert!(foreign(Method::GET, &follow[..2], false));
    }

    #[test]
    fn pages_of_others() {
        let other = origin(&label(80, 2));
        for site in ["same-site", "cross-site", "something-new"] {
            for mode in ["cors", "no-cors", "websocket", "same-origin"] {
                let pairs = [("sec-fetch-site", site), ("sec-fetch-mode", mode)];
                assert!(foreign(Method::GET, &pairs, false), "{pairs:?}");
                let with_origin = [pairs[0], pairs[1], ("origin", &other)];
                assert!(foreign(Method::POST, &with_origin, false), "{pairs:?}");
            }
        }
        let own = origin(&label(80, 1));
        for origin in [
            other.as_str(),
            "null",
            "",
            "https://berth.example.ac.jp",
            &own.replace("https", "http"),
            &own.replace(":8443", ":8444"),
            &own.replace(":8443", ""),
            &format!("{own}.evil.example"),
            &format!("{own}@evil.example"),
        ] {
            assert!(foreign(Method::GET, &[("origin", origin)], true), "{origin}");
            assert!(foreign(Method::GET, &[("origin", origin)], false), "{origin}");
        }
        let twice = [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-site")];
        assert!(foreign(Method::GET, &twice, false));
        assert!(foreign(Method::GET, &[("origin", &*own), ("origin", &*other)], true));
    }

    #[test]
    fn websockets_and_navigations() {
        let good = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")]);
        assert!(is_websocket(&Method::GET, Version::HTTP_11, &good));
        assert!(!is_websocket(&Method::POST, Version::HTTP_11, &good));
        assert!(!is_websocket(&Method::GET, Version::HTTP_2, &good));
        for bad in [
            &[("connection", "upgrade"), ("upgrade", "h2c")][..],
            &[("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c")],
            &[("connection", "upgrade"), ("upgrade", "websocket, h2c")],
            &[("upgrade", "websocket")],
            &[("connection", "upgrade")],
        ] {
            assert!(!is_websocket(&Method::GET, Version::HTTP_11, &headers(bad)), "{bad:?}");
        }
        let html = headers(&[("accept", "text/html,*/*")]);
        assert!(is_navigation(&Method::GET, &html));
        assert!(!is_navigation(&Method::POST, &html));
        assert!(is_navigation(&Method::GET, &headers(&[("sec-fetch-mode", "navigate")])));
        let script = headers(&[("sec-fetch-mode", "cors"), ("accept", "text/html")]);
        assert!(!is_navigation(&Method::GET, &script));
        assert!(!is_navigation(&Method::GET, &headers(&[("accept", "*/*")])));
    }
}
