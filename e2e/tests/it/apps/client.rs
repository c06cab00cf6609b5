//! HTTPS as a browser speaks it: names lead to the one port, certificates are checked, cookies are kept by host.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

use super::house::House;

pub(super) type Pairs<'a> = &'a [(&'static str, &'a str)];

/// What a browser says when somebody types an address.
pub(super) const TYPED: Pairs<'static> =
    &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];

/// (host, name, value)
#[derive(Default)]
pub(super) struct Jar(Mutex<Vec<(String, String, String)>>);

impl Jar {
    pub(super) fn signed_in(console: &str, token: &str) -> Self {
        let jar = Self::default();
        jar.keep(console, "__Host-berth", token);
        jar
    }

    pub(super) fn keep(&self, host: &str, name: &str, value: &str) {
        let mut cookies = self.0.lock().unwrap();
        cookies.retain(|(of, kept, _)| (of.as_str(), kept.as_str()) != (host, name));
        cookies.push((host.to_owned(), name.to_owned(), value.to_owned()));
    }

    fn of(&self, host: &str) -> String {
        let cookies = self.0.lock().unwrap();
        let pairs = cookies.iter().filter(|(of, _, _)| of == host);
        pairs.map(|(_, name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn learn(&self, host: &str, headers: &HeaderMap) {
        for cookie in headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            if name.starts_with("__Host-") {
                self.keep(host, name, rest.split(';').next().unwrap());
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn location(&self) -> &str {
        self.headers.get("location").and_then(|to| to.to_str().ok()).unwrap_or_default()
    }
}

pub(super) struct Client {
    address: SocketAddr,
    roots: Arc<RootCertStore>,
}

impl Client {
    pub(super) fn new(house: &House) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&house.demo.ca_file).unwrap()).unwrap();
        Self { address: house.api, roots: Arc::new(roots) }
    }

    /// Checks that the certificate is for this very name.
    async fn connect(&self, host: &str, protocol: &[u8]) -> TlsStream<TcpStream> {
        let provider = tokio_rustls::rustls::crypto::ring::default_provider();
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = host.split(':').next().unwrap().to_owned();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(ServerName::try_from(name).unwrap(), stream).await.unwrap()
    }

    async fn send(&self, request: Request<Empty<Bytes>>, host: &str) -> Response<Incoming> {
        let stream = TokioIo::new(self.connect(host, b"http/1.1").await);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        let answer = sender.send_request(request);
        tokio::time::timeout(Duration::from_secs(30), answer).await.expect("an answer").unwrap()
    }

    fn request(jar: &Jar, host: &str, target: &str, pairs: Pairs<'_>) -> Request<Empty<Bytes>> {
        let mut request = Request::get(target).header("host", host);
        let cookies = jar.of(host);
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        request.body(Empty::new()).unwrap()
    }

    pub(super) async fn get(&self, jar: &Jar, url: &str, pairs: Pairs<'_>) -> Answer {
        let (host, path) = split(url);
        let response = self.send(Self::request(jar, host, &path, pairs), host).await;
        read(jar, host, response).await
    }

    pub(super) async fn get_h2(&self, jar: &Jar, url: &str) -> Answer {
        let (host, _) = split(url);
        let stream = TokioIo::new(self.connect(host, b"h2").await);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        let mut request = Self::request(jar, host, url, &[]);
        request.headers_mut().remove("host");
        let response = sender.send_request(request).await.unwrap();
        read(jar, host, response).await
    }

    /// As somebody who types the address, until there is a page.
    pub(super) async fn follow(&self, jar: &Jar, url: &str) -> (String, Answer) {
        let mut url = url.to_owned();
        for _ in 0..10 {
            let answer = self.get(jar, &url, TYPED).await;
            if answer.status != StatusCode::SEE_OTHER {
                return (url, answer);
            }
            url = answer.location().to_owned();
        }
        panic!("round and round: {url}");
    }

    /// Until the page says so.
    pub(super) async fn until(
        &self,
        jar: &Jar,
        url: &str,
        words: &str,
        patience: Duration,
    ) -> Answer {
        let deadline = Instant::now() + patience;
        loop {
            let answer = self.get(jar, url, &[]).await;
            if answer.body.contains(words) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn upgrade(
        &self,
        jar: &Jar,
        host: &str,
        origin: &str,
    ) -> Result<Tunnel, StatusCode> {
        let pairs = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("origin", origin),
        ];
        let response = self.send(Self::request(jar, host, "/", &pairs), host).await;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(response.status());
        }
        Ok(Tunnel(TokioIo::new(hyper::upgrade::on(response).await.unwrap())))
    }
}

pub(super) struct Tunnel(TokioIo<hyper::upgrade::Upgraded>);

impl Tunnel {
    /// What comes back of what is sent.
    pub(super) async fn echo(&mut self, sent: &[u8]) -> Vec<u8> {
        let mut heard = vec![0; sent.len()];
        let (mut reading, mut writing) = tokio::io::split(&mut self.0);
        let both = async {
            tokio::try_join!(
                async {
                    writing.write_all(sent).await?;
                    writing.flush().await
                },
                async { reading.read_exact(&mut heard).await.map(drop) },
            )
        };
        tokio::time::timeout(Duration::from_secs(30), both).await.unwrap().unwrap();
        heard
    }
}

fn split(url: &str) -> (&str, String) {
    let rest = url.strip_prefix("https://").expect("only https");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    (host, format!("/{path}"))
}

async fn read(jar: &Jar, host: &str, response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    jar.learn(host, &head.headers);
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    Answer { status: head.status, headers: head.headers, body }
}
