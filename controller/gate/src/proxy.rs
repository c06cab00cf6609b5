//! A request on its way into a container and its answer back. Nothing is held but a few pieces of either body.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    http::{Method, StatusCode, header},
    response::Response,
};
use berth_core::{app_host::AppLabel, container::Container, text::Language};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional_with_sizes;

use crate::{
    Gate,
    headers::{self, Passing},
    pages::{self, Page, Way},
    relay::{At, Refused},
    ticket::Ticket,
    turns::Turn,
    upstream::{self, Failed},
    visitor::{Ended, Permit},
    watched::Watched,
};

/// Of a WebSocket, in each direction.
const BUFFER: usize = 16 << 10;

/// A request that may be passed on.
pub(crate) struct Admitted<'a> {
    pub(crate) label: &'a AppLabel,
    pub(crate) authority: &'a str,
    pub(crate) container: &'a Container,
    pub(crate) ticket: Ticket,
    pub(crate) passing: Passing,
    pub(crate) language: Language,
}

impl Gate {
    pub(crate) async fn proxy(&self, admitted: Admitted<'_>, mut request: Request) -> Response {
        let Admitted { label, authority, container, ticket, passing, language } = admitted;
        let refuse = |page: Page| {
            let way = self.way_back(&page, container, ticket);
            pages::show(&page, &way, language)
        };
        if request.method() == Method::CONNECT || request.method() == Method::TRACE {
            return refuse(Page::NotAllowed);
        }
        let Some(at) = At::of(container, label.port) else { return refuse(Page::NotRunning) };
        let peer = peer(&request);
        let Some(turn) = self.0.turns.take(container.id, passing).await else {
            return refuse(Page::Busy);
        };
        let browser = (passing == Passing::WebSocket).then(|| hyper::upgrade::on(&mut request));
        let Some(sent) = readdressed(request, at, authority, peer, passing) else {
            return refuse(Page::BadRequest);
        };
        let mut permit = self.permit(ticket, label, at);
        let answer = tokio::select! {
            answer = self.0.upstream.send(sent) => answer,
            // Dropping the request lets go of the connection, and the blade hears of it.
            ended = &mut permit => return refuse(match ended {
                Ended::Revoked => Page::SignInFirst,
                Ended::NotRunning => Page::NotRunning,
                Ended::Process => Page::Busy,
            }),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(container.id = %container.id, port = label.port, %error, "no answer");
                return refuse(match error {
                    Failed::Refused(Refused::NothingListens) => {
                        Page::NothingListens { port: label.port }
                    }
                    Failed::Refused(Refused::NotRunning) => Page::NotRunning,
                    Failed::Refused(Refused::BladeSilent) => Page::BladeSilent,
                    Failed::Broken(_) => Page::NoAnswer,
                });
            }
        };
        match (answer.status(), browser) {
            (StatusCode::SWITCHING_PROTOCOLS, Some(browser)) if is_websocket(&answer) => {
                switch(answer, browser, permit, turn)
            }
            // What was not asked for cannot be followed.
            (StatusCode::SWITCHING_PROTOCOLS, _) => refuse(Page::NoAnswer),
            (_, _) => {
                let (mut head, body) = answer.into_parts();
                headers::to_browser(&mut head.headers, Passing::Message);
                let mut response = Response::new(Body::new(Watched::new(body, permit, turn)));
                *response.status_mut() = head.status;
                *response.headers_mut() = head.headers;
                response
            }
        }
    }

    /// Whoever came by the console may start it there.
    fn way_back(&self, page: &Page, container: &Container, ticket: Ticket) -> Way {
        match (page, ticket) {
            (Page::NotRunning | Page::NothingListens { .. }, Ticket::Session(session)) => {
                let state = &self.0.writer.committed().state;
                let own = state.sessions.get(&session).map(|s| s.user) == Some(container.owner);
                let owner = state.users.get(&container.owner).map(|user| &user.account);
                let console = &self.0.options.console;
                Way::Console(match owner.filter(|_| !own) {
                    Some(owner) => format!("{console}/c/{}?owner={owner}", container.name),
                    None => format!("{console}/c/{}", container.name),
                })
            }
            (_, Ticket::Session(_) | Ticket::Link(_)) => Way::None,
        }
    }
}

fn peer(request: &Request) -> IpAddr {
    request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| {
            address.ip().to_canonical()
        })
}

/// The same request to the container: its body goes on as it comes.
fn readdressed(
    request: Request,
    at: At,
    authority: &str,
    peer: IpAddr,
    passing: Passing,
) -> Option<Request> {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = upstream::uri(at, path)?;
    headers::to_container(&mut head.headers, authority, peer, passing);
    let mut sent = Request::new(body);
    *sent.method_mut() = head.method;
    *sent.uri_mut() = uri;
    *sent.headers_mut() = head.headers;
    Some(sent)
}

fn is_websocket(answer: &Response<Incoming>) -> bool {
    let mut protocols = answer.headers().get_all(header::UPGRADE).iter();
    let is = protocols.next().is_some_and(|p| p.as_bytes().eq_ignore_ascii_case(b"websocket"));
    is && protocols.next().is_none()
}

/// From here on bytes are passed on as they are.
fn switch(
    mut answer: Response<Incoming>,
    browser: OnUpgrade,
    permit: Permit,
    turn: Turn,
) -> Response {
    let container = hyper::upgrade::on(&mut answer);
    tokio::spawn(async move {
        let _turn = turn;
        let both = async {
            let (browser, container) = tokio::try_join!(browser, container)?;
            let (mut browser, mut container) = (TokioIo::new(browser), TokioIo::new(container));
            copy_bidirectional_with_sizes(&mut browser, &mut container, BUFFER, BUFFER).await?;
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        };
        tokio::select! {
            done = both => if let Err(error) = done {
                tracing::debug!(%error, "a WebSocket broke off");
            },
            ended = permit => tracing::debug!(%ended, "a WebSocket is cut"),
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    headers::to_browser(response.headers_mut(), Passing::WebSocket);
    response
}
