//! What goes through: bodies both ways as they come, WebSockets, and the end of either side.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{Method, StatusCode},
};
use berth_app::authz::STREAM_RECHECK;
use berth_core::{account::Role, observed::ObservedPhase};
use futures::{SinkExt as _, StreamExt as _};
use http_body_util::BodyExt as _;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _},
};

use crate::{
    program::WEB,
    world::{Browser, OWN_SCRIPT, Person, World, host},
};

const PATIENCE: Duration = Duration::from_secs(20);

async fn entered() -> (World, Person, String, Browser) {
    let world = World::new().await;
    let ann = world.person("ann", Role::Student).await;
    world.lend(&ann, "web").await;
    let host = host(&ann, "web", WEB);
    let browser = Browser::signed_in(&ann);
    let (_, answer) = browser.follow(&world, &format!("https://{host}/")).await;
    assert_eq!(answer.status, StatusCode::OK);
    (world, ann, host, browser)
}

#[tokio::test]
async fn bodies_go_both_ways_as_they_come() {
    let (world, _, host, browser) = entered().await;
    let (send, receive) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let body = Body::from_stream(futures::stream::unfold(receive, async |mut receive| {
        Some((receive.recv().await?, receive))
    }));
    let url = format!("https://{host}/echo");
    let answer = browser.send(&world, Method::POST, &url, OWN_SCRIPT, body);
    send.send(Ok("first".into())).await.unwrap();
    let response = timeout(PATIENCE, answer).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut echoed = response.into_body().into_data_stream();
    assert_eq!(timeout(PATIENCE, echoed.next()).await.unwrap().unwrap().unwrap(), "first");
    // What is said is heard before the rest is said.
    send.send(Ok("second".into())).await.unwrap();
    assert_eq!(timeout(PATIENCE, echoed.next()).await.unwrap().unwrap().unwrap(), "second");
    drop(send);
    assert!(timeout(PATIENCE, echoed.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_browser_that_goes_takes_its_request_along() {
    let (world, _, host, browser) = entered().await;
    let mut waiting = world.program.waiting.subscribe();
    let url = format!("https://{host}/never");
    {
        let answer = browser.send(&world, Method::GET, &url, OWN_SCRIPT, Body::empty());
        tokio::select! {
            _ = answer => panic!("it never answers"),
            seen = timeout(PATIENCE, waiting.wait_for(|count| *count == 1)) => drop(seen.unwrap().unwrap()),
        }
    }
    timeout(PATIENCE, waiting.wait_for(|count| *count == 0)).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_goes_on_ends_with_the_session() {
    let (world, ann, host, browser) = entered().await;
    let url = format!("https://{host}/endless");
    let response = browser.send(&world, Method::GET, &url, OWN_SCRIPT, Body::empty()).await;
    let mut body = response.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    let never = format!("https://{host}/never");
    let waits = browser.send(&world, Method::GET, &never, OWN_SCRIPT, Body::empty());
    tokio::pin!(waits);
    world.sign_out(&ann).await;
    let ended = async { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} };
    timeout(STREAM_RECHECK * 3, ended).await.expect("the stream ends");
    let refused = timeout(STREAM_RECHECK * 3, waits).await.expect("the wait ends");
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}

/// A container that is gone says nothing: its connections stay as they were.
#[tokio::test]
async fn what_goes_on_ends_with_the_container() {
    let (world, _, host, browser) = entered().await;
    let url = format!("https://{host}/never");
    let waits = browser.send(&world, Method::GET, &url, OWN_SCRIPT, Body::empty());
    tokio::pin!(waits);
    let id = world.handle.committed().state.containers.values().next().unwrap().id;
    let mut waiting = world.program.waiting.subscribe();
    tokio::select! {
        _ = &mut waits => panic!("it never answers"),
        seen = timeout(PATIENCE, waiting.wait_for(|count| *count == 1)) => drop(seen.unwrap().unwrap()),
    }
    world.report(id, ObservedPhase::Exited).await;
    let over = timeout(STREAM_RECHECK * 3, waits).await.expect("the wait ends");
    assert_eq!(over.status(), StatusCode::SERVICE_UNAVAILABLE);
}

type Socket = WebSocketStream<TcpStream>;

async fn serve(world: &World) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = world.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

async fn open(
    address: SocketAddr,
    host: &str,
    cookies: &str,
    origin: &str,
) -> Result<Socket, Box<Error>> {
    let mut handshake = format!("ws://{host}/ws").into_client_request().unwrap();
    let headers = handshake.headers_mut();
    headers.insert("cookie", cookies.parse().unwrap());
    headers.insert("origin", origin.parse().unwrap());
    headers.insert("sec-websocket-protocol", "echo".parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let (socket, answer) = client_async(handshake, stream).await.map_err(Box::new)?;
    assert_eq!(answer.headers()["sec-websocket-protocol"], "echo");
    Ok(socket)
}

#[tokio::test]
async fn websockets() {
    let (world, ann, host, browser) = entered().await;
    browser.keep(&host, "own", "1");
    let address = serve(&world).await;
    let cookies = browser.cookies_for(&host);
    let mut socket = open(address, &host, &cookies, &format!("https://{host}")).await.unwrap();
    let seen = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(seen.contains("\"cookie\": \"own=1\"") && !seen.contains("berth-app"), "{seen}");
    let large = vec![5; 1 << 20];
    for message in [Message::Text("hello".into()), Message::Binary(large.into())] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    for (cookies, origin, expected) in [
        (cookies.as_str(), "https://evil.example", 403),
        (&cookies, "null", 403),
        ("own=1", &format!("https://{host}"), 401),
    ] {
        match open(address, &host, cookies, origin).await.map_err(|error| *error) {
            Err(Error::Http(answer)) => assert_eq!(answer.status(), expected, "{origin}"),
            other => panic!("{other:?}"),
        }
    }
    // It ends when the session has.
    world.sign_out(&ann).await;
    let ended = async {
        while let Some(Ok(message)) = socket.next().await {
            assert!(!message.is_close());
        }
    };
    timeout(STREAM_RECHECK * 3, ended).await.expect("it is cut");
}

#[tokio::test]
async fn websockets_end_with_the_process() {
    let (world, _, host, browser) = entered().await;
    let address = serve(&world).await;
    let cookies = browser.cookies_for(&host);
    let mut socket = open(address, &host, &cookies, &format!("https://{host}")).await.unwrap();
    socket.next().await.unwrap().unwrap();
    world.stopping.send_replace(true);
    let ended = async { while let Some(Ok(_)) = socket.next().await {} };
    timeout(PATIENCE, ended).await.expect("it is cut");
}
