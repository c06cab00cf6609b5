//! The engine's API without anything between: one kept-alive connection, HTTP/1.1 on its socket.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

pub(crate) struct Engine {
    sender: http1::SendRequest<Full<Bytes>>,
}

pub(crate) struct Launched {
    pub(crate) id: String,
    pub(crate) created_in: Duration,
    /// All of it.
    pub(crate) launched_in: Duration,
}

impl Engine {
    pub(crate) async fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket)
            .await
            .with_context(|| format!("no engine answers on {}", socket.display()))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; what went wrong with it is told to the request that it happened to.
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// Until the answer is read to its end.
    async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        self.sender.ready().await?;
        let request = Request::builder()
            .method(&method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, body))
    }

    async fn expect(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
        fine: &[u16],
    ) -> Result<Bytes> {
        let (status, answer) = self.call(method.clone(), path, body).await?;
        if !fine.contains(&status.as_u16()) {
            bail!(
                "the engine answers {status} to {method} {path}: {}",
                String::from_utf8_lossy(&answer)
            );
        }
        Ok(answer)
    }

    /// Creates and starts; returns when the start has been answered.
    pub(crate) async fn launch(&mut self, name: &str, body: Bytes) -> Result<Launched> {
        let began = Instant::now();
        let path = format!("/containers/create?name={name}");
        let answer = self.expect(Method::POST, &path, body, &[201]).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let id = answer["Id"].as_str().context("a created container has an id")?.to_owned();
        let created_in = began.elapsed();
        self.expect(Method::POST, &format!("/containers/{id}/start"), Bytes::new(), &[204]).await?;
        Ok(Launched { id, created_in, launched_in: began.elapsed() })
    }

    /// `name` is letters, digits, dots and dashes.
    pub(crate) async fn id_of(&mut self, name: &str) -> Result<String> {
        let path = format!("/containers/{name}/json");
        let answer = self.expect(Method::GET, &path, Bytes::new(), &[200]).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        Ok(answer["Id"].as_str().context("a container has an id")?.to_owned())
    }

    /// As the agent does it: a stop with time to end, then the removal. Returns when it is gone.
    pub(crate) async fn remove(&mut self, id: &str) -> Result<()> {
        let stop = format!("/containers/{id}/stop?t=10");
        self.expect(Method::POST, &stop, Bytes::new(), &[204, 304]).await?;
        let remove = format!("/containers/{id}?v=true&force=true");
        self.expect(Method::DELETE, &remove, Bytes::new(), &[204]).await?;
        let (status, _) =
            self.call(Method::GET, &format!("/containers/{id}/json"), Bytes::new()).await?;
        if status != StatusCode::NOT_FOUND {
            bail!("a removed container is still there: {status}");
        }
        Ok(())
    }

    /// Takes away what an earlier run of this left when it was killed.
    pub(crate) async fn remove_all_called(&mut self, prefix: &str) -> Result<()> {
        let all =
            self.expect(Method::GET, "/containers/json?all=true", Bytes::new(), &[200]).await?;
        let all: Vec<Value> = serde_json::from_slice(&all)?;
        for container in all {
            let names = container["Names"].as_array().into_iter().flatten();
            // The engine puts a slash before each name.
            let is_ours = names
                .filter_map(Value::as_str)
                .any(|name| name.trim_start_matches('/').starts_with(prefix));
            if let Some(id) = container["Id"].as_str().filter(|_| is_ours) {
                self.remove(id).await?;
            }
        }
        Ok(())
    }
}
