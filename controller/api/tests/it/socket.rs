//! Terminals on WebSockets, as a browser opens them.

use berth_proto::v1::{self, attach_request, terminal_output};
use futures::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, Response},
    },
};

use crate::world::{Who, World, request};

type Socket = WebSocketStream<TcpStream>;

async fn open(
    world: &World,
    who: Who,
    origin: &str,
) -> Result<Socket, Box<Response<Option<Vec<u8>>>>> {
    let mut handshake = format!("ws://{}/terminal", world.address).into_client_request().unwrap();
    let headers = handshake.headers_mut();
    headers.insert("origin", HeaderValue::from_str(origin).unwrap());
    headers.insert("sec-websocket-protocol", HeaderValue::from_static("berth.v1"));
    if let Some(token) = world.token(who).await {
        let cookie = format!("{}={token}", berth_api::COOKIE);
        headers.insert("cookie", HeaderValue::from_str(&cookie).unwrap());
    }
    let stream = TcpStream::connect(world.address).await.unwrap();
    match client_async(handshake, stream).await {
        Ok((socket, response)) => {
            assert_eq!(response.headers()["sec-websocket-protocol"], "berth.v1");
            Ok(socket)
        }
        Err(Error::Http(response)) => Err(response),
        Err(other) => panic!("{other}"),
    }
}

fn ours(world: &World) -> String {
    format!("https://{}", world.address)
}

async fn says(socket: &mut Socket, message: attach_request::Message) {
    let message = v1::AttachRequest { message: Some(message) };
    socket.send(Message::Binary(message.encode_to_vec().into())).await.unwrap();
}

fn attach() -> attach_request::Message {
    let (name, owner) = ("box".to_owned(), "ann".to_owned());
    attach_request::Message::Attach(v1::AttachTerminal { name, owner, ..Default::default() })
}

async fn hears(socket: &mut Socket) -> terminal_output::Message {
    match socket.next().await.unwrap().unwrap() {
        Message::Binary(data) => v1::TerminalOutput::decode(data).unwrap().message.unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The code and the reason that it is closed with.
async fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Close(Some(frame)) => return (frame.code.into(), frame.reason.to_string()),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn running() -> World {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let id = ann.create_container(request("box")).await.unwrap().into_inner().id;
    world.report_running(&id).await;
    world
}

#[tokio::test]
async fn a_terminal_in_a_browser() {
    let world = running().await;
    let mut socket = open(&world, Who::Ann, &ours(&world)).await.unwrap();
    says(&mut socket, attach()).await;
    assert!(matches!(hears(&mut socket).await, terminal_output::Message::Opened(_)));
    // Half a character, and bytes that are none.
    for piece in [&b"\xe3\x81"[..], b"\x82\x00\xff"] {
        says(&mut socket, attach_request::Message::Data(piece.to_vec().into())).await;
        assert_eq!(hears(&mut socket).await, terminal_output::Message::Data(piece.to_vec().into()));
    }
    says(&mut socket, attach_request::Message::Data("exit".into())).await;
    let terminal_output::Message::Ended(ended) = hears(&mut socket).await else { panic!() };
    assert_eq!(ended.exit_code, 7);
    assert_eq!(closed(&mut socket).await, (1000, String::new()));
}

#[tokio::test]
async fn pages_of_other_origins_open_none() {
    let world = running().await;
    for origin in ["https://evil.example", "null", "https://127.0.0.1:1"] {
        let refused = open(&world, Who::Ann, origin).await.unwrap_err();
        assert_eq!(refused.status(), 403, "{origin}");
    }
}

#[tokio::test]
async fn what_is_refused_says_so_in_the_socket() {
    let world = running().await;
    for (who, message, code) in [
        (Who::Nobody, attach(), 4016),
        (Who::Ben, attach(), 4005),
        (Who::Ann, attach_request::Message::Data("x".into()), 4003),
    ] {
        let mut socket = open(&world, who, &ours(&world)).await.unwrap();
        says(&mut socket, message).await;
        let (closed, reason) = closed(&mut socket).await;
        assert_eq!(closed, code, "{who:?}");
        assert!(!reason.is_empty() && reason.len() <= 123, "{reason}");
    }
    let mut socket = open(&world, Who::Ann, &ours(&world)).await.unwrap();
    socket.send(Message::Text("hello".into())).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 4003);
    // In the middle.
    let mut socket = open(&world, Who::Ann, &ours(&world)).await.unwrap();
    says(&mut socket, attach()).await;
    assert!(matches!(hears(&mut socket).await, terminal_output::Message::Opened(_)));
    let size = v1::TerminalSize { rows: 0, columns: 1 };
    says(&mut socket, attach_request::Message::Size(size)).await;
    assert_eq!(closed(&mut socket).await.0, 4003);
}
