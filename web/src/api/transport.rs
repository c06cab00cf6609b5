//! gRPC-web over fetch. Small on purpose: tonic's client weighs more in the browser than all messages together.

use js_sys::{Reflect, Uint8Array};
use prost::Message;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, Headers, ReadableStreamDefaultReader, RequestCache, RequestCredentials,
    RequestInit, Response,
};

use super::{
    error::Error,
    frame::{self, Buffer, Frame},
    status::{Code, Status, Trailers},
};
use crate::{
    i18n,
    state::{connection, session},
    time,
};

/// Chromium drops every HTTP/2 request when a network interface appears, and on a blade each container brings one. A call
/// that is cut off is made once more where making it twice does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Once,
    Never,
}

pub(super) async fn unary<Q: Message, A: Message + Default>(
    method: &'static str,
    request: &Q,
    retry: Retry,
) -> Result<A, Error> {
    // Bytes from here on: one copy of the machinery for all messages.
    let answer = unary_bytes(method, frame::encode(request), retry).await?;
    A::decode(answer.as_slice()).map_err(|_| Error::Garbled)
}

async fn unary_bytes(
    method: &'static str,
    request: Vec<u8>,
    retry: Retry,
) -> Result<Vec<u8>, Error> {
    let result = match attempt(method, &request).await {
        Err(error) if error.is_passing() && retry == Retry::Once => {
            time::sleep(time::jittered(250)).await;
            attempt(method, &request).await
        }
        result => result,
    };
    result.inspect(|_| connection::restored()).inspect_err(note_signed_out)
}

async fn attempt(method: &'static str, request: &[u8]) -> Result<Vec<u8>, Error> {
    let mut stream = open(method, request).await?;
    let answer = stream.next_message().await?;
    // The status follows the message, and decides.
    while stream.next_message().await?.is_some() {}
    answer.ok_or(Error::Garbled)
}

pub(super) async fn server_stream<Q: Message>(
    method: &'static str,
    request: &Q,
) -> Result<Stream, Error> {
    open(method, &frame::encode(request)).await.inspect_err(note_signed_out)
}

/// An answer that is being read. Dropping it ends the call.
pub(crate) struct Stream {
    reader: Option<ReadableStreamDefaultReader>,
    buffer: Buffer,
    trailers: Option<Trailers>,
    _abort: AbortOnDrop,
}

impl Stream {
    pub(crate) async fn next<A: Message + Default>(&mut self) -> Result<Option<A>, Error> {
        match self.next_message().await.inspect_err(note_signed_out)? {
            Some(bytes) => A::decode(bytes.as_slice()).map(Some).map_err(|_| Error::Garbled),
            None => Ok(None),
        }
    }

    async fn next_message(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            if let Some(trailers) = &self.trailers {
                return trailers.status().map(|()| None).map_err(Error::Status);
            }
            match self.buffer.next_frame().map_err(|_| Error::Garbled)? {
                Some(Frame::Message(bytes)) => return Ok(Some(bytes)),
                Some(Frame::Trailers(trailers)) => self.trailers = Some(trailers),
                None => self.read().await?,
            }
        }
    }

    async fn read(&mut self) -> Result<(), Error> {
        // An end without a status is a connection that broke.
        let reader = self.reader.as_ref().ok_or(Error::Network)?;
        let part = JsFuture::from(reader.read()).await.map_err(|_| Error::Network)?;
        let field = |name: &str| Reflect::get(&part, &JsValue::from_str(name));
        if field("done").is_ok_and(|done| done.is_truthy()) {
            self.reader = None;
            return Ok(());
        }
        let bytes = field("value")
            .ok()
            .and_then(|value| value.dyn_into::<Uint8Array>().ok())
            .ok_or(Error::Garbled)?;
        self.buffer.push(&bytes.to_vec());
        Ok(())
    }
}

async fn open(method: &'static str, request: &[u8]) -> Result<Stream, Error> {
    let abort = AbortOnDrop(AbortController::new().map_err(|_| Error::Network)?);
    let response = fetch(method, request, &abort.0).await?;
    let headers = response.headers();
    let header = |name: &str| headers.get(name).ok().flatten();

    let mut trailers = None;
    if let Some(code) = header("grpc-status") {
        // Trailers-only: the answer is the headers.
        let mut found = Trailers::default();
        found.insert("grpc-status", &code);
        for name in ["grpc-message", "grpc-status-details-bin"] {
            found.insert(name, &header(name).unwrap_or_default());
        }
        found.status().map_err(Error::Status)?;
        trailers = Some(found);
    } else if !response.ok() {
        let code = Code::from_http(response.status());
        let status =
            Status { code, message: String::new(), violations: Vec::new(), recreation: Vec::new() };
        return Err(Error::Status(status));
    } else if !header("content-type").is_some_and(|t| t.starts_with("application/grpc-web")) {
        return Err(Error::Garbled);
    }
    let reader = response.body().map(|body| body.get_reader().unchecked_into());
    let buffer = Buffer::default();
    Ok(Stream { reader, buffer, trailers, _abort: abort })
}

async fn fetch(method: &str, body: &[u8], abort: &AbortController) -> Result<Response, Error> {
    let broken = |_: JsValue| Error::Network;
    let headers = Headers::new().map_err(broken)?;
    for (name, value) in [
        ("content-type", "application/grpc-web+proto"),
        ("accept", "application/grpc-web+proto"),
        ("x-grpc-web", "1"),
        ("accept-language", i18n::language_untracked().tag()),
    ] {
        headers.set(name, value).map_err(broken)?;
    }
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_body(&Uint8Array::from(body));
    init.set_signal(Some(&abort.signal()));
    init.set_credentials(RequestCredentials::SameOrigin);
    init.set_cache(RequestCache::NoStore);
    let window = web_sys::window().ok_or(Error::Network)?;
    let response =
        JsFuture::from(window.fetch_with_str_and_init(method, &init)).await.map_err(broken)?;
    response.dyn_into().map_err(broken)
}

struct AbortOnDrop(AbortController);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn note_signed_out(error: &Error) {
    if error.code() == Some(Code::Unauthenticated) {
        session::ended();
    }
}
