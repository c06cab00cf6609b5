//! The built console: embedded in a release, read from disk while developing. Knows no web framework.

mod negotiate;

use std::borrow::Cow;

use rust_embed::{EmbeddedFile, RustEmbed};

use negotiate::Encoding;

/// What a page of the console may load and call: itself, and nothing else. The console has no inline script and no inline
/// style; `wasm-unsafe-eval` is what compiling WebAssembly is called.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
     style-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; \
     frame-ancestors 'none'; form-action 'self'";

const INDEX: &str = "index.html";
/// Everything in here has a hash of its content in its name.
const HASHED: &str = "assets/";

#[derive(RustEmbed)]
#[folder = "dist/"]
struct Dist;

/// A file of the console, ready to be sent.
#[derive(Debug, Clone)]
pub struct Asset {
    pub body: Cow<'static, [u8]>,
    pub content_type: &'static str,
    /// For `content-encoding`. Send `vary: accept-encoding` in any case.
    pub encoding: Option<&'static str>,
    /// Quoted, for `etag`; differs by encoding.
    pub etag: String,
    /// May be kept for ever: another content has another name.
    pub immutable: bool,
}

/// The file at a path like "assets/berth-0123.js" (a leading slash does not matter), in the best encoding that is accepted.
/// `None` for what is not there.
pub fn get(path: &str, accept_encoding: &str) -> Option<Asset> {
    let path = path.trim_start_matches('/');
    let content_type = content_type(path)?;
    if path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return None;
    }
    let accepted = negotiate::accepted(accept_encoding);
    let (encoding, file) = accepted.into_iter().find_map(|encoding| {
        Some((encoding, Dist::get(&format!("{path}{}", encoding.suffix()))?))
    })?;
    Some(asset(path, content_type, encoding, file))
}

/// The page that every address of the console begins with.
pub fn index(accept_encoding: &str) -> Option<Asset> {
    get(INDEX, accept_encoding)
}

/// Whether the console was built before this program was.
pub fn is_built() -> bool {
    Dist::get(INDEX).is_some()
}

fn asset(path: &str, content_type: &'static str, encoding: Encoding, file: EmbeddedFile) -> Asset {
    let hash = file.metadata.sha256_hash();
    let etag = hash[..12].iter().fold(String::from("\""), |text, byte| format!("{text}{byte:02x}"));
    Asset {
        body: file.data,
        content_type,
        encoding: encoding.name(),
        etag: etag + "\"",
        immutable: path.starts_with(HASHED),
    }
}

/// The kinds of files that the console is made of. `None` also for the compressed variants: they are no files of their own.
fn content_type(path: &str) -> Option<&'static str> {
    let (_, extension) = path.rsplit_once('.')?;
    Some(match extension {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        assert_eq!(content_type("assets/berth-1.wasm"), Some("application/wasm"));
        assert_eq!(content_type("index.html"), Some("text/html; charset=utf-8"));
        for none in ["assets/berth-1.js.br", "index.html.gz", "index", "../Cargo.toml", ""] {
            assert_eq!(content_type(none), None, "{none}");
        }
    }

    #[test]
    fn nothing_outside_is_reached() {
        for path in
            ["../src/lib.txt", "/../dist/index.html", "assets//x.js", "./index.html", "none.js"]
        {
            assert!(get(path, "br").is_none(), "{path}");
        }
    }

    #[test]
    fn the_policy_allows_no_inline_code() {
        assert!(!CONTENT_SECURITY_POLICY.contains("unsafe-inline"));
        assert!(!CONTENT_SECURITY_POLICY.contains("  "));
    }

    /// Holds with and without a built console.
    #[test]
    fn index_matches_is_built() {
        let index = index("gzip, br");
        assert_eq!(index.is_some(), is_built());
        if let Some(index) = index {
            assert!(!index.immutable);
            assert!(
                index.etag.len() > 2 && index.etag.starts_with('"') && index.etag.ends_with('"')
            );
            let plain = super::index("identity").unwrap();
            assert_eq!(plain.encoding, None);
            assert!(plain.body.starts_with(b"<!doctype html>"));
        }
    }
}
