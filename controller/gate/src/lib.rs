//! Containers' ports under https names of their own, on the console's port.
//!
//! A request for a host below the domain for applications never reaches the console, and a console's request never reaches a
//! container: the host decides before anything else. Who may come in is asked of the committed state with every request, and
//! every few seconds of what goes on. Knows neither gRPC nor the console's pages; bytes go over the relays that everybody
//! else's go over.

mod codes;
mod cookies;
mod enter;
mod fetch;
mod headers;
mod host;
mod pages;
mod proxy;
mod relay;
mod ticket;
mod turns;
mod upstream;
mod visitor;
mod watched;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use berth_app::{ports::Relays, writer::Handle};
use berth_core::{
    app_host::{AppDomain, AppLabel},
    clock::Clock,
    container::DesiredPhase,
    text::Language,
};
use tokio::sync::watch::Receiver;
use tower::ServiceExt as _;

use crate::{
    codes::Codes,
    fetch::Here,
    headers::{OWN_PATH, Passing},
    host::Meant,
    pages::{Page, Way},
    proxy::Admitted,
    turns::Turns,
    upstream::Upstream,
    visitor::{Found, Visitor},
};

/// At a container's host; a link's token follows.
pub const LINK_PATH: &str = "/.berth/link/";

#[derive(Clone)]
pub struct Options {
    pub domain: AppDomain,
    /// `https://berth.example.ac.jp:8443`, without a slash at its end: where people sign in.
    pub console: String,
    /// The name of the console's cookie.
    pub console_cookie: &'static str,
    /// Seals our cookies. Another one signs everybody out of containers' pages, and nothing else.
    pub key: [u8; 32],
}

/// What a gate is made from.
pub struct Parts {
    pub options: Options,
    pub writer: Handle,
    pub relays: Arc<dyn Relays>,
    pub clock: Arc<dyn Clock>,
    /// Becomes true when streams are to end.
    pub stopping: Receiver<bool>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    options: Options,
    writer: Handle,
    clock: Arc<dyn Clock>,
    stopping: Receiver<bool>,
    codes: Codes,
    turns: Turns,
    upstream: Upstream,
}

impl Gate {
    pub fn new(parts: Parts) -> Self {
        let Parts { options, writer, relays, clock, stopping } = parts;
        Self(Arc::new(Inner {
            options,
            writer,
            clock,
            stopping,
            codes: Codes::default(),
            turns: Turns::default(),
            upstream: Upstream::new(relays),
        }))
    }

    /// Everything on the port: the console under its names, containers under theirs.
    pub fn router(self, console: Router) -> Router {
        let console = Router::new()
            .route(enter::CONSOLE_PATH, get(enter::at_console))
            .with_state(self.clone())
            .fallback_service(console);
        Router::new().fallback(move |request: Request| {
            let (gate, console) = (self.clone(), console.clone());
            async move { gate.dispatch(console, request).await }
        })
    }

    async fn dispatch(self, console: Router, request: Request) -> Response {
        let domain = &self.0.options.domain.domain;
        match host::meant(request.headers(), request.uri(), domain) {
            Meant::Elsewhere => console.oneshot(request).await.into_response(),
            Meant::App { below, authority } => self.serve(&below, &authority, request).await,
            Meant::Unclear => {
                let language = language(request.headers());
                pages::show(&Page::BadRequest, &Way::None, language)
            }
        }
    }

    async fn serve(&self, below: &str, authority: &str, request: Request) -> Response {
        let language = language(request.headers());
        let show = |page: Page| pages::show(&page, &Way::None, language);
        let Some(label) = AppLabel::parse(below) else { return show(Page::Nothing) };
        let (method, headers) = (request.method(), request.headers());
        let is_websocket = fetch::is_websocket(method, request.version(), headers);
        let domain = &self.0.options.domain.domain;
        let here = Here { label: &label, authority, domain };
        if fetch::is_foreign(&here, method, headers, is_websocket) {
            return show(Page::Foreign);
        }
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        if path.starts_with(OWN_PATH) || request.uri().path() == OWN_PATH.trim_end_matches('/') {
            return self.own(&label, authority, &request);
        }
        let Some(Visitor { ticket, found }) = self.visitor(headers, &label) else {
            // The same for what is not there.
            return match fetch::is_navigation(method, headers) && !is_websocket {
                true => self.send_to_console(headers, &label, path),
                false => show(Page::SignInFirst),
            };
        };
        let container = match found {
            Found::Open(container) if container.desired != DesiredPhase::Removed => container,
            Found::Open(_) | Found::Nothing | Found::Nobody => return show(Page::Nothing),
        };
        let passing = if is_websocket { Passing::WebSocket } else { Passing::Message };
        let admitted =
            Admitted { label: &label, authority, container: &container, ticket, passing, language };
        self.proxy(admitted, request).await
    }
}

pub(crate) fn language(headers: &HeaderMap) -> Language {
    headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .map_or_else(Language::default, Language::choose)
}
