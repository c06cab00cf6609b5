//! Where a caller's token is, and how a browser is given one.

use axum::http::{HeaderMap, header};

/// `__Host-`: only over HTTPS, only for this very host, only with Path=/.
pub const COOKIE: &str = "__Host-berth";

/// How a call proves who makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Bearer(String),
    /// A browser adds it by itself, also to calls that another site's page makes.
    Cookie(String),
}

impl Token {
    /// A bearer token decides alone, right or wrong: who sends one does not mean the cookie.
    pub(crate) fn find(headers: &HeaderMap) -> Option<Self> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            return scheme
                .eq_ignore_ascii_case("bearer")
                .then(|| Token::Bearer(token.trim().to_owned()));
        }
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == COOKIE)
            .map(|(_, token)| Token::Cookie(token.to_owned()))
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Token::Bearer(text) | Token::Cookie(text) => text,
        }
    }
}

pub(crate) fn set_cookie(token: &str, seconds: u64) -> String {
    format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}")
}

pub(crate) fn clear_cookie() -> String {
    set_cookie("", 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pairs: &[(header::HeaderName, &str)]) -> Option<Token> {
        let headers =
            pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        Token::find(&headers)
    }

    #[test]
    fn where_tokens_are_found() {
        let (auth, cookie) = (header::AUTHORIZATION, header::COOKIE);
        assert_eq!(find(&[(auth.clone(), "bearer abc")]), Some(Token::Bearer("abc".into())));
        assert_eq!(find(&[(auth.clone(), "Basic abc"), (cookie.clone(), "__Host-berth=x")]), None);
        assert_eq!(
            find(&[(cookie.clone(), "a=1; __Host-berth=x; b=2")]),
            Some(Token::Cookie("x".into()))
        );
        assert_eq!(find(&[(cookie, "berth=x; __host-berth=y")]), None);
        assert_eq!(find(&[]), None);
    }
}
