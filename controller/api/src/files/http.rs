//! Files over plain HTTP: for the console, whose browser saves what comes to disk and cannot stream upwards in gRPC-web, and
//! for whoever has curl.
//!
//! `GET /files?name=…&path=…` answers with the file (ranges as in RFC 9110), or with `archive=tar|zip` with all that is in a
//! folder. `PUT /files?name=…&path=…&upload=UUID&size=N&offset=N` takes a part of a file, and with `blake3=HEX` its end; the
//! answer says how much is there. Anything wrong is a sentence in the body.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension,
    body::Body,
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use berth_app::{
    authz::{self, Access},
    error::Error,
};
use berth_core::{
    files::{Archive, FileFault, FilesOperation, Read},
    relay::OperationKind,
    violation::{Problem, Violation},
};
use berth_proto::v1;
use bytes::Bytes;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    QUEUE,
    check::{self, Named},
    transfer::{self, Download, Said, Upload},
};
use crate::{Api, caller::Caller, exec::broke, guard, origin, permit::Permit, token::Token};

pub(crate) const PATH: &str = "/files";

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    owner: String,
    /// Empty: the home.
    #[serde(default)]
    name: String,
    path: String,
    #[serde(default)]
    archive: Option<Format>,
    #[serde(default)]
    upload: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    offset: Option<u64>,
    #[serde(default)]
    blake3: Option<String>,
    #[serde(default)]
    replace: bool,
    /// Milliseconds since 1970.
    #[serde(default)]
    modified: Option<i64>,
    #[serde(default)]
    mode: Option<u32>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Format {
    Tar,
    Zip,
}

/// What there is of an upload.
#[derive(Serialize)]
struct Uploaded {
    /// The number of the next byte that is wanted.
    position: u64,
    /// It is in its place.
    done: bool,
}

pub(crate) async fn serve(
    State(api): State<Api>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let caller = Arc::new(guard::caller(&api, &headers, peer));
    let outcome = match (admit(&method, &uri, &headers, &caller), wanted(&uri)) {
        (Err(error), _) | (_, Err(error)) => Err(error),
        (Ok(()), Ok(wanted)) if method == Method::PUT => put(&api, &caller, wanted, body).await,
        (Ok(()), Ok(wanted)) => get(&api, &caller, &headers, wanted).await,
    };
    outcome.unwrap_or_else(|error| refuse(&caller, &error))
}

fn wanted(uri: &Uri) -> Result<Wanted, Error> {
    let query = Query::<Wanted>::try_from_uri(uri);
    query.map(|Query(wanted)| wanted).map_err(|error| {
        // It names the parameter.
        let problem = Violation::new(error.body_text(), Problem::UnknownValue);
        Error::InvalidArgument { violations: vec![problem] }
    })
}

/// A page of another origin may neither send a file nor be given one by somebody's cookie.
fn admit(method: &Method, uri: &Uri, headers: &HeaderMap, caller: &Caller) -> Result<(), Error> {
    authz::permit(Access::OwnContainer, caller.actor.as_ref())?;
    let by_cookie = matches!(Token::find(headers), Some(Token::Cookie(_)));
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    let from_here = match (method, site) {
        (&Method::PUT, _) => origin::is_same(headers, uri),
        // A link that somebody follows by hand comes from nowhere.
        (_, Some(site)) => matches!(site, "same-origin" | "none"),
        (_, None) => true,
    };
    if by_cookie && !from_here { Err(Error::PermissionDenied) } else { Ok(()) }
}

async fn get(
    api: &Api,
    caller: &Arc<Caller>,
    headers: &HeaderMap,
    wanted: Wanted,
) -> Result<Response, Error> {
    let path = check::path("path", &wanted.path)?;
    let at = api.find(caller, Named { owner: wanted.owner, name: wanted.name })?;
    let name = path.name().unwrap_or("files").to_owned();
    let permit = Permit::new(api, caller, Access::OwnContainer);
    if let Some(format) = wanted.archive {
        let (archive, suffix) = match format {
            Format::Tar => (Archive::Tar, "tar"),
            Format::Zip => (Archive::Zip, "zip"),
        };
        let operation = OperationKind::Files(FilesOperation::Pack { path, archive });
        let mut relay = api.relay(&at, operation).await?;
        // What cannot be packed is refused before the first byte.
        let first = transfer::next(&mut relay.from).await?;
        let mut response = Response::new(stream(relay, Some(first), permit));
        dress(response.headers_mut(), &format!("{name}.{suffix}"));
        return Ok(response);
    }
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok()).and_then(range);
    let version = headers.get(header::IF_RANGE).and_then(|version| version.to_str().ok());
    let (from, to) = range.unwrap_or((0, None));
    let read = |from, to| Read { path: path.clone(), from, to, version: None };
    let mut download = Download::begin(api, &at, read(from, to)).await?;
    let tag = format!("\"{}\"", download.entry.version);
    let mut is_part = range.is_some();
    if is_part && version.is_some_and(|version| version != tag) {
        // It is another one now: all of it.
        download = Download::begin(api, &at, read(0, None)).await?;
        is_part = false;
    }
    let size = download.entry.size;
    let (from, to) = if is_part { (from, to.unwrap_or(size).min(size)) } else { (0, size) };
    if is_part && from >= size {
        let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
        insert(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{size}"));
        return Ok(response);
    }
    let mut response = Response::new(stream(download.relay, None, permit));
    let headers = response.headers_mut();
    dress(headers, &name);
    insert(headers, header::ETAG, &tag);
    insert(headers, header::CONTENT_LENGTH, &to.saturating_sub(from).to_string());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if is_part {
        let range = format!("bytes {from}-{}/{size}", to.saturating_sub(1));
        insert(headers, header::CONTENT_RANGE, &range);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// The one range that a browser asks for when it goes on; whatever else is asked for gets all of it. The end is the first
/// byte that is not wanted.
fn range(text: &str) -> Option<(u64, Option<u64>)> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    let from: u64 = from.parse().ok()?;
    match to {
        "" => Some((from, None)),
        to => {
            let last: u64 = to.parse().ok()?;
            (last >= from).then(|| (from, last.checked_add(1)))
        }
    }
}

/// Never shown, always saved: what a student's container holds must not become a page of this origin.
fn dress(headers: &mut HeaderMap, name: &str) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    insert(
        headers,
        header::CONTENT_DISPOSITION,
        &format!("attachment; filename*=UTF-8''{encoded}"),
    );
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    // Made of what a header may hold.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The rest of an operation as a body. One that fails breaks it off, which every client takes for what it is.
fn stream(mut relay: berth_app::ports::Relay, mut first: Option<Said>, mut permit: Permit) -> Body {
    let (sender, receiver) = mpsc::channel::<Result<Bytes, axum::Error>>(QUEUE);
    tokio::spawn(async move {
        loop {
            let said = match first.take() {
                Some(said) => Ok(said),
                None => tokio::select! {
                    biased;
                    end = permit.ends() => Err(end.unwrap_or_else(broke)),
                    () = sender.closed() => return,
                    said = transfer::next(&mut relay.from) => said,
                },
            };
            let item = match said {
                Ok(Said::Data(data)) => Ok(data),
                Ok(Said::Entries(_) | Said::Position(_) | Said::Digest(_)) => continue,
                Ok(Said::Over) => return,
                Err(error) => Err(axum::Error::new(error)),
            };
            let is_last = item.is_err();
            tokio::select! {
                sent = sender.send(item) => if sent.is_err() || is_last { return },
                _ = permit.ends() => return,
            }
        }
    });
    Body::from_stream(ReceiverStream::new(receiver))
}

async fn put(
    api: &Api,
    caller: &Arc<Caller>,
    wanted: Wanted,
    body: Body,
) -> Result<Response, Error> {
    let digest =
        wanted.blake3.as_deref().map(|text| check::hex_digest("blake3", text)).transpose()?;
    let (named, mut write) = check::begin(v1::BeginUpload {
        owner: wanted.owner,
        name: wanted.name,
        path: wanted.path,
        upload_id: wanted.upload,
        size_bytes: Some(wanted.size),
        mode: wanted.mode,
        modify_time: None,
        replace: wanted.replace,
    })?;
    write.modified = wanted.modified.map(check::milliseconds);
    let at = api.find(caller, named)?;
    let mut permit = Permit::new(api, caller, Access::OwnContainer);
    let mut upload = Upload::begin(api, &at, write).await?;
    if wanted.offset.is_some_and(|offset| offset != upload.position()) {
        // Not an error: the caller learns where to go on.
        let position = upload.keep().await?;
        return Ok(uploaded(StatusCode::CONFLICT, position, false));
    }
    let mut body = body.into_data_stream();
    loop {
        let data = tokio::select! {
            biased;
            end = permit.ends() => return Err(end.unwrap_or_else(broke)),
            data = body.next() => data,
        };
        match data {
            Some(Ok(data)) => upload.data(data).await?,
            // The connection broke: the blade keeps what it has, and nobody hears the answer.
            Some(Err(_)) => return Err(broke()),
            None => break,
        }
    }
    match digest {
        Some(digest) => {
            let entry = upload.finish(digest).await?;
            Ok(uploaded(StatusCode::OK, entry.size, true))
        }
        None => Ok(uploaded(StatusCode::OK, upload.keep().await?, false)),
    }
}

fn uploaded(status: StatusCode, position: u64, done: bool) -> Response {
    let body = serde_json::to_vec(&Uploaded { position, done }).unwrap_or_default();
    let mut response = (status, body).into_response();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// A sentence, with the HTTP status that says the same.
fn refuse(caller: &Caller, error: &Error) -> Response {
    let status = caller.status(error);
    let code = match error {
        Error::File { fault: FileFault::NoSpace, .. } => StatusCode::INSUFFICIENT_STORAGE,
        Error::InvalidArgument { .. } => StatusCode::BAD_REQUEST,
        Error::Unauthenticated | Error::SignInRefused => StatusCode::UNAUTHORIZED,
        Error::PermissionDenied => StatusCode::FORBIDDEN,
        Error::NotFound { .. } => StatusCode::NOT_FOUND,
        Error::AlreadyExists { .. } => StatusCode::CONFLICT,
        Error::TooManyAttempts { .. } | Error::QuotaExceeded { .. } => {
            StatusCode::TOO_MANY_REQUESTS
        }
        Error::FailedPrecondition(_) | Error::NeedsRecreation { .. } | Error::DoesNotFit(_) => {
            StatusCode::PRECONDITION_FAILED
        }
        Error::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        Error::File { .. } => match status.code() {
            tonic::Code::NotFound => StatusCode::NOT_FOUND,
            tonic::Code::PermissionDenied => StatusCode::FORBIDDEN,
            tonic::Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            tonic::Code::InvalidArgument => StatusCode::BAD_REQUEST,
            tonic::Code::DataLoss => StatusCode::UNPROCESSABLE_ENTITY,
            // 409 is for an upload's position.
            _ => StatusCode::PRECONDITION_FAILED,
        },
    };
    let mut response = (code, format!("{}\n", status.message())).into_response();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, expected) in [
            ("bytes=0-", Some((0, None))),
            ("bytes=5-9", Some((5, Some(10)))),
            ("bytes=9-5", None),
            ("bytes=-5", None),
            ("bytes=0-1,3-4", None),
            ("lines=0-", None),
            ("", None),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_saved_as_they_are() {
        let mut headers = HeaderMap::new();
        dress(&mut headers, "a \"b\"\r\n日.html");
        assert_eq!(
            headers[header::CONTENT_DISPOSITION],
            "attachment; filename*=UTF-8''a%20%22b%22%0D%0A%E6%97%A5.html"
        );
        assert_eq!(headers[header::CONTENT_TYPE], "application/octet-stream");
    }
}
