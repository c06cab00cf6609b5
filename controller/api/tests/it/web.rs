//! A browser, and the pages that would like to use somebody's.

use axum::{
    body::Body,
    http::{HeaderMap, Request, Response, StatusCode, header},
};
use berth_proto::v1;
use http_body_util::BodyExt as _;
use prost::Message;
use tower::ServiceExt as _;

use crate::world::{PASSWORD, World};

const HOST: (&str, &str) = ("host", "berth.example.edu:8443");
const ORIGIN: (&str, &str) = ("origin", "https://berth.example.edu:8443");
const WEB: (&str, &str) = ("content-type", "application/grpc-web+proto");

struct Answer {
    code: u32,
    headers: HeaderMap,
    message: Vec<u8>,
}

async fn post(
    world: &World,
    path: &str,
    message: &impl Message,
    headers: &[(&str, &str)],
) -> Answer {
    let bytes = message.encode_to_vec();
    let mut body = vec![0];
    body.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    body.extend(bytes);
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = send(world, request.body(Body::from(body)).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers().clone();
    let body = response.into_body().collect().await.unwrap();
    let native = body.trailers().and_then(|trailers| number(trailers.get("grpc-status")));
    let body = body.to_bytes();
    let (message, trailers) = frames(&body);
    let code = number(headers.get("grpc-status")).or(native).or(trailers).unwrap();
    Answer { code, headers, message }
}

fn number(value: Option<&header::HeaderValue>) -> Option<u32> {
    value?.to_str().ok()?.parse().ok()
}

/// The message, and the status in gRPC-web's trailer frame.
fn frames(mut body: &[u8]) -> (Vec<u8>, Option<u32>) {
    let (mut message, mut status) = (Vec::new(), None);
    while body.len() >= 5 {
        let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
        let frame = &body[5..5 + length];
        if body[0] & 0x80 == 0 {
            message = frame.to_vec();
        } else {
            let text = String::from_utf8_lossy(frame).into_owned();
            let line = text.lines().find_map(|line| line.strip_prefix("grpc-status:"));
            status = line.and_then(|code| code.trim().parse().ok());
        }
        body = &body[5 + length..];
    }
    (message, status)
}

async fn send(world: &World, request: Request<Body>) -> Response<Body> {
    world.router.clone().oneshot(request).await.unwrap()
}

fn credentials() -> v1::SignInRequest {
    v1::SignInRequest { account: "ann".into(), password: PASSWORD.into(), ..Default::default() }
}

const SIGN_IN: &str = "/berth.v1.AuthService/SignIn";
const SIGN_OUT: &str = "/berth.v1.AuthService/SignOut";
const GET_SELF: &str = "/berth.v1.AuthService/GetSelf";

async fn cookie(world: &World) -> String {
    let answer = post(world, SIGN_IN, &credentials(), &[HOST, ORIGIN, WEB]).await;
    assert_eq!(answer.code, 0);
    answer.headers[header::SET_COOKIE].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_browser_gets_a_cookie_and_no_token() {
    let world = World::new().await;
    let answer = post(&world, SIGN_IN, &credentials(), &[HOST, ORIGIN, WEB]).await;
    let session = v1::SignInResponse::decode(answer.message.as_slice()).unwrap();
    assert_eq!(session.token, "");
    assert_eq!(session.user.unwrap().account, "ann");
    let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
    let (pair, attributes) = set.split_once("; ").unwrap();
    assert!(pair.starts_with("__Host-berth=berth_s_"), "{pair}");
    assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=3600");

    let answer =
        post(&world, GET_SELF, &v1::GetSelfRequest {}, &[HOST, ORIGIN, WEB, ("cookie", pair)])
            .await;
    let me = v1::GetSelfResponse::decode(answer.message.as_slice()).unwrap();
    assert_eq!(me.user.unwrap().account, "ann");

    let answer =
        post(&world, SIGN_OUT, &v1::SignOutRequest {}, &[HOST, ORIGIN, WEB, ("cookie", pair)])
            .await;
    let clear = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(clear.starts_with("__Host-berth=; ") && clear.ends_with("Max-Age=0"), "{clear}");
    let answer =
        post(&world, GET_SELF, &v1::GetSelfRequest {}, &[HOST, ORIGIN, WEB, ("cookie", pair)])
            .await;
    assert_eq!(answer.code, 16);
}

#[tokio::test]
async fn other_sites_cannot_use_the_cookie() {
    let world = World::new().await;
    let set = cookie(&world).await;
    let mine = ("cookie", set.split(';').next().unwrap());
    let call = async |headers: &[(&str, &str)]| {
        post(&world, GET_SELF, &v1::GetSelfRequest {}, headers).await.code
    };
    assert_eq!(call(&[HOST, ORIGIN, WEB, mine]).await, 0);
    assert_eq!(call(&[HOST, WEB, mine, ("sec-fetch-site", "same-origin")]).await, 0);
    for foreign in [
        "https://evil.example",
        "https://berth.example.edu",
        "https://berth.example.edu:20001",
        "https://a.berth.example.edu:8443",
        "null",
    ] {
        assert_eq!(call(&[HOST, WEB, mine, ("origin", foreign)]).await, 7, "{foreign}");
    }
    assert_eq!(call(&[HOST, WEB, mine]).await, 7, "a browser says where it comes from");
    assert_eq!(call(&[HOST, WEB, mine, ("sec-fetch-site", "same-site")]).await, 7);
    // A program on another host name that is pointed here.
    assert_eq!(call(&[("host", "evil.example"), ORIGIN, WEB, mine]).await, 7);
    // Cookies are for browsers, and browsers speak gRPC-web. (gRPC itself needs HTTP/2; over HTTP/1.1 it is a bad request.)
    let native = Request::post(GET_SELF)
        .version(axum::http::Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("cookie", mine.1)
        .header(ORIGIN.0, ORIGIN.1)
        .header(HOST.0, HOST.1)
        .body(Body::from(vec![0; 5]))
        .unwrap();
    let response = send(&world, native).await;
    assert_eq!(response.headers()["grpc-status"], "16");
}

#[tokio::test]
async fn nobody_is_signed_in_by_another_site() {
    let world = World::new().await;
    for headers in [
        vec![HOST, WEB],
        vec![HOST, WEB, ("origin", "https://evil.example")],
        vec![HOST, WEB, ("origin", "null")],
    ] {
        let answer = post(&world, SIGN_IN, &credentials(), &headers).await;
        assert_eq!(answer.code, 7);
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
    }
    // A stale cookie is no hindrance.
    let stale = ("cookie", "__Host-berth=berth_s_stale");
    let answer = post(&world, SIGN_IN, &credentials(), &[HOST, ORIGIN, WEB, stale]).await;
    assert_eq!(answer.code, 0);
}

#[tokio::test]
async fn calls_and_pages_are_told_apart() {
    let world = World::new().await;
    let page = async |request: Request<Body>| {
        let response = send(&world, request).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    assert!(page(get("/containers")).await.1.starts_with("<!doctype"));
    // A form or a link of another site reaches no service.
    let (status, body) = page(get(SIGN_OUT)).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(!body.contains("<!doctype"));
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json", ""] {
        let form =
            Request::post(SIGN_OUT).header("content-type", kind).body(Body::from("x")).unwrap();
        assert_eq!(page(form).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    // What does not exist is said to not exist, in gRPC's way.
    for path in ["/berth.v1.Nothing/Get", "/containers"] {
        let answer = post(&world, path, &v1::GetSelfRequest {}, &[HOST, ORIGIN, WEB]).await;
        assert_eq!(answer.code, 12, "{path}");
        assert_eq!(answer.headers["content-type"], "application/grpc-web+proto");
    }
    // A preflight gets no permission.
    let preflight = Request::options(GET_SELF)
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST")
        .body(Body::empty())
        .unwrap();
    let response = send(&world, preflight).await;
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}

/// The language of errors is the caller's.
#[tokio::test]
async fn errors_in_japanese() {
    let world = World::new().await;
    let wrong = v1::SignInRequest { password: "x".into(), ..credentials() };
    let language = ("accept-language", "ja-JP,ja;q=0.9");
    let answer = post(&world, SIGN_IN, &wrong, &[HOST, ORIGIN, WEB, language]).await;
    assert_eq!(answer.code, 16);
    let message = answer.headers["grpc-message"].to_str().unwrap();
    assert!(message.starts_with("%E3%82%A2%E3%82%AB"), "アカ: {message}");
}
