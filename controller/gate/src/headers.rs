//! What of a message's headers goes on to the other side. Pure.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::cookies;

/// Of one connection, and nobody else's (RFC 9110, 7.6.1).
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Said here, or by nobody: who stands outside must not tell a container where a request came from.
const FROM_OUTSIDE: &[&str] = &[
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "client-ip",
    "cf-connecting-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-original-host",
    // Answered here already.
    "expect",
];
const PREFIXES_FROM_OUTSIDE: &[&str] = &["x-forwarded-", "x-berth-"];

/// Reach beyond the host that says them.
const BEYOND: &[&str] = &[
    // Clears the cookies of the whole site, with the console's among them.
    "clear-site-data",
    // Leads browsers to another server under this name.
    "alt-svc",
];

/// Whether what follows may be an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Passing {
    Message,
    WebSocket,
}

/// Makes a browser's headers a container's.
pub(crate) fn to_container(
    headers: &mut HeaderMap,
    authority: &str,
    peer: IpAddr,
    passing: Passing,
) {
    drop_hop_by_hop(headers);
    FROM_OUTSIDE.iter().for_each(|name| drop(headers.remove(*name)));
    let outside: Vec<HeaderName> = headers
        .keys()
        .filter(|name| PREFIXES_FROM_OUTSIDE.iter().any(|p| name.as_str().starts_with(p)))
        .cloned()
        .collect();
    outside.iter().for_each(|name| drop(headers.remove(name)));
    cookies::strip(headers);
    drop_own_secrets(headers);
    headers.remove(header::HOST);
    let host = authority.to_ascii_lowercase();
    let bracketed = match peer {
        IpAddr::V4(peer) => peer.to_string(),
        IpAddr::V6(peer) => format!("\"[{peer}]\""),
    };
    put(headers, "host", &host);
    put(headers, "x-forwarded-for", &peer.to_string());
    put(headers, "x-forwarded-proto", "https");
    put(headers, "x-forwarded-host", &host);
    put(headers, "forwarded", &format!("for={bracketed};host=\"{host}\";proto=https"));
    upgrade(headers, passing);
}

/// Makes a container's headers a browser's.
pub(crate) fn to_browser(headers: &mut HeaderMap, passing: Passing) {
    drop_hop_by_hop(headers);
    BEYOND.iter().for_each(|name| drop(headers.remove(*name)));
    let cookies: Vec<HeaderValue> =
        headers.get_all(header::SET_COOKIE).iter().filter_map(cookies::confined).collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    // Or two containers' pages could agree to be of one origin (`document.domain`).
    put(headers, "origin-agent-cluster", "?1");
    upgrade(headers, passing);
}

fn upgrade(headers: &mut HeaderMap, passing: Passing) {
    if passing == Passing::WebSocket {
        put(headers, "connection", "upgrade");
        put(headers, "upgrade", "websocket");
    }
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    // Of two lengths the chunks' is the true one; the other must not be believed behind us.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    named.iter().for_each(|name| drop(headers.remove(name)));
    HOP_BY_HOP.iter().for_each(|name| drop(headers.remove(*name)));
}

/// A token of the console's that a program sends to the wrong host, and the address of a page with a link's token in it.
fn drop_own_secrets(headers: &mut HeaderMap) {
    let is_token = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split_once(' ').is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("bearer") && token.trim_start().starts_with("berth_")
        })
    };
    if headers.get_all(header::AUTHORIZATION).iter().any(is_token) {
        headers.remove(header::AUTHORIZATION);
    }
    let of_ours = |value: &HeaderValue| {
        value.as_bytes().windows(OWN_PATH.len()).any(|part| part == OWN_PATH.as_bytes())
    };
    if headers.get_all(header::REFERER).iter().any(of_ours) {
        headers.remove(header::REFERER);
    }
}

/// Every host has it, and no container answers there.
pub(crate) const OWN_PATH: &str = "/.berth/";

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Made of a host that was read as one, of addresses and of constants.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn sent(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn listed(headers: &HeaderMap) -> Vec<String> {
        let mut all: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn what_a_container_is_told() {
        let mut headers = sent(&[
            ("host", "X.apps.example:8443"),
            ("connection", "keep-alive, X-Secret, cookie2"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-user", "root"),
            ("x-forwarded-prefix", "/evil"),
            ("forwarded", "for=10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
            ("x-berth-user", "root"),
            ("cookie", "a=1; __Host-berth-app=secret"),
            ("authorization", "Bearer berth_s_secret"),
            ("referer", "https://x.apps.example/.berth/link/secret"),
            ("accept", "*/*"),
        ]);
        to_container(&mut headers, "X.apps.example:8443", PEER, Passing::Message);
        assert_eq!(
            listed(&headers),
            [
                "accept: */*",
                "cookie: a=1",
                "forwarded: for=192.0.2.7;host=\"x.apps.example:8443\";proto=https",
                "host: x.apps.example:8443",
                "x-forwarded-for: 192.0.2.7",
                "x-forwarded-host: x.apps.example:8443",
                "x-forwarded-proto: https",
            ]
        );
    }

    #[test]
    fn a_body_has_one_length() {
        let mut both = sent(&[("transfer-encoding", "chunked"), ("content-length", "5")]);
        let mut one = sent(&[("content-length", "5"), ("connection", "close")]);
        to_container(&mut both, "x.apps.example", PEER, Passing::Message);
        to_container(&mut one, "x.apps.example", PEER, Passing::Message);
        assert!(!both.contains_key("content-length") && !both.contains_key("transfer-encoding"));
        assert_eq!(one["content-length"], "5");
    }

    #[test]
    fn its_own_tokens_reach_it() {
        let mut headers = sent(&[
            ("authorization", "token jupyter"),
            ("referer", "https://x.apps.example/lab"),
            ("sec-websocket-key", "k"),
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
        ]);
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        to_container(&mut headers, "x.apps.example", v6, Passing::WebSocket);
        assert_eq!(headers["authorization"], "token jupyter");
        assert_eq!(headers["referer"], "https://x.apps.example/lab");
        assert_eq!(headers["connection"], "upgrade");
        assert_eq!(headers["upgrade"], "websocket");
        assert_eq!(headers["sec-websocket-key"], "k");
        assert_eq!(
            headers["forwarded"],
            "for=\"[2001:db8::1]\";host=\"x.apps.example\";proto=https"
        );
    }

    #[test]
    fn what_a_browser_is_told() {
        let mut headers = sent(&[
            ("set-cookie", "a=1; Domain=apps.example; Path=/"),
            ("set-cookie", "__Host-berth-app=evil; Path=/; Secure"),
            ("set-cookie", "b=2"),
            ("clear-site-data", "\"*\""),
            ("alt-svc", "h2=\"evil.example:443\""),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("origin-agent-cluster", "?0"),
            ("content-type", "text/html"),
        ]);
        to_browser(&mut headers, Passing::Message);
        assert_eq!(
            listed(&headers),
            [
                "content-type: text/html",
                "origin-agent-cluster: ?1",
                "set-cookie: a=1; Path=/",
                "set-cookie: b=2",
            ]
        );
    }
}
