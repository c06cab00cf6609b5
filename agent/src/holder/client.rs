//! The agent's side: which holders there are, and which of them is asked.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use berth_core::id::ContainerId;
use berth_docker::exec::Exec;
use berth_proto::agent::v1::{
    self as wire, holder_service_client::HolderServiceClient, relay_frame::Body,
};
use futures::{Stream, StreamExt as _, stream};
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    net::UnixStream,
    process::{Child, Command},
    sync::Mutex,
    time::{Instant, sleep, timeout},
};
use tonic::{
    Code, Status, Streaming,
    transport::{Channel, Endpoint, Uri},
};
use tower::service_fn;

use super::VERSION;

const STREAM_WINDOW: u32 = 256 << 10;
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
/// A start waits for the engine, an end for the program's grace.
const WORK: Duration = Duration::from_secs(90);
/// From a holder's start to its first answer.
const READY: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(10);
const LOG_MAXIMUM: u64 = 1 << 20;

type Client = HolderServiceClient<Channel>;

/// All session holders of this blade. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Holders {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) directory: PathBuf,
    program: PathBuf,
    engine: PathBuf,
    pub(super) exec: Exec,
    /// The one that gets what is new.
    current: Mutex<Option<PathBuf>>,
}

/// What a socket in the folder turned out to be.
pub(super) enum Found {
    Holder(Box<Client>, wire::HolderListResponse),
    /// Nobody is behind it.
    Dead,
    /// Somebody is, and says nothing.
    Silent,
}

impl Holders {
    /// Finds the holders that run. Those of another version get nothing new and end with their last terminal.
    ///
    /// `program` is the agent's own: it is started with `session-holder`.
    pub async fn new(directory: PathBuf, program: PathBuf, engine: PathBuf) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let exec = Exec::new(&engine);
        let current = Mutex::new(None);
        let holders = Self { inner: Arc::new(Inner { directory, program, engine, exec, current }) };
        let mut current = holders.inner.current.lock().await;
        for socket in sockets(&holders.inner.directory)? {
            match look(&socket).await {
                Found::Dead => fs::remove_file(&socket)?,
                Found::Silent => {
                    tracing::warn!(socket = %socket.display(), "a session holder does not answer");
                }
                Found::Holder(_, answer) if answer.version == VERSION && current.is_none() => {
                    tracing::info!(terminals = answer.terminals.len(), "found the session holder");
                    *current = Some(socket);
                }
                Found::Holder(mut client, answer) => {
                    tracing::info!(
                        version = answer.version,
                        terminals = answer.terminals.len(),
                        "an older session holder keeps what it has"
                    );
                    if let Err(status) = client.retire(wire::HolderRetireRequest {}).await {
                        tracing::warn!(error = status.message(), "a session holder is not retired");
                    }
                }
            }
        }
        drop(current);
        Ok(holders)
    }

    /// Starts a program in a terminal; an empty command is the best shell that the image has.
    pub async fn start(
        &self,
        request: wire::HolderStartRequest,
    ) -> Result<wire::HeldTerminal, wire::RelayEnd> {
        // The one that was there may be just about to end, so once more with a new one.
        for _ in 0..2 {
            let (socket, mut client) = self.current().await.map_err(|error| failed(&error))?;
            let asked = timeout(WORK, client.start(request.clone())).await;
            let status = match asked {
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded("the session holder does not answer"),
            };
            // Nothing was begun: it had retired, or was gone before it heard.
            let gone = status.code() == Code::Aborted || !is_alive(&socket).await;
            if !gone {
                return Err(end_of(&status, wire::RelayEndReason::CommandNotFound));
            }
            let mut current = self.inner.current.lock().await;
            if current.as_ref() == Some(&socket) {
                *current = None;
            }
        }
        Err(failed(&"no session holder stays"))
    }

    /// Of one container, by number; those that have just ended too.
    pub async fn list(&self, container: ContainerId) -> Vec<wire::HeldTerminal> {
        let container = container.to_string();
        let (all, _) = self.list_all().await;
        all.into_iter().filter(|terminal| terminal.container_id == container).collect()
    }

    /// The answer begins with `terminal` and `position`, and ends with `end`, also where there is no such terminal.
    /// `input` is what is typed and the sizes; its end is not the terminal's, dropping the answer is.
    pub async fn attach(
        &self,
        attach: wire::TerminalAttach,
        input: impl Stream<Item = wire::RelayFrame> + Send + 'static,
    ) -> Result<Streaming<wire::RelayFrame>, wire::RelayEnd> {
        let Some(mut client) = self.holder_of(&attach.container_id, attach.number).await else {
            return Err(no_such_terminal());
        };
        let first = wire::RelayFrame { body: Some(Body::Attach(attach)) };
        let input = stream::once(async { first }).chain(input);
        match timeout(ANSWER, client.attach(input)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(end_of(&status, wire::RelayEndReason::NoSuchTerminal)),
            Err(_) => Err(failed(&"the session holder does not answer")),
        }
    }

    /// Hangs up; returns when its program has ended.
    pub async fn end(&self, container: ContainerId, number: u32) -> Result<(), wire::RelayEnd> {
        let container_id = container.to_string();
        let Some(mut client) = self.holder_of(&container_id, number).await else {
            return Err(no_such_terminal());
        };
        let request = wire::HolderEndRequest { container_id, number };
        match timeout(WORK, client.end(request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(end_of(&status, wire::RelayEndReason::NoSuchTerminal)),
            Err(_) => Err(failed(&"the session holder does not answer")),
        }
    }

    /// Of all holders, and how many of these say nothing.
    pub(super) async fn list_all(&self) -> (Vec<wire::HeldTerminal>, usize) {
        let (mut terminals, mut silent) = (Vec::new(), 0);
        for found in self.all().await {
            match found {
                Found::Holder(_, answer) => terminals.extend(answer.terminals),
                Found::Dead => {}
                Found::Silent => silent += 1,
            }
        }
        terminals.sort_by_key(|terminal| terminal.number);
        (terminals, silent)
    }

    async fn all(&self) -> Vec<Found> {
        let sockets = sockets(&self.inner.directory).unwrap_or_else(|error| {
            tracing::warn!(%error, "the session holders' folder cannot be read");
            Vec::new()
        });
        stream::iter(sockets).then(async |socket| look(&socket).await).collect().await
    }

    async fn holder_of(&self, container: &str, number: u32) -> Option<Client> {
        let has = |terminal: &wire::HeldTerminal| {
            terminal.number == number && terminal.container_id == container
        };
        self.all().await.into_iter().find_map(|found| match found {
            Found::Holder(client, answer) => answer.terminals.iter().any(has).then_some(*client),
            Found::Dead | Found::Silent => None,
        })
    }

    /// The holder for what is new; made when there is none. One at a time, so that two starts do not make two.
    async fn current(&self) -> io::Result<(PathBuf, Client)> {
        let mut current = self.inner.current.lock().await;
        if let Some(socket) = &*current {
            match connect(socket).await {
                Ok(client) => return Ok((socket.clone(), client)),
                Err(error) if is_dead(&error) => {
                    let _ = fs::remove_file(socket);
                }
                Err(error) => return Err(error),
            }
        }
        *current = None;
        let (socket, client) = self.spawn().await?;
        *current = Some(socket.clone());
        Ok((socket, client))
    }

    async fn spawn(&self) -> io::Result<(PathBuf, Client)> {
        let inner = &self.inner;
        let socket = inner.directory.join(format!("{:08x}.sock", rand::random::<u32>()));
        let mut holder = Command::new(&inner.program)
            .arg("session-holder")
            .arg("--socket")
            .arg(&socket)
            .arg("--engine")
            .arg(&inner.engine)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log(&inner.directory)?)
            .spawn()?;
        let begun = Instant::now();
        loop {
            match connect(&socket).await {
                Ok(client) => {
                    tracing::info!(pid = holder.id(), "started a session holder");
                    tokio::spawn(reap(holder));
                    return Ok((socket, client));
                }
                Err(_) if begun.elapsed() < READY => {}
                Err(error) => {
                    let _ = holder.start_kill();
                    tokio::spawn(reap(holder));
                    return Err(error);
                }
            }
            if let Some(status) = holder.try_wait()? {
                return Err(io::Error::other(format!("the session holder has ended: {status}")));
            }
            sleep(LOOK).await;
        }
    }
}

/// Tells all holders to end, with their terminals: for a blade that is given up. Returns how many there were.
pub async fn stop_all(directory: &Path) -> io::Result<usize> {
    let mut count = 0;
    for socket in sockets(directory)? {
        let stream = match UnixStream::connect(&socket).await {
            Ok(stream) => stream,
            Err(error) if is_dead(&error) => {
                fs::remove_file(&socket)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        // Held by the connection: as long as that is open it is the one that listens.
        let pid = stream.peer_cred()?.pid().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        kill_process(pid, Signal::TERM)?;
        count += 1;
        // Its socket is the last thing that it takes away.
        let gone = async {
            while is_alive(&socket).await {
                sleep(LOOK).await;
            }
        };
        timeout(WORK, gone).await?;
    }
    Ok(count)
}

fn sockets(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut sockets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sock") {
            sockets.push(path);
        }
    }
    sockets.sort();
    Ok(sockets)
}

/// Our child for as long as we live.
async fn reap(mut holder: Child) {
    match holder.wait().await {
        Ok(status) => tracing::info!(%status, "a session holder has ended"),
        Err(error) => tracing::warn!(%error, "a session holder has ended"),
    }
}

/// What holders say; at most twice the maximum is kept.
fn log(directory: &Path) -> io::Result<fs::File> {
    let path = directory.join("holder.log");
    if fs::metadata(&path).is_ok_and(|file| file.len() > LOG_MAXIMUM) {
        fs::rename(&path, directory.join("holder.log.1"))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

async fn look(socket: &Path) -> Found {
    let mut client = match connect(socket).await {
        Ok(client) => client,
        Err(error) if is_dead(&error) => return Found::Dead,
        Err(_) => return Found::Silent,
    };
    match timeout(ANSWER, client.list(wire::HolderListRequest {})).await {
        Ok(Ok(answer)) => Found::Holder(Box::new(client), answer.into_inner()),
        Ok(Err(_)) if !is_alive(socket).await => Found::Dead,
        Ok(Err(_)) | Err(_) => Found::Silent,
    }
}

async fn is_alive(socket: &Path) -> bool {
    match UnixStream::connect(socket).await {
        Ok(_) => true,
        Err(error) => !is_dead(&error),
    }
}

fn is_dead(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

/// A connection for every call: what somebody does not read can then not be in anybody's way.
async fn connect(socket: &Path) -> io::Result<Client> {
    let stream = timeout(CONNECT, UnixStream::connect(socket)).await??;
    let mut stream = Some(TokioIo::new(stream));
    let connector = service_fn(move |_: Uri| {
        let stream = stream.take();
        async move { stream.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)) }
    });
    let endpoint = Endpoint::from_static("http://holder").initial_stream_window_size(STREAM_WINDOW);
    let channel = timeout(CONNECT, endpoint.connect_with_connector(connector)).await?;
    let channel = channel.map_err(io::Error::other)?;
    Ok(Client::new(channel))
}

fn no_such_terminal() -> wire::RelayEnd {
    let reason = wire::RelayEndReason::NoSuchTerminal.into();
    wire::RelayEnd { reason, ..wire::RelayEnd::default() }
}

fn failed(detail: &dyn std::fmt::Display) -> wire::RelayEnd {
    let reason = wire::RelayEndReason::Failed.into();
    wire::RelayEnd { reason, detail: detail.to_string(), ..Default::default() }
}

/// "Not found" is another thing in each call.
fn end_of(status: &Status, not_found: wire::RelayEndReason) -> wire::RelayEnd {
    let reason = match status.code() {
        Code::ResourceExhausted => wire::RelayEndReason::TooMany,
        Code::FailedPrecondition => wire::RelayEndReason::ContainerNotRunning,
        Code::NotFound => not_found,
        Code::Unimplemented => wire::RelayEndReason::Unsupported,
        // All that is left is a failure of ours or the engine's; the list is gRPC's.
        _ => wire::RelayEndReason::Failed,
    };
    wire::RelayEnd {
        reason: reason.into(),
        detail: status.message().to_owned(),
        ..Default::default()
    }
}
