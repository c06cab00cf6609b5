//! What runs in the container, and the blade's end of relays to it.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State, ws::WebSocketUpgrade},
    http::{HeaderMap, header},
    response::{AppendHeaders, IntoResponse, Response},
    routing::{any, get},
};
use berth_app::ports::{Relay, RelayError, Relays};
use berth_core::{
    id::NodeId,
    relay::{End, EndReason, Frame, Operation, OperationKind},
};
use futures::{StreamExt as _, stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};

/// The ports of the container.
pub(crate) const WEB: u16 = 80;
/// Not HTTP.
pub(crate) const GARBAGE: u16 = 22;
/// Its blade is gone.
pub(crate) const LOST: u16 = 7777;

#[derive(Clone)]
pub(crate) struct Program {
    /// Requests that wait for an answer that never comes.
    pub(crate) waiting: Arc<watch::Sender<usize>>,
    pub(crate) connections: Arc<AtomicUsize>,
    web: SocketAddr,
    garbage: SocketAddr,
}

impl Program {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let web = listener.local_addr().unwrap();
        let waiting = Arc::new(watch::Sender::new(0));
        let router = Router::new()
            .route("/headers", any(headers))
            .route("/cookies", get(cookies))
            .route("/echo", any(|request: Request| async move { request.into_body() }))
            .route("/endless", get(endless))
            .route("/never", get(never))
            .route("/ws", any(ws))
            .fallback(|request: Request| async move {
                format!("{} {}\n", request.method(), request.uri())
            })
            .with_state(Arc::clone(&waiting));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let garbage = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(b"SSH-2.0-OpenSSH\r\n").await.unwrap();
                tokio::spawn(async move { stream.read(&mut [0; 1024]).await });
            }
        });
        Self { waiting, connections: Arc::default(), web, garbage }
    }
}

type Waiting = State<Arc<watch::Sender<usize>>>;

async fn headers(headers: HeaderMap) -> String {
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    lines.sort();
    lines.concat()
}

async fn cookies() -> impl IntoResponse {
    let cookie = |text: &'static str| (header::SET_COOKIE, text);
    AppendHeaders([
        cookie("own=1; Path=/"),
        cookie("wide=1; Domain=apps.test; Path=/"),
        cookie("__Host-berth-app=stolen; Path=/; Secure"),
        cookie("__Host-berth=stolen; Path=/; Secure"),
        (header::HeaderName::from_static("clear-site-data"), "\"cookies\""),
    ])
}

async fn endless() -> Body {
    Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[7; 8192]))))
}

/// Counts those who wait, as long as they do.
async fn never(State(waiting): Waiting) {
    struct Waits(Arc<watch::Sender<usize>>);
    impl Drop for Waits {
        fn drop(&mut self) {
            self.0.send_modify(|count| *count -= 1);
        }
    }
    waiting.send_modify(|count| *count += 1);
    let _waits = Waits(waiting);
    std::future::pending::<()>().await;
}

async fn ws(upgrade: WebSocketUpgrade, headers: HeaderMap) -> Response {
    let seen = format!("{headers:?}");
    upgrade.protocols(["echo"]).on_upgrade(async move |mut socket| {
        if socket.send(seen.into()).await.is_err() {
            return;
        }
        while let Some(Ok(message)) = socket.next().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    })
}

#[async_trait]
impl Relays for Program {
    async fn open(&self, _: NodeId, operation: Operation) -> Result<Relay, RelayError> {
        let OperationKind::Forward { port } = operation.kind else { panic!("{operation:?}") };
        let address = match port {
            LOST => return Err(RelayError::NotConnected),
            WEB => Some(self.web),
            GARBAGE => Some(self.garbage),
            _ => None,
        };
        let (to, hears) = mpsc::channel(4);
        let (says, from) = mpsc::channel(4);
        let connections = Arc::clone(&self.connections);
        tokio::spawn(async move {
            let Some(address) = address else {
                let refused = End::new(EndReason::ConnectionRefused, "");
                return drop(says.send(Frame::End(refused)).await);
            };
            connections.fetch_add(1, Ordering::Relaxed);
            forward(TcpStream::connect(address).await.unwrap(), hears, says).await;
        });
        Ok(Relay { to, from })
    }
}

/// As the agent does it.
async fn forward(stream: TcpStream, mut hears: mpsc::Receiver<Frame>, says: mpsc::Sender<Frame>) {
    let (mut reading, mut writing) = stream.into_split();
    says.send(Frame::Connected).await.unwrap();
    let up = async {
        while let Some(frame) = hears.recv().await {
            match frame {
                Frame::Data(data) if writing.write_all(&data).await.is_ok() => {}
                Frame::EndOfInput => drop(writing.shutdown().await),
                _ => return,
            }
        }
    };
    let down = async {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let frame = match reading.read(&mut buffer).await {
                Ok(0) | Err(_) => Frame::End(End::new(EndReason::Exited, "")),
                Ok(length) => Frame::Data(Bytes::copy_from_slice(&buffer[..length])),
            };
            let last = matches!(frame, Frame::End(_));
            if says.send(frame).await.is_err() || last {
                return;
            }
        }
    };
    // Whichever ends first: nobody is there any more.
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}
