//! The page behind a container's port, fetched as plainly as can be.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);
const LARGEST: u64 = 1 << 20;

/// What a GET of `/` answers; fails for anything but 200.
pub async fn fetch(host: &str, port: u16) -> Result<String> {
    tokio::time::timeout(PATIENCE, exchange(host, port))
        .await
        .with_context(|| format!("{host}:{port} does not answer within {PATIENCE:?}"))?
        .with_context(|| format!("{host}:{port} does not answer"))
}

/// The same, for a program that has just been started and may not listen yet.
pub async fn fetch_soon(host: &str, port: u16) -> Result<String> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match fetch(host, port).await {
            Err(_) if tokio::time::Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            answer => return answer,
        }
    }
}

async fn exchange(host: &str, port: u16) -> Result<String> {
    let mut stream = TcpStream::connect((host, port)).await?;
    // HTTP/1.0: the answer ends with the connection.
    stream.write_all(format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LARGEST).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    let status = head.split_ascii_whitespace().nth(1).unwrap_or_default();
    if status != "200" {
        bail!("the answer is {}", head.lines().next().unwrap_or_default());
    }
    Ok(body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answering(answer: &'static str) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 256];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        port
    }

    #[tokio::test]
    async fn only_a_page_is_a_page() {
        let port = answering("HTTP/1.0 200 OK\r\nX: y\r\n\r\nhello").await;
        assert_eq!(fetch("127.0.0.1", port).await.unwrap(), "hello");
        let port = answering("HTTP/1.0 404 Not Found\r\n\r\nno").await;
        assert!(fetch("127.0.0.1", port).await.is_err());
        let port = answering("garbage").await;
        assert!(fetch("127.0.0.1", port).await.is_err());
    }
}
