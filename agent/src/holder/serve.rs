//! The holder's process.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use berth_docker::exec::Exec;
use berth_proto::agent::v1::holder_service_server::HolderServiceServer;
use futures::future::join_all;
use rustix::process::{Resource, getrlimit, setrlimit, setsid};
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_stream::wrappers::UnixListenerStream;

use super::{
    registry::{Phase, Registry},
    service::{Callers, Service},
};

const STREAM_WINDOW: u32 = 256 << 10;
/// When the holder itself is told to end.
const LAST_GRACE: Duration = Duration::from_secs(2);
/// Calls that are on their way out.
const GOODBYE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(250);
const SMALLEST_RING: usize = 4 << 10;

#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Where to listen. Its folder is also where terminals are counted, and must be the same for all holders.
    #[arg(long)]
    pub socket: PathBuf,
    /// The engine's socket.
    #[arg(long, default_value = "/var/run/docker.sock")]
    pub engine: PathBuf,
    /// How many bytes of a terminal's output are kept.
    #[arg(long, default_value_t = 256 << 10)]
    pub ring: usize,
    /// How many seconds without a terminal and without a caller until it ends by itself.
    #[arg(long, default_value_t = 60)]
    pub idle: u64,
    /// How many seconds the output of a terminal that has ended can still be read.
    #[arg(long, default_value_t = 300)]
    pub keep: u64,
}

/// Until nothing is left to hold, or it is told to end.
pub async fn run(options: Options) -> anyhow::Result<()> {
    // Away from the agent's session, so that nothing meant for that ends this. Fails if it leads one already, which is as
    // good.
    let _ = setsid();
    raise_open_files();
    let directory = options.socket.parent().context("the socket has no folder")?.to_owned();
    let listener = listen(&directory, &options.socket)?;
    let _removed = Removed(&options.socket);
    let registry = Arc::new(Registry::new(
        Exec::new(&options.engine),
        directory,
        options.ring.max(SMALLEST_RING),
        Duration::from_secs(options.keep),
    ));
    let callers = Arc::new(Callers::new());
    let service = Service { registry: Arc::clone(&registry), callers: Arc::clone(&callers) };
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tonic::transport::Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .add_service(HolderServiceServer::new(service))
        .serve_with_incoming_shutdown(UnixListenerStream::new(listener), async {
            let _ = stopped.await;
        });
    let mut server = tokio::spawn(server);
    tracing::info!(socket = %options.socket.display(), "the session holder is ready");

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A session of its own has no line that could hang up; somebody may still send it.
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        () = until_unneeded(&registry, &callers, Duration::from_secs(options.idle)) => {
            tracing::info!("nothing is left to hold");
        }
        _ = terminate.recv() => end_all(&registry).await,
        _ = interrupt.recv() => end_all(&registry).await,
        _ = hang_up.recv() => end_all(&registry).await,
        ended = &mut server => ended.context("the server has failed")??,
    }
    // First, so that nobody comes any more.
    let _ = fs::remove_file(&options.socket);
    let _ = stop.send(());
    let _ = timeout(GOODBYE, server).await;
    Ok(())
}

async fn until_unneeded(registry: &Registry, callers: &Callers, idle: Duration) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match registry.phase() {
            Phase::Open => {
                if callers.quiet_for() >= idle && registry.retire_if_empty() {
                    return;
                }
            }
            Phase::Retired => {
                if registry.is_done() {
                    return;
                }
            }
        }
    }
}

async fn end_all(registry: &Registry) {
    registry.retire();
    let terminals = registry.terminals();
    tracing::info!(terminals = terminals.len(), "told to end");
    let ends = terminals.iter().map(|terminal| terminal.hang_up(LAST_GRACE));
    for error in join_all(ends).await.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "a terminal's program runs on");
    }
}

fn listen(directory: &Path, socket: &Path) -> anyhow::Result<UnixListener> {
    let context = || format!("{}", socket.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).with_context(context)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).with_context(context)?;
    let listener = UnixListener::bind(socket).with_context(context)?;
    // Nobody else gets into the folder, so nobody was quicker than this.
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600)).with_context(context)?;
    Ok(listener)
}

/// A terminal is two of them, and who is attached is one more.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the number of open files stays as it is");
    }
}

/// Also when the holder ends with an error.
struct Removed<'a>(&'a Path);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0);
    }
}
