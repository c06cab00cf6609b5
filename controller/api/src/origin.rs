//! Whether a page of this very origin makes a call. SameSite=Strict stops other sites; it does not stop a student's program
//! on another port or sub-domain of the same site, so the origin itself is compared.

use axum::http::{HeaderMap, Uri, header};

pub(crate) fn is_same(headers: &HeaderMap, uri: &Uri) -> bool {
    match headers.get(header::ORIGIN) {
        Some(origin) => {
            let Some(host) = host(headers, uri) else { return false };
            origin
                .to_str()
                .ok()
                .and_then(|origin| origin.split_once("://"))
                .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
        }
        // Browsers send the one, the other or both; what sends neither is not a browser and has no business with cookies.
        None => headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin"),
    }
}

/// `:authority` of HTTP/2, `Host` of HTTP/1.1. Two that differ are somebody's trick.
fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let header = match hosts.next() {
        Some(value) => Some(value.to_str().ok()?),
        None => None,
    };
    let authority = uri.authority().map(axum::http::uri::Authority::as_str);
    match (authority, header, hosts.next()) {
        (_, _, Some(_)) => None,
        (Some(a), Some(b), None) if !a.eq_ignore_ascii_case(b) => None,
        (Some(a), _, None) => Some(a),
        (None, header, None) => header,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(uri: &str, pairs: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        is_same(&headers, &uri.parse().unwrap())
    }

    #[test]
    fn origins() {
        let h1 = "/berth.v1.AuthService/GetSelf";
        let h2 = "https://berth.example.edu:8443/berth.v1.AuthService/GetSelf";
        let origin = ("origin", "https://berth.example.edu:8443");
        let host = ("host", "berth.example.edu:8443");
        assert!(same(h1, &[origin, host]));
        assert!(same(h2, &[origin]));
        assert!(same(h2, &[origin, ("host", "BERTH.example.edu:8443")]));
        assert!(same(h1, &[host, ("sec-fetch-site", "same-origin")]));
        for wrong in [
            "https://berth.example.edu",
            "https://berth.example.edu:8080",
            "https://evil.example.edu:8443",
            "https://berth.example.edu:8443.evil.example",
            "null",
            "",
        ] {
            let headers = [("origin", wrong), host, ("sec-fetch-site", "same-origin")];
            assert!(!same(h1, &headers), "{wrong}");
        }
        assert!(!same(h1, &[host]));
        assert!(!same(h1, &[host, ("sec-fetch-site", "same-site")]));
        assert!(!same(h2, &[origin, ("host", "evil.example")]));
        assert!(!same(h1, &[origin, ("host", "evil.example"), host]));
        assert!(!same(h1, &[origin]));
    }
}
