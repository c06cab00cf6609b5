//! Where things are. Every link is made here, so that a moved page is a compile error and not a dead link.

pub(crate) const SIGN_IN: &str = "/sign-in";
/// Served by the controller: the way from the console into a container's page.
pub(crate) const ENTER_APP: &str = "/apps/enter?";
pub(crate) const CONTAINERS: &str = "/";
pub(crate) const NEW: &str = "/new";
pub(crate) const HOME: &str = "/home";
pub(crate) const NODES: &str = "/admin/nodes";
pub(crate) const ACCOUNT: &str = "/account";

/// `owner` is empty for the caller's own.
pub(crate) fn container(name: &str, owner: &str) -> String {
    let name = encode(name);
    if owner.is_empty() {
        format!("/c/{name}")
    } else {
        format!("/c/{name}?owner={}", encode(owner))
    }
}

/// Without a number: the newest one, or a new one.
pub(crate) fn terminal(name: &str, owner: &str, number: Option<u32>) -> String {
    let mut route = format!("/c/{}/terminal", encode(name));
    let mut separator = '?';
    if !owner.is_empty() {
        route.push_str(&format!("?owner={}", encode(owner)));
        separator = '&';
    }
    if let Some(number) = number {
        route.push_str(&format!("{separator}t={number}"));
    }
    route
}

/// Without a path: where a person's files most likely are.
///
/// Without a name: the home's own, which are there without any container.
pub(crate) fn files(name: &str, owner: &str, path: Option<&str>) -> String {
    let mut route = match name {
        "" => HOME.to_owned(),
        name => format!("/c/{}/files", encode(name)),
    };
    let mut separator = '?';
    if !owner.is_empty() {
        route.push_str(&format!("?owner={}", encode(owner)));
        separator = '&';
    }
    if let Some(path) = path {
        route.push_str(&format!("{separator}path={}", encode(path)));
    }
    route
}

pub(crate) fn logs(name: &str, owner: &str) -> String {
    below(name, owner, "logs")
}

pub(crate) fn graphs(name: &str, owner: &str) -> String {
    below(name, owner, "graphs")
}

pub(crate) fn definition(name: &str, owner: &str) -> String {
    below(name, owner, "definition")
}

fn below(name: &str, owner: &str, page: &str) -> String {
    let route = format!("/c/{}/{page}", encode(name));
    if owner.is_empty() { route } else { format!("{route}?owner={}", encode(owner)) }
}

pub(crate) fn node(name: &str) -> String {
    format!("{NODES}/{}", encode_all(name))
}

pub(crate) fn new_from(name: &str) -> String {
    format!("{NEW}?from={}", encode(name))
}

pub(crate) fn sign_in_and_back(path: &str) -> String {
    // The account page is where one signs out: nobody wants back there.
    let nowhere = [CONTAINERS, ACCOUNT, ""].contains(&path) || path.starts_with(SIGN_IN);
    if nowhere { SIGN_IN.to_owned() } else { format!("{SIGN_IN}?next={}", encode(path)) }
}

/// Where to go after signing in: a path of ours, never another site.
pub(crate) fn after_sign_in(next: Option<&str>) -> String {
    match next {
        Some(next)
            if next.starts_with('/')
                && !next.starts_with("//")
                && !next.contains('\\')
                && !next.contains(|c: char| c.is_control()) =>
        {
            next.to_owned()
        }
        Some(_) | None => CONTAINERS.to_owned(),
    }
}

fn encode(text: &str) -> String {
    encode_but(text, b"-._~/")
}

/// The slash as well.
pub(crate) fn encode_all(text: &str) -> String {
    encode_but(text, b"-._~")
}

fn encode_but(text: &str, plain: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_back_to_our_own_pages() {
        assert_eq!(after_sign_in(Some("/c/web?owner=alice")), "/c/web?owner=alice");
        for other in ["https://example.org/", "//example.org", "/\\example.org", "c/web", "/\n/x"] {
            assert_eq!(after_sign_in(Some(other)), "/", "{other:?}");
        }
        assert_eq!(after_sign_in(None), "/");
    }

    #[test]
    fn links() {
        assert_eq!(container("web", ""), "/c/web");
        assert_eq!(container("web", "b&c"), "/c/web?owner=b%26c");
        assert_eq!(terminal("web", "", None), "/c/web/terminal");
        assert_eq!(terminal("web", "", Some(3)), "/c/web/terminal?t=3");
        assert_eq!(terminal("web", "b", Some(3)), "/c/web/terminal?owner=b&t=3");
        assert_eq!(files("web", "", None), "/c/web/files");
        assert_eq!(files("web", "b", Some("/a b/&")), "/c/web/files?owner=b&path=/a%20b/%26");
        assert_eq!(files("", "", Some("/a")), "/home?path=/a");
        assert_eq!(logs("web", ""), "/c/web/logs");
        assert_eq!(graphs("web", "b&c"), "/c/web/graphs?owner=b%26c");
        assert_eq!(node("blade-1"), "/admin/nodes/blade-1");
        assert_eq!(sign_in_and_back("/c/web?owner=a"), "/sign-in?next=/c/web%3Fowner%3Da");
        assert_eq!(sign_in_and_back("/"), "/sign-in");
        assert_eq!(sign_in_and_back("/account"), "/sign-in");
    }
}
