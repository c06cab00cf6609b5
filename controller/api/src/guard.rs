//! What every call passes before a service sees it: is there such a call, who makes it, may they, and for how long.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};
use berth_app::{
    authz::{self, Access, Actor},
    error::Error,
    sign_in,
};
use berth_core::text::Language;
use tracing::Instrument as _;

use crate::{
    Api,
    caller::{Caller, Transport},
    origin, status,
    token::Token,
};

const SIGN_IN: &str = "/berth.v1.AuthService/SignIn";

/// Outside of the gRPC-web translation, which hides what the caller really spoke.
pub(crate) async fn note_transport(mut request: Request, next: Next) -> Response {
    let web = content_type(request.headers()).starts_with("application/grpc-web");
    let transport = if web { Transport::Web } else { Transport::Native };
    request.extensions_mut().insert(transport);
    next.run(request).await
}

pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub(crate) async fn guard(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let mut caller = Caller {
        actor: None,
        language: language(request.headers()),
        request_id: api.0.ids.next(),
        peer: peer(&request),
        transport: request.extensions().get().copied().unwrap_or(Transport::Native),
    };
    let path = request.uri().path().to_owned();
    let Some(access) = authz::access(&path) else {
        return status::unimplemented(caller.language).into_http::<Body>();
    };
    match admit(&api, &request, &caller, access, &path) {
        Ok(actor) => caller.actor = actor,
        Err(error) => return caller.status(&error).into_http::<Body>(),
    }
    let account = caller.actor.as_ref().map_or("", |actor| actor.user.account.as_str());
    let span = tracing::info_span!(
        "rpc", method = path, request.id = %caller.request_id, user.account = account
    );
    let language = caller.language;
    let deadline =
        request.headers().get("grpc-timeout").and_then(|value| timeout(value.to_str().ok()?));
    request.extensions_mut().insert(Arc::new(caller));
    let call = async move {
        tracing::debug!("called");
        next.run(request).await
    }
    .instrument(span);
    match deadline {
        None => call.await,
        // What was already handed to the writer happens all the same: a deadline is no undo.
        Some(deadline) => tokio::time::timeout(deadline, call)
            .await
            .unwrap_or_else(|_| status::deadline_exceeded(language).into_http::<Body>()),
    }
}

/// Of what does not come as gRPC: who asks, by whatever token. Whether the token may be used so is theirs to decide.
pub(crate) fn caller(
    api: &Api,
    headers: &HeaderMap,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
) -> Caller {
    let actor = Token::find(headers).and_then(|token| {
        let sha256 = sign_in::hash(token.text());
        authz::actor(&api.committed().state, &sha256, api.0.clock.now())
    });
    let peer = peer.map(|Extension(ConnectInfo(address))| address.ip().to_canonical());
    Caller {
        actor,
        language: language(headers),
        request_id: api.0.ids.next(),
        peer: peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        transport: Transport::Web,
    }
}

/// Who makes the call, if they may make it.
fn admit(
    api: &Api,
    request: &Request,
    caller: &Caller,
    access: Access,
    path: &str,
) -> Result<Option<Actor>, Error> {
    let same_origin = || origin::is_same(request.headers(), request.uri());
    // Signing a browser in from another site's page would make its owner work in somebody else's account.
    if path == SIGN_IN && caller.transport == Transport::Web && !same_origin() {
        return Err(Error::PermissionDenied);
    }
    let token = match Token::find(request.headers()) {
        // A browser's cookie opens only what a browser's script can ask for.
        Some(Token::Cookie(_)) if caller.transport == Transport::Native => None,
        token => token,
    };
    let actor = token.as_ref().and_then(|token| {
        let sha256 = sign_in::hash(token.text());
        authz::actor(&api.committed().state, &sha256, api.0.clock.now())
    });
    authz::permit(access, actor.as_ref())?;
    let by_cookie = matches!(token, Some(Token::Cookie(_)));
    if access != Access::Public && by_cookie && !same_origin() {
        return Err(Error::PermissionDenied);
    }
    Ok(actor)
}

pub(crate) fn language(headers: &HeaderMap) -> Language {
    headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .map_or_else(Language::default, Language::choose)
}

fn peer(request: &Request) -> IpAddr {
    request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| {
            address.ip().to_canonical()
        })
}

/// gRPC's own form: at most eight digits and a unit. What cannot be read is no deadline.
fn timeout(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = Some(number).filter(|number| number.len() <= 8)?.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts() {
        assert_eq!(timeout("0n"), Some(Duration::ZERO));
        assert_eq!(timeout("15S"), Some(Duration::from_secs(15)));
        for bad in ["", "S", "123456789S", "-1S", "1s", "1日"] {
            assert_eq!(timeout(bad), None, "{bad}");
        }
    }
}
