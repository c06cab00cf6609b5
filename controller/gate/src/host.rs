//! Which host a request is for. Pure.

use axum::http::{HeaderMap, HeaderValue, Uri, header, uri::Authority};
use berth_core::app_host::below;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meant {
    /// The console, by whatever name it is called.
    Elsewhere,
    /// Something below the domain for applications: what stands before it, in lower case, and the authority as it was sent.
    App { below: String, authority: String },
    /// It says two things, or something that is no host: somebody's trick.
    Unclear,
}

/// `:authority` of HTTP/2, the absolute form and `Host` of HTTP/1.1. As soon as one of them names the domain, all that are
/// there must say the same.
pub(crate) fn meant(headers: &HeaderMap, uri: &Uri, domain: &str) -> Meant {
    let from_uri = uri.authority().map(|authority| authority.as_str().as_bytes());
    let from_headers = headers.get_all(header::HOST).iter().map(HeaderValue::as_bytes);
    let mut said = from_uri.into_iter().chain(from_headers);
    let Some(first) = said.next() else { return Meant::Elsewhere };
    let mut same = true;
    let mut ours = names(first, domain);
    for other in said {
        same &= other.eq_ignore_ascii_case(first);
        ours |= names(other, domain);
    }
    if !ours {
        return Meant::Elsewhere;
    }
    match read(first, domain) {
        Some(meant) if same => meant,
        Some(_) | None => Meant::Unclear,
    }
}

/// Generous: whatever holds the domain's letters never reaches the console.
fn names(host: &[u8], domain: &str) -> bool {
    host.windows(domain.len()).any(|part| part.eq_ignore_ascii_case(domain.as_bytes()))
        && !is_elsewhere(host, domain)
}

/// A host that can be read, and is another one: `myapps.example.ac.jp` beside `apps.example.ac.jp`.
fn is_elsewhere(host: &[u8], domain: &str) -> bool {
    authority(host).is_some_and(|authority| below(authority.host(), domain).is_none())
}

fn authority(host: &[u8]) -> Option<Authority> {
    let authority = Authority::try_from(host).ok()?;
    (!authority.as_str().contains('@')).then_some(authority)
}

fn read(host: &[u8], domain: &str) -> Option<Meant> {
    let authority = authority(host)?;
    let below = below(authority.host(), domain)?.to_ascii_lowercase();
    Some(Meant::App { below, authority: authority.as_str().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: &str = "apps.example.ac.jp";

    fn of(uri: &str, hosts: &[&str]) -> Meant {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        meant(&headers, &uri.parse().unwrap(), DOMAIN)
    }

    fn app(below: &str, authority: &str) -> Meant {
        Meant::App { below: below.to_owned(), authority: authority.to_owned() }
    }

    #[test]
    fn one_host() {
        assert_eq!(of("/", &["x.apps.example.ac.jp"]), app("x", "x.apps.example.ac.jp"));
        let with_port = "X.apps.example.ac.jp:8443";
        assert_eq!(of("/", &[with_port]), app("x", with_port));
        assert_eq!(of(&format!("https://{with_port}/a"), &[]), app("x", with_port));
        assert_eq!(of(&format!("https://{with_port}/a"), &[with_port]), app("x", with_port));
        assert_eq!(of("/", &["x.apps.example.ac.jp.:1"]), app("x", "x.apps.example.ac.jp.:1"));
        assert_eq!(of("/", &["apps.example.ac.jp"]), app("", "apps.example.ac.jp"));
        assert_eq!(of("/", &["a.b.APPS.example.ac.jp"]), app("a.b", "a.b.APPS.example.ac.jp"));
    }

    #[test]
    fn the_console() {
        for host in [
            "berth.example.ac.jp",
            "myapps.example.ac.jp",
            "apps.example.ac.jp.evil.example",
            "192.0.2.1:8443",
            "[2001:db8::1]:8443",
        ] {
            assert_eq!(of("/", &[host]), Meant::Elsewhere, "{host}");
        }
        assert_eq!(of("/", &[]), Meant::Elsewhere);
        assert_eq!(of("https://berth.example.ac.jp/", &[]), Meant::Elsewhere);
        // What the console makes of two hosts is the console's.
        assert_eq!(of("/", &["a.example", "b.example"]), Meant::Elsewhere);
    }

    #[test]
    fn tricks() {
        let (app, console) = ("x.apps.example.ac.jp", "berth.example.ac.jp");
        assert_eq!(of("/", &[app, console]), Meant::Unclear);
        assert_eq!(of("/", &[console, app]), Meant::Unclear);
        assert_eq!(of(&format!("https://{console}/"), &[app]), Meant::Unclear);
        assert_eq!(of(&format!("https://{app}/"), &[console]), Meant::Unclear);
        assert_eq!(of("/", &[app, "y.apps.example.ac.jp"]), Meant::Unclear);
        for odd in [
            "berth.example.ac.jp@x.apps.example.ac.jp",
            "x.apps.example.ac.jp@berth.example.ac.jp",
            "x.apps.example.ac.jp berth.example.ac.jp",
            "x.apps.example.ac.jp, berth.example.ac.jp",
            "x.apps.example.ac.jp/",
            "x.apps.example.ac.jp\\",
        ] {
            assert_eq!(of("/", &[odd]), Meant::Unclear, "{odd}");
        }
    }
}
