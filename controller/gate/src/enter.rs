//! The way in: from a container's host to the console, where the browser is signed in, and back with a code.
//!
//! 1. No ticket: the host gives the browser a mark, and sends it to the console with the mark's digest.
//! 2. The console knows who it is, and whether they may. A code is made for this session, this host and this mark.
//! 3. Back at the host the code is spent for a cookie of this host alone.
//!
//! Where a browser is sent is always put together here: of names from the configuration, of a label that was read as one,
//! and of a path. The mark keeps somebody from spending their own code in another's browser, who would then work in theirs.

use axum::{
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use berth_app::{
    authz,
    sign_in::{hash, new_token},
};
use berth_core::{app_host::AppLabel, text::Language};
use serde::Deserialize;
use url::form_urlencoded;

use crate::{
    Gate,
    codes::Entry,
    cookies,
    headers::OWN_PATH,
    language,
    pages::{self, Page, Way},
    ticket::Ticket,
    visitor::{Found, look},
};

pub(crate) const CONSOLE_PATH: &str = "/apps/enter";
const ENTER: &str = "enter";
const LINK: &str = "link/";

/// For whoever has to type a password in between.
const STATE_SECONDS: u64 = 3600;
/// Longer ones are no page's address; the front page is shown instead.
const PATH_MAXIMUM: usize = 2048;
/// 32 bytes in base64.
const DIGEST_LETTERS: usize = 43;

/// What a host says to the console.
#[derive(Debug, Deserialize)]
struct Wanted {
    to: String,
    path: String,
    state: String,
    #[serde(default)]
    again: Option<String>,
}

impl Wanted {
    fn path_and_query(&self, again: bool) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("to", &self.to).append_pair("path", &self.path);
        query.append_pair("state", &self.state);
        if again {
            query.append_pair("again", "1");
        }
        format!("{CONSOLE_PATH}?{}", query.finish())
    }
}

impl Gate {
    /// At a container's host, without a ticket.
    pub(crate) fn send_to_console(
        &self,
        headers: &HeaderMap,
        label: &AppLabel,
        path: &str,
    ) -> Response {
        // Several pages that are opened at once have one mark.
        let known = cookies::find(headers, cookies::STATE)
            .into_iter()
            .find(|mark| mark.len() == DIGEST_LETTERS)
            .map(str::to_owned);
        let mark = match known.map_or_else(|| new_token(""), Ok) {
            Ok(mark) => mark,
            Err(error) => {
                tracing::error!(%error, "no random numbers");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        };
        let state = URL_SAFE_NO_PAD.encode(hash(&mark));
        let path = if is_path(path) { path } else { "/" };
        let wanted = Wanted { to: label.to_string(), path: path.to_owned(), state, again: None };
        let mut response =
            redirect(&format!("{}{}", self.0.options.console, wanted.path_and_query(false)));
        set_cookie(&mut response, &cookies::set(cookies::STATE, &mark, STATE_SECONDS));
        response
    }

    /// At the console. GET alone comes here.
    fn enter_console(&self, request: &Request) -> Response {
        let language = language(request.headers());
        let nothing = || pages::show(&Page::Nothing, &Way::None, language);
        // Only a whole window goes this way.
        let headers = request.headers();
        for (name, wanted) in [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")] {
            if headers.get(name).is_some_and(|value| value != wanted) {
                return pages::show(&Page::Foreign, &Way::None, language);
            }
        }
        let Ok(Query(wanted)) = Query::<Wanted>::try_from_uri(request.uri()) else {
            return nothing();
        };
        let state = URL_SAFE_NO_PAD.decode(&wanted.state).ok();
        let state: Option<[u8; 32]> = state.and_then(|bytes| bytes.try_into().ok());
        let (Some(label), Some(state_sha256)) = (AppLabel::parse(&wanted.to), state) else {
            return nothing();
        };
        if !is_path(&wanted.path) {
            return nothing();
        }
        let (committed, now) = (self.0.writer.committed(), self.0.clock.now());
        let console_cookie = self.0.options.console_cookie;
        let actor = cookies::find(headers, console_cookie)
            .into_iter()
            .find_map(|token| authz::actor(&committed.state, &hash(token), now));
        let Some(actor) = actor else { return self.not_known(&wanted, language) };
        let ticket = Ticket::Session(actor.session);
        let Found::Open(_) = look(&committed.state, now, ticket, &label) else { return nothing() };
        let entry =
            Entry { session: actor.session, label: label.clone(), state_sha256, path: wanted.path };
        match self.0.codes.make(now, entry) {
            Ok(Some(code)) => {
                let host = self.0.options.domain.authority(&label);
                redirect(&format!("https://{host}{OWN_PATH}{ENTER}?code={code}"))
            }
            Ok(None) => pages::show(&Page::Busy, &Way::None, language),
            Err(error) => {
                tracing::error!(%error, "no random numbers");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    /// The cookie is `SameSite=Strict`: a browser that comes from elsewhere does not show it. It does so to a request that a
    /// page of ours makes, and who has none even then signs in.
    fn not_known(&self, wanted: &Wanted, language: Language) -> Response {
        let onwards = wanted.path_and_query(true);
        if wanted.again.is_none() {
            return pages::show(&Page::Onwards, &Way::Onwards(onwards), language);
        }
        let next =
            form_urlencoded::Serializer::new(String::new()).append_pair("next", &onwards).finish();
        redirect(&format!("{}/sign-in?{next}", self.0.options.console))
    }

    /// Paths that are ours at every host.
    pub(crate) fn own(&self, label: &AppLabel, authority: &str, request: &Request) -> Response {
        let language = language(request.headers());
        let Some(path) = request.uri().path().strip_prefix(OWN_PATH) else {
            return pages::show(&Page::Nothing, &Way::None, language);
        };
        if request.method() != Method::GET {
            return pages::show(&Page::NotAllowed, &Way::None, language);
        }
        if path == ENTER {
            return self.enter_host(label, authority, request, language);
        }
        match path.strip_prefix(LINK) {
            Some(token) => self.enter_by_link(label, authority, token, language),
            None => pages::show(&Page::Nothing, &Way::None, language),
        }
    }

    fn enter_host(
        &self,
        label: &AppLabel,
        authority: &str,
        request: &Request,
        language: Language,
    ) -> Response {
        #[derive(Deserialize)]
        struct Code {
            code: String,
        }
        // No way back by itself: a browser without cookies would go round for ever.
        let refuse = || pages::show(&Page::NotEntered, &Way::Again("/".to_owned()), language);
        let Ok(Query(Code { code })) = Query::<Code>::try_from_uri(request.uri()) else {
            return refuse();
        };
        let now = self.0.clock.now();
        let Some(entry) = self.0.codes.take(now, &code) else { return refuse() };
        let marks = cookies::find(request.headers(), cookies::STATE);
        let is_same = marks.iter().any(|mark| hash(mark) == entry.state_sha256);
        if entry.label != *label || !is_same {
            return refuse();
        }
        let committed = self.0.writer.committed();
        let ticket = Ticket::Session(entry.session);
        let session = committed.state.sessions.get(&entry.session);
        let (Found::Open(_), Some(session)) = (look(&committed.state, now, ticket, label), session)
        else {
            return refuse();
        };
        let seconds = session.expires_at.since(now).as_secs();
        let mut response = redirect(&format!("https://{authority}{}", entry.path));
        self.give(&mut response, ticket, label, seconds);
        set_cookie(&mut response, &cookies::clear(cookies::STATE));
        response
    }

    fn enter_by_link(
        &self,
        label: &AppLabel,
        authority: &str,
        token: &str,
        language: Language,
    ) -> Response {
        let (committed, now) = (self.0.writer.committed(), self.0.clock.now());
        let opened = berth_app::shares::opened(&committed.state, &hash(token), now);
        let ticket = opened.map(|(link, _)| (Ticket::Link(link.id), link.expires_at));
        // Also whether it is for this very host.
        let ticket = ticket.filter(|(ticket, _)| {
            matches!(look(&committed.state, now, *ticket, label), Found::Open(_))
        });
        let Some((ticket, ends)) = ticket else {
            return pages::show(&Page::LinkOver, &Way::None, language);
        };
        let mut response = redirect(&format!("https://{authority}/"));
        self.give(&mut response, ticket, label, ends.since(now).as_secs());
        response
    }

    fn give(&self, response: &mut Response, ticket: Ticket, label: &AppLabel, seconds: u64) {
        let value = ticket.seal(&self.0.options.key, label);
        set_cookie(response, &cookies::set(ticket.cookie(), &value, seconds));
    }
}

pub(crate) async fn at_console(State(gate): State<Gate>, request: Request) -> Response {
    gate.enter_console(&request)
}

/// What follows a host in an address, and cannot become one.
fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && path.len() <= PATH_MAXIMUM
        && path.bytes().all(|byte| byte.is_ascii_graphic())
        && !path.starts_with(OWN_PATH)
}

fn redirect(to: &str) -> Response {
    let Ok(to) = HeaderValue::from_str(to) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, to);
    pages::guard(response.headers_mut());
    response
}

fn set_cookie(response: &mut Response, cookie: &str) {
    let value = HeaderValue::from_str(cookie).expect("names, base64 and digits");
    response.headers_mut().append(header::SET_COOKIE, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_paths() {
        for good in ["/", "/lab?x=1&y=%2F", "//double", "/\\", "/a#b"] {
            assert!(is_path(good), "{good}");
        }
        for bad in [
            "",
            "lab",
            "https://evil.example/",
            ".evil.example/",
            "@evil.example/",
            ":1/",
            "/a b",
            "/a\r\nset-cookie: x",
            "/日",
            "/.berth/enter?code=x",
            &format!("/{}", "x".repeat(PATH_MAXIMUM)),
        ] {
            assert!(!is_path(bad), "{bad}");
        }
    }
}
