//! What it costs the controller to hear what everybody uses: blades that only speak, a controller that is real.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use berth_agent::{connect, identity, join};
use berth_core::{
    container::RuntimeKind,
    figures::{BladeFigures, Figures, PERIOD, Report, Storage, Traffic},
    id::ContainerId,
    join::JoinString,
    node::Inventory,
    resources::Resources,
};
use berth_proto::{
    agent::v1::{
        self as wire, agent_message::Body, agent_service_client::AgentServiceClient,
        controller_message,
    },
    convert::{agent::inventory_to_wire, usage::report_to_wire},
    v1::{
        CreateContainerRequest, WatchFiguresRequest,
        container_service_client::ContainerServiceClient, usage_service_client::UsageServiceClient,
    },
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, interval_at, sleep},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use crate::{
    figure::Figure,
    house::House,
    person::{Administrator, connect as connect_to, sign_in},
    say,
};

/// Of one core.
const LIMIT_PERCENT: f64 = 5.0;
const QUIET: Duration = Duration::from_secs(20);
const MEASURED: Duration = Duration::from_secs(60);
/// History is written when one of these is over, and that belongs to the cost.
const STRETCH: Duration = Duration::from_secs(300);
const PATIENCE: Duration = Duration::from_secs(120);
const GIB: u64 = 1 << 30;
/// A house lets a person have so many.
const EACH: usize = 100;

pub(crate) struct Options {
    pub(crate) folder: PathBuf,
    pub(crate) programs: PathBuf,
    pub(crate) nodes: usize,
    pub(crate) containers: usize,
}

pub(crate) async fn run(options: &Options) -> Result<Vec<Figure>> {
    ensure!(options.nodes > 0 && options.containers > 0, "nobody who uses anything is no figure");
    // No agent is started: nobody asks the engine for anything.
    let mut house =
        House::new(&options.folder, &options.programs, Path::new("/var/run/docker.sock"))?;
    let admins = house.add_user("admin", "administrator")?;
    house.start_controller()?;
    let channel = connect_to(&house.url(), &house.authority()).await?;
    let mut administrator = Administrator::sign_in(&channel, &admins).await?;

    say(format_args!("{} blades join", options.nodes));
    let (speak, spoken) = watch::channel(false);
    let told = Arc::new(AtomicU64::new(0));
    for number in 0..options.nodes {
        let string = administrator.join_string().await?.parse()?;
        let folder = house.file(&format!("blade-{number}"));
        let each = options.containers.div_ceil(options.nodes);
        let blade = Blade::join(&string, &folder, number, options.nodes, each).await?;
        tokio::spawn(blade.run(spoken.clone(), Arc::clone(&told)));
    }
    say(format_args!("{} containers", options.containers));
    borrow(&house, &channel, options.containers).await?;
    until_all_run(&channel, &admins, options.containers).await?;

    let pid = house.controller_process()?;
    sleep(PERIOD).await;
    let quiet = measure(pid, QUIET).await?;
    let _watching = watch_everything(&channel, &admins, options.containers).await?;
    speak.send_replace(true);
    // A whole stretch is heard, so that a whole one is written; and its end lies in the middle of what is measured.
    let wait = until_the_end_of_a_stretch();
    say(format_args!("speaking for {} s before it is measured", wait.as_secs()));
    sleep(wait).await;
    let before = told.load(Ordering::Relaxed);
    let percent = measure(pid, MEASURED).await?;
    let samples = told.load(Ordering::Relaxed) - before;
    let expected = options.containers as u64 * MEASURED.as_secs() / PERIOD.as_secs();
    ensure!(samples >= expected * 9 / 10, "{samples} samples were said, not {expected}");
    #[allow(clippy::cast_precision_loss, reason = "some thousand samples")]
    let samples = samples as f64 / MEASURED.as_secs_f64();
    Ok(vec![
        Figure::at_most("controller_cpu_percent", percent, "%", LIMIT_PERCENT),
        Figure::told("controller_idle_cpu_percent", quiet, "%"),
        Figure::told("samples_per_s", samples, "1/s"),
        Figure::told("controller_rss_mb", house.controller_resident()?, "MB"),
    ])
}

/// So long that the measured time begins half of it before a stretch ends, after a whole stretch.
#[allow(clippy::disallowed_methods, reason = "stretches begin by everybody's clock")]
fn until_the_end_of_a_stretch() -> Duration {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let into = Duration::from_secs(since.as_secs() % STRETCH.as_secs());
    let end = STRETCH - into;
    // What is heard for less than this is not what a stretch costs.
    let enough = STRETCH / 2;
    let end = if end < enough { end + STRETCH } else { end };
    end - MEASURED / 2
}

async fn measure(pid: u32, time: Duration) -> Result<f64> {
    let (before, begun) = (cpu_seconds(pid)?, Instant::now());
    sleep(time).await;
    Ok((cpu_seconds(pid)? - before) / begun.elapsed().as_secs_f64() * 100.0)
}

/// Of user and kernel together.
fn cpu_seconds(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after = text.rsplit_once(") ").context("a process has a name")?.1;
    let words: Vec<&str> = after.split(' ').collect();
    let ticks = |at: usize| words.get(at).and_then(|word| word.parse::<f64>().ok());
    let ticks = ticks(11).zip(ticks(12)).map(|(user, kernel)| user + kernel);
    #[allow(clippy::cast_precision_loss, reason = "a hundred")]
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    Ok(ticks.context("the kernel tells what a process took")? / per_second)
}

// === people ===

async fn borrow(house: &House, channel: &Channel, containers: usize) -> Result<()> {
    for person in 0..containers.div_ceil(EACH) {
        let name = format!("person{person}");
        let password = house.add_user(&name, "student")?;
        let bearer = sign_in(channel, &name, &password).await?;
        let mut client = ContainerServiceClient::with_interceptor(channel.clone(), bearer);
        for number in person * EACH..containers.min((person + 1) * EACH) {
            let request = CreateContainerRequest {
                name: format!("c{number}"),
                image: "bench:1".to_owned(),
                cpu_millis: 100,
                memory_bytes: 64 << 20,
                ..Default::default()
            };
            client.create_container(request).await?;
        }
    }
    Ok(())
}

async fn until_all_run(channel: &Channel, password: &str, containers: usize) -> Result<()> {
    use berth_proto::v1::{ListContainersRequest, Phase};
    let bearer = sign_in(channel, "admin", password).await?;
    let mut client = ContainerServiceClient::with_interceptor(channel.clone(), bearer);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (mut running, mut page_token) = (0, String::new());
        loop {
            let request =
                ListContainersRequest { page_size: 500, page_token, owner: "-".to_owned() };
            let page = client.list_containers(request).await?.into_inner();
            running += page.containers.iter().filter(|c| c.phase() == Phase::Running).count();
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        if running == containers {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{running} of {containers} containers run");
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// An administrator who looks at everything all the time, and sees it.
async fn watch_everything(
    channel: &Channel,
    password: &str,
    containers: usize,
) -> Result<tokio::task::JoinHandle<()>> {
    let bearer = sign_in(channel, "admin", password).await?;
    let mut client = UsageServiceClient::with_interceptor(channel.clone(), bearer);
    let request = WatchFiguresRequest { owner: "-".to_owned(), ..Default::default() };
    let mut stream = client.watch_figures(request).await?.into_inner();
    Ok(tokio::spawn(async move {
        let mut most = 0;
        while let Ok(Some(look)) = stream.message().await {
            if look.containers.len() > most {
                most = look.containers.len();
                if most == containers {
                    say(format_args!("somebody sees all {most}"));
                }
            }
        }
    }))
}

// === blades ===

struct Blade {
    say: mpsc::Sender<wire::AgentMessage>,
    hear: tonic::Streaming<wire::ControllerMessage>,
    offset: Duration,
    seq: u64,
}

impl Blade {
    async fn join(
        string: &JoinString,
        folder: &Path,
        number: usize,
        of: usize,
        containers: usize,
    ) -> Result<Self> {
        let dial = connect::tcp();
        join::join(folder, string, &format!("blade-{number}"), &dial).await?;
        let identity = identity::load(folder)?;
        let tls = connect::mutual_tls(&identity)?;
        let channel = connect::channel(&identity.membership.controller, tls, &dial).await?;
        let room = u32::try_from(containers)?;
        let inventory = Inventory {
            // Some more than its share: the scheduler need not fill each to the brim.
            total: Resources::new(room * 100 + 1000, u64::from(room + 4) * GIB),
            address: "127.0.0.1".to_owned(),
            runtimes: vec![RuntimeKind::Docker],
            ..Inventory::default()
        };
        let (say, messages) = mpsc::channel(16);
        let hello = wire::Hello {
            agent_version: "bench".to_owned(),
            protocol_min: 1,
            protocol_max: 1,
            instance_id: "bench".to_owned(),
            inventory: Some(inventory_to_wire(&inventory)),
            ..wire::Hello::default()
        };
        say.send(message(Body::Hello(hello))).await?;
        let hear = AgentServiceClient::new(channel)
            .session(ReceiverStream::new(messages))
            .await?
            .into_inner();
        // Blades do not look at the same moment.
        let offset = PERIOD * u32::try_from(number)? / u32::try_from(of)?;
        Ok(Self { say, hear, offset, seq: 0 })
    }

    /// Says that everything that it is told to run runs, and what it uses.
    async fn run(mut self, mut speak: watch::Receiver<bool>, told: Arc<AtomicU64>) {
        let mut set: BTreeMap<String, wire::DesiredContainer> = BTreeMap::new();
        let mut heartbeats = interval(PERIOD);
        let mut looks = interval_at(Instant::now() + self.offset, PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut round = 0;
        loop {
            let body = tokio::select! {
                heard = self.hear.message() => match heard {
                    Ok(Some(heard)) => match heard.body {
                        Some(controller_message::Body::Desired(desired)) => {
                            let answer = self.accept(desired, &mut set);
                            for body in answer {
                                if self.say.send(message(body)).await.is_err() {
                                    return;
                                }
                            }
                            continue;
                        }
                        _ => continue,
                    },
                    Ok(None) | Err(_) => return,
                },
                _ = heartbeats.tick() => {
                    self.seq += 1;
                    Body::Heartbeat(wire::Heartbeat { seq: self.seq })
                }
                _ = looks.tick() => {
                    if !*speak.borrow_and_update() {
                        continue;
                    }
                    round += 1;
                    told.fetch_add(set.len() as u64, Ordering::Relaxed);
                    Body::Figures(report_to_wire(&report(&set, round)))
                }
            };
            if self.say.send(message(body)).await.is_err() {
                return;
            }
        }
    }

    fn accept(
        &mut self,
        desired: wire::Desired,
        set: &mut BTreeMap<String, wire::DesiredContainer>,
    ) -> [Body; 2] {
        if desired.base_generation == 0 {
            set.clear();
        }
        for id in &desired.removed {
            set.remove(id);
        }
        set.extend(desired.containers.into_iter().map(|one| (one.container_id.clone(), one)));
        let containers = set.values().map(|one| wire::ObservedContainer {
            container_id: one.container_id.clone(),
            incarnation: one.incarnation,
            phase: wire::ObservedPhase::Running.into(),
            restart_nonce: one.restart_nonce,
            ..wire::ObservedContainer::default()
        });
        self.seq += 1;
        let observed = wire::Observed {
            seq: self.seq,
            full: true,
            reconciled_generation: desired.generation,
            containers: containers.collect(),
        };
        let ack =
            wire::DesiredAck { generation: desired.generation, ..wire::DesiredAck::default() };
        [Body::DesiredAck(ack), Body::Observed(observed)]
    }
}

fn message(body: Body) -> wire::AgentMessage {
    wire::AgentMessage { body: Some(body) }
}

/// Different in each look and for each container, as real ones are.
fn report(set: &BTreeMap<String, wire::DesiredContainer>, round: u32) -> Report {
    let figures = |number: u32| Figures {
        cpu_millis: number.wrapping_mul(37).wrapping_add(round * 13) % 4000,
        memory_bytes: u64::from(number.wrapping_mul(977).wrapping_add(round)) << 12,
        network: Traffic {
            r#in: u64::from(number) * 1009,
            out: u64::from(round) * 7919 + u64::from(number),
        },
        disk: Traffic { r#in: u64::from(round % 7) << 16, out: u64::from(number) << 10 },
        processes: number % 50 + 1,
        gpu: None,
    };
    let ids = set.keys().filter_map(|id| id.parse::<ContainerId>().ok());
    Report {
        blade: BladeFigures {
            figures: figures(round),
            storage: Storage { used_bytes: 100 * GIB, total_bytes: 900 * GIB },
        },
        containers: (1..).zip(ids).map(|(number, id)| (id, figures(number))).collect(),
        space: Vec::new(),
    }
}
