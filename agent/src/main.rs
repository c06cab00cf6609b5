//! `berth-agent`: joins a blade to a cluster, and runs there.

use std::{
    io::IsTerminal as _,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use berth_agent::{
    config::{self, Config},
    connect,
    figures::Meter,
    holder::{self, Holders, serve},
    identity,
    inventory::Inspector,
    join,
    ledger::LedgerFile,
    operator::{DockerOperator, Files},
    relay::{Connect, Relays},
    session::{Agent, chain},
    space::{self, Counted},
};
use berth_core::{
    clock::{Clock, Timestamp},
    join::JoinString,
};
use berth_docker::Docker;
use berth_reconcile::{
    point,
    reconciler::{Options, Reconciler},
};
use berth_storage::Storage;
use clap::{Parser, Subcommand};
use tokio::sync::watch;

#[derive(Parser)]
#[command(version, about = "The agent of Berth: runs on every blade and lends containers there")]
struct Arguments {
    /// The configuration file.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Joins a cluster with the string that the console's page of blades shows.
    Join { join_string: String },
    /// Runs until it is told to stop. What it started goes on running.
    Run,
    /// Removes everything of ours from this blade: containers, networks, firewall rules. Homes stay.
    Purge,
    /// Makes the configured directory of homes the one that all blades know. Once, where the share is mounted.
    InitHomes,
    /// Reads the configuration and says what is wrong with it.
    CheckConfig,
    /// Shows the configuration as it is, with the defaults.
    PrintConfig,
    /// Keeps terminals over the agent's end. The agent starts it.
    #[command(hide = true)]
    SessionHolder(serve::Options),
}

/// A certificate lives for months; an hour is soon enough to try again.
const RENEWAL_CHECK: std::time::Duration = std::time::Duration::from_secs(3600);

/// The system's clock.
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("BERTH_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    // Two threads: one agent's work is waiting for its engine.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result =
        runtime.context("no runtime").and_then(|runtime| runtime.block_on(execute(arguments)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout)] // what these commands are for
async fn execute(arguments: Arguments) -> anyhow::Result<()> {
    let command = match arguments.command {
        // Told everything that it needs: it runs on whatever becomes of the configuration.
        Command::SessionHolder(options) => return serve::run(options).await,
        command => command,
    };
    let config = config::load(arguments.config.as_deref())?;
    match command {
        Command::SessionHolder(_) => Ok(()),
        Command::Join { join_string } => {
            let join: JoinString = join_string.parse()?;
            let name = node_name(&config)?;
            let membership = join::join(&config.data.dir, &join, &name, &connect::tcp()).await?;
            println!("joined as {name} (node {}); now run: berth-agent run", membership.node);
            Ok(())
        }
        Command::Run => run(config).await,
        Command::Purge => {
            let membership = identity::load(&config.data.dir)?.membership;
            let removed =
                berth_docker::cleanup(&config.docker, membership.cluster, membership.node).await?;
            holder::stop_all(&holder::directory(&config.data.dir)).await?;
            let storage = storage(&config, membership.node)?;
            for key in storage.keys()? {
                storage.release(key)?;
            }
            for directory in config.storage.homes.iter().chain(&config.storage.volumes) {
                berth_storage::unmount(directory)?;
            }
            println!("removed: {} containers, {} networks", removed.containers, removed.networks);
            Ok(())
        }
        Command::InitHomes => {
            let homes = config.storage.homes.context("storage.homes is not set")?;
            let id = berth_storage::initialize(&homes)?;
            println!("{} is the store {id}", homes.display());
            Ok(())
        }
        Command::CheckConfig => {
            match config::ephemeral_overlap(config.offer.ports) {
                Some(sentence) => println!("the configuration can be used, but {sentence}"),
                None => println!("the configuration is good"),
            }
            Ok(())
        }
        Command::PrintConfig => {
            print!("{}", toml::to_string_pretty(&config)?);
            Ok(())
        }
    }
}

fn node_name(config: &Config) -> anyhow::Result<String> {
    if !config.node.name.is_empty() {
        return Ok(config.node.name.clone());
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .context("the host name cannot be read")?;
    Ok(name.trim().to_owned())
}

async fn run(config: Config) -> anyhow::Result<()> {
    let directory = config.data.dir.clone();
    let membership = identity::load(&directory)?.membership;
    // Two agents with one ledger would both be right, and together wrong.
    let _lock = lock(&directory)?;
    let ledger = LedgerFile::new(directory.join("ledger.pb"));
    let content = ledger.load()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    if let Some(sentence) = config::ephemeral_overlap(config.offer.ports) {
        tracing::warn!("{sentence}");
    }

    let storage = storage(&config, membership.node)?;
    let docker = connect_engine(&config, storage, membership.cluster, membership.node).await;
    let options = Options {
        stop_grace: config.reconcile.stop_grace,
        orphan_grace: config.reconcile.orphan_grace,
        refresh: config.reconcile.refresh,
        booted_at: booted_at(clock.now()),
        planted: point::planted_by_environment(),
    };
    let reconciler = Arc::new(Reconciler::new(
        Arc::new(docker.clone()),
        Arc::new(ledger),
        content,
        Arc::clone(&clock),
        options,
    ));
    tokio::spawn(Arc::clone(&reconciler).drive());

    let (measured, figures) = watch::channel(None);
    let space = Counted::default();
    tokio::spawn(space::measure(
        docker.clone(),
        Arc::clone(&reconciler),
        config.storage.measure,
        space.clone(),
    ));
    tokio::spawn(Meter::new(docker.clone(), Arc::clone(&reconciler), space.clone()).run(measured));

    let files = Files::new(docker.clone(), space);
    let mut inspector = Inspector::new(config.offer.clone(), docker, Arc::clone(&reconciler));
    let (publish, inventory) = watch::channel(inspector.look().await);
    tokio::spawn(inspector.watch(publish, config.reconcile.inventory));

    let dial = connect::tcp();
    tokio::spawn(keep_certificate(directory.clone(), Arc::clone(&dial), Arc::clone(&clock)));
    let connect = dialer(directory.clone(), dial);
    let engine = config.docker.socket.clone();
    let program = std::env::current_exe().context("our own program cannot be found")?;
    let holders = Holders::new(holder::directory(&directory), program, engine.clone())
        .await
        .context("the session holders' folder cannot be used")?;
    let operator = DockerOperator::new(holders, engine, files, Arc::clone(&reconciler));
    let agent = Agent {
        reconciler,
        inventory,
        figures,
        relays: Relays::new(Arc::new(operator), Arc::clone(&connect)),
        clock: Arc::clone(&clock),
        instance_id: uuid::Uuid::from_u128(rand::random()).to_string(),
        boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .unwrap_or_default()
            .trim()
            .to_owned(),
    };
    // Both are cancel-safe in the only way that matters: dropping them ends the process.
    tokio::select! {
        () = agent.run(connect, rand::random::<f64>) => {}
        stopped = stop_signal() => stopped?,
    }
    tracing::info!("the agent stops; containers go on");
    Ok(())
}

/// With the certificate as it is now: it is renewed while we run.
fn dialer(directory: PathBuf, dial: connect::Dial) -> Connect {
    Arc::new(move || {
        let (directory, dial) = (directory.clone(), Arc::clone(&dial));
        Box::pin(async move {
            let identity = identity::load(&directory)?;
            let address = identity.membership.controller.clone();
            Ok(connect::channel(&address, connect::mutual_tls(&identity)?, &dial).await?)
        })
    })
}

/// What is mounted for containers is not in our own folder: whoever removes that must not get to people's homes.
fn storage(config: &Config, node: berth_core::id::NodeId) -> anyhow::Result<Storage> {
    let run = PathBuf::from("/run/berth/homes").join(node.to_string());
    Storage::start(&config.storage, &config.data.dir, run)
        .context("what is kept for containers cannot be used")
}

/// The engine may come up after us; without it there is nothing to do but to wait.
async fn connect_engine(
    config: &Config,
    storage: Storage,
    cluster: berth_core::id::ClusterId,
    node: berth_core::id::NodeId,
) -> Docker {
    loop {
        match berth_docker::connect(config.docker.clone(), storage.clone(), cluster, node).await {
            Ok(docker) => return docker,
            Err(error) => {
                tracing::warn!(%error, "waiting for the engine");
                tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            }
        }
    }
}

/// Asks for a new certificate when two thirds of the old one's life are over; it is used from the next session on. On a
/// connection of its own, so that a session that lasts for months does not outlive its certificate.
async fn keep_certificate(directory: PathBuf, dial: connect::Dial, clock: Arc<dyn Clock>) {
    let mut ticks = tokio::time::interval(RENEWAL_CHECK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match join::renew_if_due(&directory, &dial, clock.now()).await {
            Ok(join::Renewal::Renewed) => tracing::info!("certificate renewed"),
            Ok(join::Renewal::NotDue) => {}
            Err(error) => tracing::warn!(error = %chain(&error), "the certificate was not renewed"),
        }
    }
}

fn lock(directory: &std::path::Path) -> anyhow::Result<std::fs::File> {
    let path = directory.join("lock");
    let file = std::fs::File::create(&path).with_context(|| format!("{}", path.display()))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| anyhow::anyhow!("another agent runs on {}", directory.display()))?;
    Ok(file)
}

/// When the kernel started: now, less its uptime.
fn booted_at(now: Timestamp) -> Timestamp {
    let uptime = std::fs::read_to_string("/proc/uptime").ok();
    let seconds: Option<f64> = uptime.and_then(|text| text.split(' ').next()?.parse().ok());
    let millis = std::time::Duration::from_secs_f64(seconds.unwrap_or(0.0).max(0.0)).as_millis();
    Timestamp(now.0.saturating_sub(i64::try_from(millis).unwrap_or(0)))
}

async fn stop_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
