//! A terminal in a browser: the messages of `ExecService.Attach` on a WebSocket.
//!
//! A browser cannot stream upwards in gRPC-web, and a call for every key has its price. Whoever cannot have WebSockets
//! uses `Output` and `Input`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{
        ConnectInfo, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use berth_app::error::Error;
use berth_proto::v1::{self, attach_request};
use bytes::Bytes;
use futures::{SinkExt as _, Stream, StreamExt as _, stream::SplitSink};
use prost::Message as _;
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tonic::Status;

use crate::{
    Api,
    caller::Caller,
    exec::attach::{self, Typed},
    exec::check,
    guard, origin,
};

pub(crate) const PATH: &str = "/terminal";
const PROTOCOL: &str = "berth.v1";
const MESSAGE_MAXIMUM: usize = 2 << 20;
/// Shorter than the idle timeouts of proxies. A browser answers by itself.
const PING: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(45);
/// The first message follows the handshake at once.
const GREETING: Duration = Duration::from_secs(10);
/// Close codes for applications begin here; the gRPC code is added.
const CLOSE: u16 = 4000;
const NORMAL: u16 = 1000;
const REASON_MAXIMUM: usize = 123;

pub(crate) async fn open(
    State(api): State<Api>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    // Browsers send cookies with the WebSockets of any page; only ours may have this one.
    if !origin::is_same(&headers, &uri) {
        return (StatusCode::FORBIDDEN, "this page may not open a terminal\n").into_response();
    }
    let caller = Arc::new(guard::caller(&api, &headers, peer));
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(MESSAGE_MAXIMUM)
        .on_upgrade(move |socket| serve(api, caller, socket))
}

async fn serve(api: Api, caller: Arc<Caller>, socket: WebSocket) {
    let (mut out, mut inbound) = socket.split();
    // Who is not signed in hears so in the socket: a refused handshake tells a browser's script nothing.
    let begun = match timeout(GREETING, first(&mut inbound)).await {
        Ok(Some(attach)) => attach::begin(&api, &caller, attach).await,
        Ok(None) | Err(_) => Err(check::missing("attach")),
    };
    let begun = match begun {
        Ok(begun) => begun,
        Err(error) => return close(&mut out, &caller.status(&error)).await,
    };
    let gone = Arc::new(Notify::new());
    let typed = Box::pin(typed(inbound, Arc::clone(&gone)));
    let mut shown = begun.both_ways(typed);
    let mut pings = interval_at(Instant::now() + PING, PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // All are cancel-safe.
        let sent = tokio::select! {
            biased;
            () = gone.notified() => return,
            output = shown.next() => match output {
                Some(Ok(output)) => {
                    let message = Message::Binary(Bytes::from(output.encode_to_vec()));
                    // A browser that does not read holds up its own terminal, until it is silent for too long.
                    tokio::select! {
                        sent = out.send(message) => sent,
                        () = gone.notified() => return,
                    }
                }
                Some(Err(status)) => return close(&mut out, &status).await,
                // Its end has been said.
                None => {
                    let frame = CloseFrame { code: NORMAL, reason: Default::default() };
                    let _ = out.send(Message::Close(Some(frame))).await;
                    return;
                }
            },
            _ = pings.tick() => out.send(Message::Ping(Bytes::new())).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

type Inbound = futures::stream::SplitStream<WebSocket>;

async fn first(inbound: &mut Inbound) -> Option<v1::AttachTerminal> {
    loop {
        match inbound.next().await?.ok()? {
            Message::Binary(data) => {
                return match v1::AttachRequest::decode(data).ok()?.message? {
                    attach_request::Message::Attach(attach) => Some(attach),
                    attach_request::Message::Data(_) | attach_request::Message::Size(_) => None,
                };
            }
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Text(_) | Message::Close(_) => return None,
        }
    }
}

/// What is typed. Says so when the browser has gone, or has not even answered pings for [`SILENCE`].
fn typed(inbound: Inbound, gone: Arc<Notify>) -> impl Stream<Item = Result<Typed, Error>> + Send {
    futures::stream::unfold((inbound, gone), |(mut inbound, gone)| async move {
        loop {
            match timeout(SILENCE, inbound.next()).await {
                Ok(Some(Ok(Message::Binary(data)))) => {
                    return Some((understood(data), (inbound, gone)));
                }
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
                Ok(Some(Ok(Message::Text(_) | Message::Close(_)) | Err(_)) | None) | Err(_) => {
                    gone.notify_one();
                    return None;
                }
            }
        }
    })
}

fn understood(data: Bytes) -> Result<Typed, Error> {
    let message = v1::AttachRequest::decode(data).ok().and_then(|request| request.message);
    match message {
        Some(attach_request::Message::Data(data)) => Ok(Typed::Data(data)),
        Some(attach_request::Message::Size(size)) => check::size(Some(size)).map(Typed::Size),
        Some(attach_request::Message::Attach(_)) | None => Err(check::missing("message")),
    }
}

async fn close(out: &mut SplitSink<WebSocket, Message>, status: &Status) {
    let code = u16::try_from(i32::from(status.code())).unwrap_or(2);
    let mut reason = status.message().to_owned();
    while reason.len() > REASON_MAXIMUM {
        reason.pop();
    }
    let frame = CloseFrame { code: CLOSE + code, reason: reason.into() };
    // A browser that has gone does not read it.
    let _ = timeout(GREETING, out.send(Message::Close(Some(frame)))).await;
}
