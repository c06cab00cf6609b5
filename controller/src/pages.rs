//! What the API port serves beside gRPC: the console, and the authority's certificate.

use std::{borrow::Cow, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::get,
};
use berth_assets::Asset;

/// A year; see the configuration for what it means.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=31536000";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Only this port speaks of TLS.
    ThisPort,
    /// Browsers are told that the whole host does.
    WholeHost,
}

pub(crate) fn router(ca_pem: &str, transport: Transport) -> Router {
    let pem: Arc<str> = ca_pem.into();
    let ca = move || async move {
        ([(header::CONTENT_TYPE, "application/x-pem-file")], pem.to_string())
    };
    Router::new()
        .route("/ca.pem", get(ca))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(console)
        .layer(from_fn_with_state(transport, security_headers))
}

/// Every address of the console is the same page; what looks like a file is a file or nothing.
async fn console(request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let accept = request
        .headers()
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let path = request.uri().path();
    if let Some(asset) = berth_assets::get(path, accept) {
        return send(asset, request.headers());
    }
    if path.starts_with("/assets/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    match berth_assets::index(accept) {
        Some(index) => send(index, request.headers()),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The console was not built into this program. gRPC is served on this port all the same.\n",
        )
            .into_response(),
    }
}

fn send(asset: Asset, asked: &HeaderMap) -> Response {
    let unchanged = asked.get(header::IF_NONE_MATCH).is_some_and(|tag| *tag == *asset.etag);
    let cache = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        // In a release the file is part of the program and is not copied.
        Body::from(match asset.body {
            Cow::Borrowed(body) => Bytes::from_static(body),
            Cow::Owned(body) => Bytes::from(body),
        })
        .into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::from_str(&asset.etag) {
        headers.insert(header::ETAG, etag);
    }
    if let Some(encoding) = asset.encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

async fn security_headers(
    State(transport): State<Transport>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, berth_assets::CONTENT_SECURITY_POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if transport == Transport::WholeHost {
        set(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY);
    }
    response
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(method: Method, path: &str, transport: Transport) -> Response {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        router("PEM", transport).oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn every_answer_is_guarded() {
        for path in ["/", "/containers", "/ca.pem", "/healthz", "/assets/none.js"] {
            let headers = ask(Method::GET, path, Transport::ThisPort).await.headers().clone();
            assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
            assert_eq!(headers["x-frame-options"], "DENY", "{path}");
            assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
            assert_eq!(headers["cross-origin-opener-policy"], "same-origin", "{path}");
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("frame-ancestors 'none'"), "{path}");
            assert!(!headers.contains_key("strict-transport-security"), "{path}");
        }
        let whole = ask(Method::GET, "/", Transport::WholeHost).await;
        assert!(whole.headers().contains_key("strict-transport-security"));
    }

    #[tokio::test]
    async fn pages_files_and_what_is_neither() {
        let missing = ask(Method::GET, "/assets/none.js", Transport::ThisPort).await;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND);
        let posted = ask(Method::POST, "/containers", Transport::ThisPort).await;
        assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
        let page = ask(Method::GET, "/c/jupyter?owner=ann", Transport::ThisPort).await;
        if berth_assets::is_built() {
            assert_eq!(page.status(), StatusCode::OK);
            assert_eq!(page.headers()[header::CACHE_CONTROL], "no-cache");
            let etag = page.headers()[header::ETAG].clone();
            let again = Request::get("/").header(header::IF_NONE_MATCH, etag);
            let again = router("PEM", Transport::ThisPort)
                .oneshot(again.body(Body::empty()).unwrap())
                .await
                .unwrap();
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        } else {
            assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    }
}
