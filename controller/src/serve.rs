//! Starts everything in order, waits, and ends it in order.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use axum_server::{
    Handle as ServerHandle,
    accept::NoDelayAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use berth_api::{Api, Apps, Join, Parts, Site};
use berth_app::{
    background,
    figures::{self, Figures},
    local_directory::LocalDirectory,
    ports::{Directory, History, LocalAccounts, Records, Store, StoreError},
    sign_in::SignIn,
    state::State,
    writer::{self, Handle, Writer},
};
use berth_core::{
    clock::Clock,
    id::{ClusterId, Epoch, IdSource},
};
use berth_gate::Gate;
use berth_session::{AgentServer, Registry, Rendezvous, Timing};
use berth_store::SqlStore;
use hyper_util::rt::TokioTimer;
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};

use crate::{
    SystemClock, SystemIds, apps,
    ca::{Ca, NodeAuthority},
    config::Config,
    notify, pages, tls,
};

/// For calls that are under way when the end is asked for; streams are told at once.
const GRACE: Duration = Duration::from_secs(3);
/// A caller that opens a connection and says nothing, or only half of it.
const SLOW: Duration = Duration::from_secs(10);
/// Half-dead browsers are noticed within half a minute.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// A program that watches for a whole class does so over one connection.
const STREAMS: u32 = 1000;
/// A piece of a file, with what is around it.
const FRAME: u32 = 80 << 10;
/// No header of ours, and no cookie of a browser that knows only us, comes near.
const HEADERS_MAXIMUM: u32 = 32 << 10;

/// A controller at work.
pub struct Running {
    pub api: SocketAddr,
    pub agents: SocketAddr,
    store: SqlStore,
    server: ServerHandle<SocketAddr>,
    registry: Registry,
    stopping: watch::Sender<bool>,
    /// What must not end before it is told to. Each says why it did.
    essential: JoinSet<Result<()>>,
    background: JoinSet<()>,
}

/// Runs until the process is told to end, or cannot go on.
pub async fn run(config: Config) -> Result<()> {
    let ended = termination()?;
    let mut running = start(config).await?;
    notify::ready();
    tracing::info!(api = %running.api, agents = %running.agents, "ready");
    let result = tokio::select! {
        () = ended => {
            tracing::info!("stopping");
            Ok(())
        }
        failed = running.failed() => Err(failed),
    };
    notify::stopping();
    running.stop().await;
    result
}

pub async fn start(config: Config) -> Result<Running> {
    // Before anything else: a second controller on this machine must not touch the first one's database.
    let api = listen(config.listen.api)?;
    let agents = listen(config.listen.agents)?;
    let addresses = (api.local_addr()?, agents.local_addr()?);

    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids: Arc<dyn IdSource> = Arc::new(SystemIds);
    prepare(&config.data.dir)?;
    let ca = Arc::new(Ca::load_or_create(&config.data.dir, clock.now())?);
    let store = open_store(&config).await?;
    let records = store
        .load(ClusterId::new(ids.next()), Epoch::new(ids.next()))
        .await
        .context("the database cannot be read")?;
    check(&records)?;

    let (handle, writer) =
        writer::new(State::restore(records), Arc::new(store.clone()), Arc::clone(&clock));
    let (stopping, stopped) = watch::channel(false);
    let registry = Registry::new();
    let server = ServerHandle::new();
    let accounts: Arc<dyn LocalAccounts> = Arc::new(store.clone());
    let directory: Arc<dyn Directory> = Arc::new(LocalDirectory::new(accounts)?);

    let mut essential = JoinSet::new();
    let mut background = JoinSet::new();
    essential.spawn(write(writer));
    let relays = Rendezvous::new(registry.clone());
    let figures = Figures::default();
    let history: Arc<dyn History> = Arc::new(store.clone());
    let house = House { config, clock, ids, ca, handle, directory, relays, figures, history };
    house.serve_api(&mut essential, &mut background, api, server.clone(), stopped.clone()).await?;
    house.serve_agents(&mut essential, agents, registry.clone(), stopped)?;
    house.background(&mut background, registry.clone());
    let (api, agents) = addresses;
    Ok(Running { api, agents, store, server, registry, stopping, essential, background })
}

impl Running {
    /// Returns when it cannot go on, and says why. Cancel-safe.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.essential.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Ok(Ok(()))) | None => anyhow!("a part of the controller has ended by itself"),
            Some(Err(error)) => anyhow!(error).context("a part of the controller has crashed"),
        }
    }

    /// Takes a few seconds at most, whatever callers do.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        self.registry.close();
        self.background.shutdown().await;
        self.server.graceful_shutdown(Some(GRACE));
        // The listeners' tasks end by themselves; the writer ends with the last of its handles, which they hold.
        let all = async { while self.essential.join_next().await.is_some() {} };
        if timeout(GRACE + Duration::from_secs(1), all).await.is_err() {
            tracing::warn!("some calls were cut off");
            self.essential.shutdown().await;
        }
        match timeout(GRACE, self.store.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = %writer::chain(&error), "the database was not closed");
            }
            Err(_) => tracing::warn!("the database was not closed in time"),
        }
    }
}

/// What the parts share while they are put together.
struct House {
    config: Config,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    ca: Arc<Ca>,
    handle: Handle,
    directory: Arc<dyn Directory>,
    relays: Rendezvous,
    figures: Figures,
    history: Arc<dyn History>,
}

impl House {
    async fn serve_api(
        &self,
        essential: &mut JoinSet<Result<()>>,
        background: &mut JoinSet<()>,
        listener: TcpListener,
        server: ServerHandle<SocketAddr>,
        stopping: watch::Receiver<bool>,
    ) -> Result<()> {
        let source = match (&self.config.public.cert_file, &self.config.public.key_file) {
            (Some(certificate), Some(key)) => {
                tls::Source::Files { certificate: certificate.clone(), key: key.clone() }
            }
            _ => self.own_certificates(),
        };
        let port = listener.local_addr()?.port();
        let console = self.keep_certificate(background, source)?;
        let below = match self.app_certificates() {
            Some((domain, source)) => Some((domain, self.keep_certificate(background, source)?)),
            None => None,
        };
        let tls = tls::api_config(Arc::new(tls::ByName { console, below }))?;

        if !berth_assets::is_built() {
            tracing::warn!("the console was not built into this program");
        }
        let transport = if self.config.public.strict_transport_security {
            pages::Transport::WholeHost
        } else {
            pages::Transport::ThisPort
        };
        let pages = pages::router(self.ca.pem(), transport);
        let apps = apps::site(&self.config, port);
        let router = berth_api::router(self.api(stopping.clone(), apps.clone()), pages).await;
        let router = match apps {
            Some(apps) => self.gate(apps, port, stopping)?.router(router),
            None => router,
        };
        let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(Arc::new(tls)))
            .handshake_timeout(SLOW)
            // Without it, Nagle and delayed acknowledgements add 40 ms to small messages.
            .acceptor(NoDelayAcceptor::new());
        let mut listening = axum_server::from_tcp(listener)?.acceptor(acceptor).handle(server);
        let builder = listening.http_builder();
        builder.http1().timer(TokioTimer::new()).header_read_timeout(SLOW);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(SLOW)
            .max_concurrent_streams(STREAMS)
            .max_frame_size(FRAME)
            .max_header_list_size(HEADERS_MAXIMUM);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        essential.spawn(async move {
            listening.serve(service).await.context("the API's listener has failed")
        });
        Ok(())
    }

    /// A certificate, and the task that makes it anew.
    fn keep_certificate(
        &self,
        background: &mut JoinSet<()>,
        source: tls::Source,
    ) -> Result<Arc<tls::Certificate>> {
        let certificate = Arc::new(tls::Certificate::new(source.identity(self.clock.as_ref())?)?);
        background.spawn(tls::renew(Arc::clone(&certificate), source, Arc::clone(&self.clock)));
        Ok(certificate)
    }

    /// For the names below the domain for applications.
    fn app_certificates(&self) -> Option<(String, tls::Source)> {
        let apps = &self.config.apps;
        let source = match (&apps.cert_file, &apps.key_file) {
            (Some(certificate), Some(key)) => {
                tls::Source::Files { certificate: certificate.clone(), key: key.clone() }
            }
            _ => {
                let names = vec![format!("*.{}", apps.domain), apps.domain.clone()];
                tls::Source::Authority { ca: Arc::clone(&self.ca), names }
            }
        };
        apps.is_on().then(|| (apps.domain.clone(), source))
    }

    fn gate(&self, apps: Apps, port: u16, stopping: watch::Receiver<bool>) -> Result<Gate> {
        Ok(Gate::new(berth_gate::Parts {
            options: berth_gate::Options {
                domain: apps.domain,
                console: self.config.console_url(port),
                console_cookie: berth_api::COOKIE,
                key: apps::key(&self.config.data.dir)?,
            },
            writer: self.handle.clone(),
            relays: Arc::new(self.relays.clone()),
            clock: Arc::clone(&self.clock),
            stopping,
        }))
    }

    fn api(&self, stopping: watch::Receiver<bool>, apps: Option<Apps>) -> Api {
        let sign_in = SignIn::new(
            self.config.sign_in(),
            Arc::clone(&self.directory),
            self.handle.clone(),
            Arc::clone(&self.clock),
            Arc::clone(&self.ids),
        );
        Api::new(Parts {
            writer: self.handle.clone(),
            relays: Arc::new(self.relays.clone()),
            figures: self.figures.clone(),
            history: Arc::clone(&self.history),
            sign_in,
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
            site: Site {
                name: self.config.site.name.clone(),
                starter_image: self.config.site.starter_image.clone(),
                presets: self.config.presets.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            limits: self.config.limits(),
            rules: self.config.rules(),
            join: Join {
                agents_address: self.config.agents_address(),
                ca_sha256: self.ca.sha256(),
            },
            apps,
            life: u64::try_from(self.clock.now().0).unwrap_or(0),
            stopping,
        })
    }

    fn own_certificates(&self) -> tls::Source {
        tls::Source::Authority { ca: Arc::clone(&self.ca), names: self.config.names() }
    }

    fn serve_agents(
        &self,
        essential: &mut JoinSet<Result<()>>,
        listener: TcpListener,
        registry: Registry,
        mut stopping: watch::Receiver<bool>,
    ) -> Result<()> {
        let source = self.own_certificates();
        let certificate = Arc::new(tls::Certificate::new(source.identity(self.clock.as_ref())?)?);
        let tls = berth_session::listener::tls(
            Arc::clone(&certificate) as Arc<dyn rustls::server::ResolvesServerCert>,
            self.ca.der().clone(),
        )
        .map_err(|error| anyhow!(error))
        .context("the agents' listener cannot be made")?;
        let agents = AgentServer {
            handle: self.handle.clone(),
            registry,
            relays: self.relays.clone(),
            timing: self.timing(),
            authority: Arc::new(NodeAuthority {
                ca: Arc::clone(&self.ca),
                cluster: self.handle.committed().state.cluster,
            }),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
            figures: self.figures.clone(),
        };
        let incoming = TcpListenerStream::new(tokio::net::TcpListener::from_std(listener)?);
        // A key that is typed waits for no other. What cannot be set is a connection that is gone already.
        let incoming =
            incoming.map(|accepted| accepted.inspect(|stream| drop(stream.set_nodelay(true))));
        let clock = Arc::clone(&self.clock);
        essential.spawn(async move {
            let stop = async move {
                // An error means that the sender is gone, and with it the process's main task.
                let _ = stopping.wait_for(|stopping| *stopping).await;
            };
            // Both arms end only with this process.
            tokio::select! {
                served = berth_session::listener::serve(agents, tls, incoming, stop) => {
                    served.context("the agents' listener has failed")
                }
                () = tls::renew(certificate, source, clock) => Ok(()),
            }
        });
        Ok(())
    }

    fn timing(&self) -> Timing {
        let nodes = &self.config.nodes;
        Timing {
            heartbeat: nodes.heartbeat,
            unreachable_after: nodes.unreachable_after,
            ..Timing::default()
        }
    }

    fn background(self, tasks: &mut JoinSet<()>, registry: Registry) {
        let timing = self.timing();
        tasks.spawn(registry.watch_liveness(self.handle.clone(), timing));
        let rules = self.config.rules();
        tasks.spawn(background::space_limits(
            self.handle.clone(),
            self.figures.clone(),
            self.config.rules(),
        ));
        tasks.spawn(figures::keep(self.figures, self.history, Arc::clone(&self.clock)));
        tasks.spawn(background::lease_expiry(self.handle.clone(), rules, self.clock));
        tasks.spawn(background::volume_removal(self.handle.clone(), Arc::new(self.relays.clone())));
        tasks.spawn(background::sweep(self.handle, self.directory));
    }
}

async fn write(writer: Writer) -> Result<()> {
    match writer.run().await {
        Ok(()) => Ok(()),
        Err(error @ StoreError::Conflict { .. }) => {
            Err(anyhow!(error).context("another controller has written to the database"))
        }
        Err(error) => Err(anyhow!(error).context("the database cannot be written")),
    }
}

pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow!("port {} is taken by another program ({address})", address.port())
        }
        _ => anyhow!(error).context(format!("cannot listen on {address}")),
    })
}

/// The data directory: nobody else's business, since it holds the authority's key.
pub fn prepare(folder: &Path) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("the data directory {} cannot be made", folder.display()))
}

pub async fn open_store(config: &Config) -> Result<SqlStore> {
    SqlStore::open(&config.database_url()).await.map_err(anyhow::Error::new)
}

/// What a database must hold that somebody else may have damaged.
fn check(records: &Records) -> Result<()> {
    let users: std::collections::BTreeSet<_> = records.users.iter().map(|user| user.id).collect();
    match records.containers.iter().find(|container| !users.contains(&container.owner)) {
        None => Ok(()),
        Some(container) => Err(anyhow!(
            "the database is damaged: container {} has no owner; restore it from a backup",
            container.id
        )),
    }
}

fn termination() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        // A signal that the other arm wins over is not needed any more.
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
