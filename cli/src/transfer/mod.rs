//! Files to containers and from them, over connections that break.

mod down;
mod folder;
mod place;
mod progress;
mod up;

use std::time::Duration;

use anyhow::Result;
use berth_proto::v1::{self, file_service_client::FileServiceClient};
use tonic::{Code, Status};

pub(crate) use self::{place::Place, progress::Progress};
use crate::{client::As, text};

/// Attempts that bring nothing, one after another.
const ATTEMPTS: u32 = 12;
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAXIMUM: Duration = Duration::from_secs(10);

/// Bytes in a message: what the service passes on in one piece.
const CHUNK: usize = 64 << 10;
/// Messages that wait for the line.
const QUEUE: usize = 16;

/// Somewhere in a container.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) path: String,
}

impl Remote {
    fn at(&self, path: String) -> Self {
        Self { path, ..self.clone() }
    }

    fn below(&self, name: &str) -> Self {
        self.at(format!("{}/{name}", self.path.trim_end_matches('/')))
    }

    /// The last part of its path.
    fn file_name(&self) -> Option<&str> {
        self.path.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty())
    }
}

#[derive(Clone)]
pub(crate) struct Transfer {
    client: FileServiceClient<As>,
    progress: Progress,
}

impl Transfer {
    pub(crate) fn new(client: FileServiceClient<As>) -> Self {
        Self { client, progress: Progress::new() }
    }

    pub(crate) fn end(&self) {
        self.progress.end();
    }

    /// `None`: nothing is there.
    async fn stat(&self, remote: &Remote) -> Result<Option<v1::File>> {
        let Remote { owner, name, path } = remote.clone();
        match self.client.clone().stat(v1::StatRequest { owner, name, path }).await {
            Ok(file) => Ok(Some(file.into_inner())),
            // The container itself may be what is not there.
            Err(status) if status.code() == Code::NotFound && is_about_a_file(&status) => Ok(None),
            Err(status) => Err(status.into()),
        }
    }

    /// What a path leads to: a link to a folder is one.
    async fn is_folder(&self, remote: &Remote) -> Result<bool> {
        let Some(file) = self.stat(remote).await? else { return Ok(false) };
        Ok(match file.kind() {
            v1::FileKind::Directory => true,
            v1::FileKind::Link => {
                let Remote { owner, name, path } = remote.clone();
                let list = v1::ListFilesRequest { owner, name, path, limit: 1 };
                self.client.clone().list(list).await.is_ok()
            }
            v1::FileKind::File | v1::FileKind::Other | v1::FileKind::Unspecified => false,
        })
    }

    async fn make_directory(&self, remote: &Remote) -> Result<()> {
        let Remote { owner, name, path } = remote.clone();
        let request = v1::MakeDirectoryRequest { owner, name, path };
        self.client.clone().make_directory(request).await?;
        Ok(())
    }
}

fn is_about_a_file(status: &Status) -> bool {
    // `google.rpc.ErrorInfo` as it is on the wire: no other reason contains it.
    status.details().windows(REASON.len()).any(|window| window == REASON)
}

const REASON: &[u8] = b"\x0a\x04FILE\x12\x05berth";

/// Whether the same call may succeed when it is made again: the line broke, or the service says so.
fn is_passing(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable => true,
        // Of the transport's own making: the service adds details to every error.
        Code::Unknown | Code::Cancelled | Code::Internal | Code::Ok => status.details().is_empty(),
        _ => false,
    }
}

/// Waits longer after each attempt that brought nothing.
struct Patience {
    attempts: u32,
    reached: u64,
}

impl Patience {
    fn new() -> Self {
        Self { attempts: 0, reached: 0 }
    }

    /// Returns when the next attempt is due, or gives the error back when there were enough.
    async fn after(&mut self, status: Status, reached: u64) -> Result<(), Status> {
        if reached > self.reached {
            (self.reached, self.attempts) = (reached, 0);
        }
        self.attempts += 1;
        if self.attempts > ATTEMPTS || !is_passing(&status) {
            return Err(status);
        }
        let pause = PAUSE.saturating_mul(1 << self.attempts.min(5)).min(PAUSE_MAXIMUM);
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

fn shown(remote: &Remote) -> String {
    format!("{}:{}", remote.name, remote.path)
}

fn note_skipped(path: &std::path::Path) -> Result<()> {
    crate::output::note(&text::skipped(&path.display().to_string()))
}
