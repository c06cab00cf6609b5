//! Files in containers, as their callers meet them: over gRPC and over plain HTTP.

use berth_proto::v1::{
    self, download_response, file_service_client::FileServiceClient, upload_archive_request,
    upload_request, upload_response,
};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio_stream::iter;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

use crate::{
    blade::HELLO,
    world::{Bearer, Client, Who, World, request},
};

async fn running() -> World {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let id = ann.create_container(request("box")).await.unwrap().into_inner().id;
    world.report_running(&id).await;
    world
}

async fn files(world: &World, who: Who) -> FileServiceClient<Client> {
    FileServiceClient::with_interceptor(world.channel(), Bearer(world.token(who).await))
}

fn stat(path: &str) -> v1::StatRequest {
    v1::StatRequest { owner: "ann".into(), name: "box".into(), path: path.into() }
}

#[tokio::test]
async fn what_is_there_and_what_is_not() {
    let world = running().await;
    let mut ann = files(&world, Who::Ann).await;
    let file = ann.stat(stat("/hello")).await.unwrap().into_inner();
    assert_eq!((file.name.as_str(), file.size_bytes, file.mode), ("hello", 12, 0o644));
    assert_eq!(file.kind(), v1::FileKind::File);

    let status = ann.stat(stat("/nothing")).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let info = status.get_error_details().error_info().unwrap().clone();
    assert_eq!((info.reason.as_str(), info.metadata["fault"].as_str()), ("FILE", "NOT_FOUND"));
    assert_eq!(info.metadata["path"], "/nothing");

    for (path, words) in [("", "path"), ("hello", "path"), ("/a/../b", "path"), ("/a\0", "path")] {
        let status = ann.stat(stat(path)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{path:?}");
        assert!(status.message().starts_with(words), "{}", status.message());
    }
    let mut ben = files(&world, Who::Ben).await;
    assert_eq!(ben.stat(stat("/hello")).await.unwrap_err().code(), Code::NotFound);
    let mut nobody = files(&world, Who::Nobody).await;
    assert_eq!(nobody.stat(stat("/hello")).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_folder_that_holds_more_than_was_asked_for() {
    let world = running().await;
    let mut ann = files(&world, Who::Ann).await;
    let list = |path: &str| v1::ListFilesRequest {
        owner: "ann".into(),
        name: "box".into(),
        path: path.into(),
        limit: 2,
    };
    let mut stream = ann.list(list("/full")).await.unwrap().into_inner();
    let first = stream.message().await.unwrap().unwrap();
    assert_eq!((first.files.len(), first.truncated), (2, false));
    assert!(stream.message().await.unwrap().unwrap().truncated);
    assert_eq!(stream.message().await.unwrap(), None);
    assert_eq!(ann.list(list("/nothing")).await.unwrap_err().code(), Code::NotFound);
}

async fn download(world: &World, request: v1::DownloadRequest) -> Result<(Vec<u8>, bool), Status> {
    let mut ann = files(world, Who::Ann).await;
    let mut stream = ann.download(request).await?.into_inner();
    let (mut data, mut digest) = (Vec::new(), false);
    while let Some(response) = stream.message().await? {
        match response.message.unwrap() {
            download_response::Message::File(file) => assert_eq!(file.version, "v1"),
            download_response::Message::Data(part) => data.extend_from_slice(&part),
            download_response::Message::Blake3(bytes) => digest = bytes.len() == 32,
        }
    }
    Ok((data, digest))
}

#[tokio::test]
async fn what_comes() {
    let world = running().await;
    let wanted = |path: &str| v1::DownloadRequest {
        owner: "ann".into(),
        name: "box".into(),
        path: path.into(),
        ..Default::default()
    };
    assert_eq!(download(&world, wanted("/hello")).await.unwrap(), (HELLO.to_vec(), true));
    let rest = v1::DownloadRequest { offset: 7, ..wanted("/hello") };
    assert_eq!(download(&world, rest).await.unwrap().0, &HELLO[7..]);
    // A folder is an archive, whether one asks for it or not.
    assert_eq!(download(&world, wanted("/full")).await.unwrap(), (b"packed".to_vec(), false));
    let absent = download(&world, wanted("/nothing")).await.unwrap_err();
    assert_eq!(absent.code(), Code::NotFound);
}

fn begin(path: &str) -> upload_request::Message {
    upload_request::Message::Begin(v1::BeginUpload {
        owner: "ann".into(),
        name: "box".into(),
        path: path.into(),
        upload_id: "00000000-0000-0000-0000-000000000001".into(),
        size_bytes: Some(9),
        ..Default::default()
    })
}

/// What is answered to all of it, and how it ends.
async fn upload(
    world: &World,
    messages: Vec<upload_request::Message>,
) -> (Vec<upload_response::Message>, Result<(), Status>) {
    let mut ann = files(world, Who::Ann).await;
    let messages = messages.into_iter().map(|message| v1::UploadRequest { message: Some(message) });
    let mut heard = Vec::new();
    let mut stream = match ann.upload(iter(messages.collect::<Vec<_>>())).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return (heard, Err(status)),
    };
    loop {
        match stream.message().await {
            Ok(Some(response)) => heard.push(response.message.unwrap()),
            Ok(None) => return (heard, Ok(())),
            Err(status) => return (heard, Err(status)),
        }
    }
}

fn digest(byte: u8) -> upload_request::Message {
    upload_request::Message::Blake3(Bytes::from(vec![byte; 32]))
}

#[tokio::test]
async fn what_goes() {
    let world = running().await;
    let data = || upload_request::Message::Data("rest".into());
    let (heard, end) = upload(&world, vec![begin("/a"), data(), digest(7)]).await;
    end.unwrap();
    assert_eq!(heard[0], upload_response::Message::Position(5));
    match &heard[1] {
        upload_response::Message::File(file) => assert_eq!(file.size_bytes, 9),
        other @ upload_response::Message::Position(_) => panic!("{other:?}"),
    }
    // Without a digest it is not there, and nobody is told that it is.
    let (heard, end) = upload(&world, vec![begin("/a"), data()]).await;
    assert_eq!((heard.len(), end.is_ok()), (1, true));

    let (_, end) = upload(&world, vec![begin("/a"), data(), digest(1)]).await;
    assert_eq!(end.unwrap_err().code(), Code::DataLoss);
    let (_, end) = upload(&world, vec![begin("/full/disk")]).await;
    assert_eq!(end.unwrap_err().code(), Code::ResourceExhausted);
    let (_, end) = upload(&world, vec![data()]).await;
    assert_eq!(end.unwrap_err().code(), Code::InvalidArgument);
    let short = upload_request::Message::Blake3(Bytes::from_static(b"short"));
    let (_, end) = upload(&world, vec![begin("/a"), short]).await;
    assert!(end.unwrap_err().message().starts_with("blake3"));
}

#[tokio::test]
async fn archives() {
    let world = running().await;
    let mut ann = files(&world, Who::Ann).await;
    let begin = || {
        upload_archive_request::Message::Begin(v1::BeginArchive {
            owner: "ann".into(),
            name: "box".into(),
            path: "/".into(),
            replace: false,
        })
    };
    let data = |text: &'static str| upload_archive_request::Message::Data(text.into());
    let end = || upload_archive_request::Message::End(true);
    let messages = |list: Vec<upload_archive_request::Message>| {
        iter(
            list.into_iter()
                .map(|message| v1::UploadArchiveRequest { message: Some(message) })
                .collect::<Vec<_>>(),
        )
    };
    let laid = ann.upload_archive(messages(vec![begin(), data("good"), end()])).await.unwrap();
    assert_eq!(laid.into_inner().size_bytes, 4);
    let refused = ann.upload_archive(messages(vec![begin(), data("evil"), end()])).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("bin/su"), "{}", refused.message());
    let info = refused.get_error_details().error_info().unwrap().clone();
    assert_eq!(info.metadata["fault"], "ARCHIVE_SETUID");
    let broken = ann.upload_archive(messages(vec![begin(), data("good")])).await.unwrap_err();
    assert!(broken.message().starts_with("end"), "{}", broken.message());
}

/// As a browser or curl would; nothing between it and the router but HTTP.
async fn plain(
    world: &World,
    method: Method,
    query: &str,
    headers: &[(&str, &str)],
    body: &'static [u8],
) -> (StatusCode, http::HeaderMap, Bytes) {
    let mut request =
        Request::builder().method(method).uri(format!("https://berth.test/files?{query}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(axum_body(body)).unwrap();
    let response = world.router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, body)
}

fn axum_body(body: &'static [u8]) -> axum::body::Body {
    axum::body::Body::new(Full::new(Bytes::from_static(body)))
}

const BOX: &str = "owner=ann&name=box";

#[tokio::test]
async fn saved_by_a_browser() {
    let world = running().await;
    let bearer = format!("Bearer {}", world.token(Who::Ann).await.unwrap());
    let bearer = ("authorization", bearer.as_str());
    let query = format!("{BOX}&path=/hello");
    let (status, headers, body) = plain(&world, Method::GET, &query, &[bearer], b"").await;
    assert_eq!((status, &body[..]), (StatusCode::OK, HELLO));
    assert_eq!(headers["content-length"], "12");
    assert_eq!(headers["etag"], "\"v1\"");
    assert_eq!(headers["content-disposition"], "attachment; filename*=UTF-8''hello");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["content-type"], "application/octet-stream");

    // It goes on where it stopped, unless it is another one by now.
    let rest = [bearer, ("range", "bytes=7-"), ("if-range", "\"v1\"")];
    let (status, headers, body) = plain(&world, Method::GET, &query, &rest, b"").await;
    assert_eq!((status, &body[..]), (StatusCode::PARTIAL_CONTENT, &HELLO[7..]));
    assert_eq!(headers["content-range"], "bytes 7-11/12");
    let stale = [bearer, ("range", "bytes=7-"), ("if-range", "\"v0\"")];
    let (status, _, body) = plain(&world, Method::GET, &query, &stale, b"").await;
    assert_eq!((status, &body[..]), (StatusCode::OK, HELLO));
    let beyond = [bearer, ("range", "bytes=12-")];
    let (status, headers, _) = plain(&world, Method::GET, &query, &beyond, b"").await;
    assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(headers["content-range"], "bytes */12");

    let folder = format!("{BOX}&path=/full&archive=zip");
    let (status, headers, body) = plain(&world, Method::GET, &folder, &[bearer], b"").await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"packed"[..]));
    assert_eq!(headers["content-disposition"], "attachment; filename*=UTF-8''full.zip");
    let (status, _, _) =
        plain(&world, Method::GET, &format!("{BOX}&path=/nothing"), &[bearer], b"").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn sent_by_a_browser() {
    let world = running().await;
    let token = world.token(Who::Ann).await.unwrap();
    let cookie = format!("{}={token}", berth_api::COOKIE);
    let ours = [("cookie", cookie.as_str()), ("origin", "https://berth.test")];
    let query = format!("{BOX}&path=/a&upload=00000000-0000-0000-0000-000000000001&size=9");
    let put = |query: String, headers: Vec<(&'static str, String)>, body| {
        let world = &world;
        async move {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            plain(world, Method::PUT, &query, &headers, body).await
        }
    };
    let own = || ours.map(|(name, value)| (name, value.to_owned())).to_vec();
    // Nothing to say, but a question: how much of it is there?
    let (status, _, body) = put(query.clone(), own(), b"").await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &br#"{"position":5,"done":false}"#[..]));
    let (status, _, body) = put(format!("{query}&offset=0"), own(), b"all of it").await;
    assert_eq!((status, &body[..]), (StatusCode::CONFLICT, &br#"{"position":5,"done":false}"#[..]));
    let (status, _, body) = put(format!("{query}&offset=5"), own(), b"re").await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &br#"{"position":7,"done":false}"#[..]));
    let good = "07".repeat(32);
    let (status, _, body) = put(format!("{query}&offset=5&blake3={good}"), own(), b"rest").await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &br#"{"position":9,"done":true}"#[..]));
    let bad = "01".repeat(32);
    let (status, _, body) = put(format!("{query}&blake3={bad}"), own(), b"rest").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(String::from_utf8_lossy(&body).contains("checksum"), "{body:?}");
    let full = query.replace("path=/a", "path=/full/disk");
    let (status, _, _) = put(full, own(), b"").await;
    assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE);

    for wrong in ["size=x", "name=box&path=/a", "path=a", "blake3=zz", "upload=7"] {
        let (key, _) = wrong.split_once('=').unwrap();
        let kept: Vec<_> =
            query.split('&').filter(|pair| !pair.starts_with(&format!("{key}="))).collect();
        let query = format!("{}&{wrong}", kept.join("&"));
        let (status, _, _) = put(query.clone(), own(), b"").await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn another_page_may_neither_send_nor_take() {
    let world = running().await;
    let token = world.token(Who::Ann).await.unwrap();
    let cookie = format!("{}={token}", berth_api::COOKIE);
    let cookie = ("cookie", cookie.as_str());
    let upload = format!("{BOX}&path=/a&upload=00000000-0000-0000-0000-000000000001&size=9");
    for origin in ["https://evil.test", "https://berth.test:8081", "null"] {
        let headers = [cookie, ("origin", origin)];
        let (status, _, _) = plain(&world, Method::PUT, &upload, &headers, b"x").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{origin}");
    }
    let (status, _, _) = plain(&world, Method::PUT, &upload, &[cookie], b"x").await;
    assert_eq!(status, StatusCode::FORBIDDEN, "no origin at all");
    let hello = format!("{BOX}&path=/hello");
    for site in ["cross-site", "same-site"] {
        let headers = [cookie, ("sec-fetch-site", site)];
        let (status, _, _) = plain(&world, Method::GET, &hello, &headers, b"").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{site}");
    }
    for site in ["same-origin", "none"] {
        let headers = [cookie, ("sec-fetch-site", site)];
        let (status, _, _) = plain(&world, Method::GET, &hello, &headers, b"").await;
        assert_eq!(status, StatusCode::OK, "{site}");
    }
    let (status, _, _) = plain(&world, Method::GET, &hello, &[], b"").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let ben = format!("Bearer {}", world.token(Who::Ben).await.unwrap());
    let (status, _, _) = plain(&world, Method::GET, &hello, &[("authorization", &ben)], b"").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
