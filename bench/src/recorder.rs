//! Stands between an agent and its engine for a while and writes down what the agent asks to have created, so that the
//! engine alone can be asked for exactly the same.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
};

#[derive(Clone, Default)]
pub(crate) struct Bodies(Arc<Mutex<Vec<Value>>>);

impl Bodies {
    /// The latest creation with this hostname.
    pub(crate) fn last_called(&self, hostname: &str) -> Result<Value> {
        let bodies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = bodies.iter().rev().find(|body| body["Hostname"] == hostname).cloned();
        found.with_context(|| {
            let others: Vec<&Value> = bodies.iter().map(|body| &body["Hostname"]).collect();
            format!("the agent never asked the engine for {hostname}, but for {others:?}")
        })
    }

    fn push(&self, body: Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    }
}

/// Listens until the handle is aborted.
pub(crate) fn record(listen: &Path, engine: &Path) -> Result<(Bodies, JoinHandle<()>)> {
    let listener = UnixListener::bind(listen)
        .with_context(|| format!("{} cannot be listened on", listen.display()))?;
    let bodies = Bodies::default();
    let (seen, engine) = (bodies.clone(), engine.to_owned());
    let task = tokio::spawn(async move {
        while let Ok((agent, _)) = listener.accept().await {
            let (seen, engine) = (seen.clone(), engine.clone());
            tokio::spawn(async move {
                // The agent sees a broken connection and makes a new one.
                if let Ok(engine) = UnixStream::connect(engine).await {
                    join(agent, engine, seen).await;
                }
            });
        }
    });
    Ok((bodies, task))
}

async fn join(agent: UnixStream, engine: UnixStream, bodies: Bodies) {
    let (from_agent, to_agent) = agent.into_split();
    let (from_engine, to_engine) = engine.into_split();
    let asked = tokio::spawn(copy(from_agent, to_engine, Some(bodies)));
    copy(from_engine, to_agent, None).await;
    asked.abort();
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, bodies: Option<Bodies>) {
    let mut buffer = vec![0; 64 << 10];
    let mut pending = Vec::new();
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if let Some(bodies) = &bodies {
            pending.extend_from_slice(&buffer[..read]);
            while let Some(request) = take_request(&mut pending) {
                if request.path.starts_with("/containers/create")
                    && let Ok(body) = serde_json::from_slice(&request.body)
                {
                    bodies.push(body);
                }
            }
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// Without the API's version.
    path: String,
    body: Vec<u8>,
}

/// The first complete request, taken out of `bytes`.
fn take_request(bytes: &mut Vec<u8>) -> Option<Asked> {
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_end]);
    let length: usize = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(Some(0), |(_, value)| value.trim().parse().ok())?;
    if bytes.len() < head_end + length {
        return None;
    }
    let path = head.split(' ').nth(1).unwrap_or_default();
    let version = path.strip_prefix("/v1.").and_then(|rest| rest.find('/'));
    let path = version.map_or(path, |at| &path["/v1.".len() + at..]).to_owned();
    let rest = bytes.split_off(head_end + length);
    let body = std::mem::replace(bytes, rest).split_off(head_end);
    Some(Asked { path, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_out_of_a_stream() {
        let mut stream = b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
        stream.extend(
            b"POST /v1.41/containers/create?name=a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}GE",
        );
        assert_eq!(take_request(&mut stream).unwrap().path, "/version");
        let create = take_request(&mut stream).unwrap();
        assert_eq!(create.path, "/containers/create?name=a");
        assert_eq!(create.body, b"{}");
        assert_eq!(take_request(&mut stream), None);
        assert_eq!(stream, b"GE");
    }

    #[test]
    fn a_body_that_is_still_coming() {
        let mut stream = b"POST /x HTTP/1.1\r\ncontent-length: 3\r\n\r\nab".to_vec();
        assert_eq!(take_request(&mut stream), None);
        stream.push(b'c');
        assert_eq!(take_request(&mut stream).unwrap().body, b"abc");
    }
}
