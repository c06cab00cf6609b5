//! Starting an exec and taking its connection over. By ourselves, because bollard takes the first bytes of a terminal's
//! output for a frame's header when they look like one, and then keeps up to 4 GiB back.

use std::{io::Cursor, path::Path};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Chain},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{Error, ExecId};

/// What the program prints, as the engine sends it.
pub type Reader = Chain<Cursor<Bytes>, OwnedReadHalf>;

/// An answer that is a refusal is a sentence in JSON.
const REFUSAL_MAXIMUM: usize = 64 << 10;

/// What is typed, or standard input. Dropping it is an end of input.
#[derive(Debug)]
pub struct Input(OwnedWriteHalf);

impl Input {
    pub async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// End of input; what the program prints can still be read.
    pub async fn end(&mut self) -> std::io::Result<()> {
        self.0.shutdown().await
    }
}

/// `body` is the start's, in JSON.
pub(crate) async fn hijack(
    socket: &Path,
    id: &ExecId,
    body: String,
) -> Result<(Reader, Input), Error> {
    let unavailable = |error: &dyn std::fmt::Display| Error::Unavailable(error.to_string());
    let stream = UnixStream::connect(socket).await.map_err(|error| unavailable(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| unavailable(&error))?;
    // Ends when the connection has been taken over, or with the connection.
    tokio::spawn(connection.with_upgrades());
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/exec/{}/start", id.as_str()))
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "tcp")
        .body(Full::new(Bytes::from(body)))
        .expect("made of constants and hex digits");
    let answer = sender.send_request(request).await.map_err(|error| unavailable(&error))?;
    let status = answer.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let text = Limited::new(answer.into_body(), REFUSAL_MAXIMUM).collect().await;
        let text = text.map(Collected::to_bytes).unwrap_or_default();
        return Err(super::fault::of_response(status.as_u16(), &String::from_utf8_lossy(&text)));
    }
    let upgraded = hyper::upgrade::on(answer).await.map_err(|error| unavailable(&error))?;
    let parts = upgraded
        .downcast::<TokioIo<UnixStream>>()
        .map_err(|_| unavailable(&"the connection is not what was connected"))?;
    let (reader, writer) = parts.io.into_inner().into_split();
    Ok((Cursor::new(parts.read_buf).chain(reader), Input(writer)))
}
