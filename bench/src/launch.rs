//! From CreateContainer to RUNNING, beside the engine that is asked for the same directly.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use berth_proto::v1::{CreateContainerRequest, Node};
use bytes::Bytes;
use serde_json::{Value, json};
use tonic::transport::Channel;
use uuid::Uuid;

use crate::{
    burst,
    engine::{Engine, Launched},
    figure::Figure,
    house::{ENGINE_PORTS, House},
    person::{Administrator, Person, connect},
    recorder::{self, Bodies},
    say,
    statistics::{median, median_interval, quantile},
};

/// Upper limit of Berth's time, the engine's being 1.
pub(crate) const RATIO: f64 = 1.05;
const CONTROLLER_MB: f64 = 40.0;
const AGENT_MB: f64 = 25.0;
/// Thrown away: caches of the engine and of the kernel fill.
const WARM_UP: usize = 5;
/// Before each measurement, of either side: what the removal before it left to do is done by then.
const PAUSE: Duration = Duration::from_millis(150);
const IDLE: Duration = Duration::from_secs(30);
/// What the image's program listens on: published, so that both sides pay for it.
const GUEST_PORT: u32 = 8080;
const MIB: u64 = 1 << 20;
/// Enough that starting is not slowed down by the container's own limit.
const PAIR_CPU_MILLIS: u32 = 500;
/// A network has room for 29; four people hold the forty, and one container each that keeps the network in place.
pub(crate) const PEOPLE: usize = 4;
pub(crate) const BURST: usize = 40;

pub(crate) struct Options {
    pub(crate) folder: PathBuf,
    pub(crate) programs: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) image: String,
    pub(crate) rounds: usize,
    pub(crate) bursts: usize,
}

/// What the engine is asked for.
pub(crate) struct Templates {
    pair: Value,
    /// One for each person's network.
    pub(crate) burst: Vec<Value>,
}

pub(crate) struct Bench {
    pub(crate) administrator: Administrator,
    pub(crate) people: Vec<Person>,
    pub(crate) templates: Templates,
    pub(crate) socket: PathBuf,
    pub(crate) requests: Requests,
    ports: u16,
}

#[derive(Clone)]
pub(crate) struct Requests {
    image: String,
    burst_cpu_millis: u32,
}

impl Requests {
    fn pair(&self, name: String) -> CreateContainerRequest {
        self.request(name, PAIR_CPU_MILLIS, 64 * MIB)
    }

    /// Of all of a burst.
    pub(crate) fn burst_needs(&self) -> u32 {
        u32::try_from(BURST).unwrap_or(u32::MAX).saturating_mul(self.burst_cpu_millis)
    }

    pub(crate) fn burst(&self, name: String) -> CreateContainerRequest {
        self.request(name, self.burst_cpu_millis, 16 * MIB)
    }

    fn request(&self, name: String, cpu_millis: u32, memory_bytes: u64) -> CreateContainerRequest {
        CreateContainerRequest {
            name,
            image: self.image.clone(),
            guest_ports: vec![GUEST_PORT],
            cpu_millis,
            memory_bytes,
            ..CreateContainerRequest::default()
        }
    }
}

pub(crate) async fn run(options: &Options) -> Result<Vec<Figure>> {
    Engine::connect(&options.socket).await?.remove_all_called(ENGINE_NAME).await?;
    let mut house = House::new(&options.folder, &options.programs, &options.socket)?;
    let (mut bench, channel) = prepare(&mut house, options).await?;
    let mut figures = Vec::new();

    say(format_args!("idle for {} s", IDLE.as_secs()));
    tokio::time::sleep(IDLE).await;
    let (controller, agent) = house.resident()?;
    figures.push(Figure::at_most("controller_rss_mb", controller, "MB", CONTROLLER_MB));
    figures.push(Figure::at_most("agent_rss_mb", agent, "MB", AGENT_MB));
    say(format_args!("controller {controller:.1} MB, agent {agent:.1} MB"));

    bench.warm_up().await?;
    let pairs = bench.pairs(options.rounds).await?;
    pairs.save(&house.file("pairs.csv"))?;
    figures.extend(pairs.figures());
    figures.extend(burst::run(&mut bench, options.bursts).await?);

    let (controller, agent) = house.resident()?;
    figures.push(Figure::told("controller_rss_after_mb", controller, "MB"));
    figures.push(Figure::told("agent_rss_after_mb", agent, "MB"));
    drop(channel);
    Ok(figures)
}

/// Accounts, a blade, a network for everybody, and what the agent asks its engine for.
async fn prepare(house: &mut House, options: &Options) -> Result<(Bench, Channel)> {
    say(format_args!("controller and agent of our own in {}", options.folder.display()));
    let password = house.add_user("admin", "administrator")?;
    let mut accounts = Vec::new();
    for number in 0..PEOPLE {
        let account = format!("person{number}");
        let password = house.add_user(&account, "student")?;
        accounts.push((account, password));
    }
    house.start_controller()?;
    let channel = connect(&house.url(), &house.authority()).await?;
    let mut administrator = Administrator::sign_in(&channel, &password).await?;
    house.join(&administrator.join_string().await?)?;

    let (bodies, recorder) = recorder::record(&house.file("engine.sock"), &options.socket)?;
    house.start_agent_at(&house.file("engine.sock"))?;
    let node = administrator.ready_node().await?;
    let requests =
        Requests { image: options.image.clone(), burst_cpu_millis: burst_cpu_millis(&node)? };
    let mut people = Vec::new();
    for (account, password) in &accounts {
        people.push(Person::sign_in(&channel, account, password).await?);
    }
    let templates = templates(&mut people, &requests, &bodies).await?;

    // From here on there is nothing between the agent and its engine.
    house.stop_agent();
    recorder.abort();
    house.start_agent()?;
    administrator.ready_node().await?;
    let socket = options.socket.clone();
    let bench = Bench { administrator, people, templates, socket, requests, ports: ENGINE_PORTS.0 };
    Ok((bench, channel))
}

/// So that all forty, and those that hold the networks, have room.
fn burst_cpu_millis(node: &Node) -> Result<u32> {
    let offered = node.offered.context("the blade says what it offers")?.cpu_millis;
    let each = offered / u32::try_from(BURST + 2 * PEOPLE)?;
    ensure!(each >= 10, "this machine has no room for {BURST} containers: {offered} thousandths");
    Ok(each.min(100))
}

async fn templates(
    people: &mut [Person],
    requests: &Requests,
    bodies: &Bodies,
) -> Result<Templates> {
    let mut burst = Vec::new();
    for person in people.iter_mut() {
        // Stays, and with it the person's network.
        let name = "anchor".to_owned();
        launch(person, requests.burst(name.clone())).await?;
        burst.push(bodies.last_called(&name)?);
    }
    let first = people.first_mut().context("there are people")?;
    launch(first, requests.pair("sample".to_owned())).await?;
    let pair = bodies.last_called("sample")?;
    first.remove(&["sample".to_owned()]).await?;
    Ok(Templates { pair, burst })
}

/// How long until it was seen running.
async fn launch(person: &mut Person, request: CreateContainerRequest) -> Result<Duration> {
    let names = [request.name.clone()];
    let began = Instant::now();
    let mut containers = person.client();
    // The answer to the call may come after the news.
    let call = tokio::spawn(async move { containers.create_container(request).await });
    let (seen, lost) = person.until_running(&names).await?;
    call.await??;
    ensure!(lost.is_empty(), "it does not run: {lost:?}");
    Ok(seen.duration_since(began))
}

/// All that is asked of the engine directly is called so.
const ENGINE_NAME: &str = "berth-bench-";

impl Bench {
    /// A name, and the body with what must differ from one container to the next. The labels are as long as the agent's,
    /// and name another cluster: the agent must not take it for one of its own.
    pub(crate) fn engine_request(&mut self, template: &Value) -> (String, Bytes) {
        let name = format!("{ENGINE_NAME}{}.1", Uuid::from_u128(rand::random()));
        let port = self.ports;
        self.ports = if port == ENGINE_PORTS.1 { ENGINE_PORTS.0 } else { port + 1 };
        (name, Bytes::from(varied(template, port).to_string()))
    }

    pub(crate) fn pair_template(&self) -> Value {
        self.templates.pair.clone()
    }

    async fn warm_up(&mut self) -> Result<()> {
        say(format_args!("warming up"));
        let pairs = self.pairs(WARM_UP).await?;
        ensure!(pairs.lost == 0, "containers are lost already while warming up");
        Ok(())
    }

    /// In turns: Berth first, then the engine first, so that a machine that becomes slower favours nobody.
    async fn pairs(&mut self, rounds: usize) -> Result<Pairs> {
        let mut engine = Engine::connect(&self.socket).await?;
        let mut pairs = Pairs::default();
        let began = Instant::now();
        for round in 0..rounds {
            let pair = if round % 2 == 0 {
                let berth = self.through_berth(round).await;
                (berth, self.by_engine(&mut engine).await)
            } else {
                let direct = self.by_engine(&mut engine).await;
                (self.through_berth(round).await, direct)
            };
            match pair {
                (Ok(berth), Ok(direct)) => pairs.push(berth, &direct),
                (berth, direct) => {
                    for error in [berth.err(), direct.err()].into_iter().flatten() {
                        say(format_args!("pair {round} is lost: {error:#}"));
                    }
                    pairs.lost += 1;
                    ensure!(pairs.lost < 10, "too many pairs are lost");
                }
            }
            if (round + 1) % 50 == 0 {
                say(format_args!(
                    "{} pairs in {:.0} s: ratio {:.3}, Berth's own {:.1} ms",
                    round + 1,
                    began.elapsed().as_secs_f64(),
                    median(&pairs.ratios()),
                    median(&pairs.own()),
                ));
            }
        }
        Ok(pairs)
    }

    async fn through_berth(&mut self, round: usize) -> Result<Duration> {
        tokio::time::sleep(PAUSE).await;
        let name = format!("launch-{round}");
        let request = self.requests.pair(name.clone());
        let person = &mut self.people[0];
        let took = launch(person, request).await;
        person.remove(&[name]).await?;
        took
    }

    async fn by_engine(&mut self, engine: &mut Engine) -> Result<Launched> {
        tokio::time::sleep(PAUSE).await;
        let template = self.pair_template();
        let (name, body) = self.engine_request(&template);
        let launched = engine.launch(&name, body).await?;
        engine.remove(&launched.id).await?;
        Ok(launched)
    }
}

fn varied(template: &Value, port: u16) -> Value {
    let mut body = template.clone();
    let hostname = format!("bench-{port}");
    body["Hostname"] = json!(hostname);
    body["Labels"]["io.berth.cluster"] = json!(Uuid::from_u128(rand::random()));
    body["Labels"]["io.berth.container"] = json!(Uuid::from_u128(rand::random()));
    for network in body["NetworkingConfig"]["EndpointsConfig"].as_object_mut().into_iter().flatten()
    {
        network.1["Aliases"] = json!([hostname]);
    }
    for bindings in body["HostConfig"]["PortBindings"].as_object_mut().into_iter().flatten() {
        bindings.1[0]["HostPort"] = json!(port.to_string());
    }
    // The lists of accounts are the agent's, and go with its container: the engine alone is asked for two mounts less.
    if let Some(mounts) = body["HostConfig"]["Mounts"].as_array_mut() {
        mounts.retain(|mount| !mount["Target"].as_str().is_some_and(|at| at.starts_with("/etc/")));
    }
    body
}

/// Milliseconds of pairs that were not lost.
#[derive(Default)]
struct Pairs {
    berth: Vec<f64>,
    direct: Vec<f64>,
    /// The creation's part of what the engine took.
    creations: Vec<f64>,
    lost: usize,
}

impl Pairs {
    fn push(&mut self, berth: Duration, direct: &Launched) {
        self.berth.push(berth.as_secs_f64() * 1e3);
        self.direct.push(direct.launched_in.as_secs_f64() * 1e3);
        self.creations.push(direct.created_in.as_secs_f64() * 1e3);
    }

    fn both(&self) -> impl Iterator<Item = (f64, f64)> {
        self.berth.iter().copied().zip(self.direct.iter().copied())
    }

    fn ratios(&self) -> Vec<f64> {
        self.both().map(|(berth, direct)| berth / direct).collect()
    }

    /// Berth's own part of each pair.
    fn own(&self) -> Vec<f64> {
        self.both().map(|(berth, direct)| berth - direct).collect()
    }

    fn figures(&self) -> Vec<Figure> {
        let ratios = self.ratios();
        let (low, high) = median_interval(&ratios);
        let at = |at: f64| (quantile(&self.berth, at), quantile(&self.direct, at));
        let (berth, direct) = at(0.5);
        let (berth_95, direct_95) = at(0.95);
        #[allow(clippy::cast_precision_loss, reason = "some hundred pairs")]
        let count = |number: usize| number as f64;
        vec![
            Figure::told("launch_pairs", count(ratios.len()), "pairs"),
            Figure::at_most("launch_lost_pairs", count(self.lost), "pairs", 0.0),
            Figure::told("launch_berth_p50_ms", berth, "ms"),
            Figure::told("launch_engine_p50_ms", direct, "ms"),
            Figure::told("launch_own_p50_ms", median(&self.own()), "ms"),
            Figure::at_most("launch_ratio_p50", median(&ratios), "x", RATIO),
            Figure::told("launch_ratio_p50_low", low, "x"),
            Figure::at_most("launch_ratio_p50_high", high, "x", RATIO),
            Figure::told("launch_ratio_of_medians", berth / direct, "x"),
            Figure::told("launch_ratio_p95", berth_95 / direct_95, "x"),
        ]
    }

    fn save(&self, file: &Path) -> Result<()> {
        let mut text = "berth_ms,engine_ms,engine_create_ms\n".to_owned();
        for ((berth, direct), creation) in self.both().zip(&self.creations) {
            writeln!(text, "{berth:.3},{direct:.3},{creation:.3}")?;
        }
        std::fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_differ_differs() {
        let template = json!({
            "Image": "i", "Hostname": "person0-sample",
            "Labels": {"io.berth.cluster": "c", "io.berth.container": "k", "io.berth.user": "u"},
            "HostConfig": {"Memory": 1, "PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "24000"}]}},
            "NetworkingConfig": {"EndpointsConfig": {"net": {"Aliases": ["person0-sample"]}}},
        });
        let body = varied(&template, 24_501);
        assert_eq!(body["HostConfig"]["PortBindings"]["8080/tcp"][0]["HostPort"], "24501");
        assert_eq!(body["HostConfig"]["PortBindings"]["8080/tcp"][0]["HostIp"], "127.0.0.1");
        assert_eq!(body["NetworkingConfig"]["EndpointsConfig"]["net"]["Aliases"][0], "bench-24501");
        assert_ne!(body["Labels"]["io.berth.cluster"], "c");
        assert_eq!(body["Labels"]["io.berth.user"], "u");
        assert_eq!(body["HostConfig"]["Memory"], 1);
    }

    #[test]
    fn figures_of_pairs() {
        let mut pairs = Pairs::default();
        for direct in [100, 200, 300] {
            let launched = Launched {
                id: String::new(),
                created_in: Duration::from_millis(20),
                launched_in: Duration::from_millis(direct),
            };
            pairs.push(Duration::from_millis(direct + 10), &launched);
        }
        let figures = serde_json::to_value(pairs.figures()).unwrap();
        let find = |name: &str| {
            let all = figures.as_array().unwrap();
            all.iter().find(|figure| figure["name"] == name).unwrap().clone()
        };
        assert_eq!(find("launch_ratio_p50")["holds"], true);
        assert!((find("launch_own_p50_ms")["value"].as_f64().unwrap() - 10.0).abs() < 1e-6);
        assert_eq!(find("launch_lost_pairs")["holds"], true);
    }
}
