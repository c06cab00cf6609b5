//! A key's way to a program in a container and back, and a flood the other way: through controller, agent and session
//! holder, beside the engine's own exec on its socket.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use berth_docker::exec::{Command, Exec, Size};
use berth_proto::v1::{
    AttachRequest, AttachTerminal, CreateContainerRequest, EndTerminalRequest, TerminalOutput,
    attach_request, terminal_output,
};
use berth_reconcile::runtime::EngineId;
use bytes::Bytes;
use tokio::{io::AsyncReadExt as _, sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::{
    figure::Figure,
    house::House,
    lent::{Lent, lend},
    person::{ExecClient, Person},
    say,
    statistics::{median, quantile},
};

/// What a key may take longer than at the engine itself.
const ADDED_P50_MS: f64 = 2.0;
const ADDED_P99_MS: f64 = 10.0;
/// Of the engine's own throughput.
const FLOOD_RATIO: f64 = 0.5;
const FLOOD_BYTES: u64 = 64 << 20;
const FLOODS: usize = 5;
/// Echoes what it is given, byte by byte, as soon as it is given it.
const ECHO: &str = "stty raw -echo; exec cat";
const NAME: &str = "terminal";
const PATIENCE: Duration = Duration::from_secs(60);
/// Terminals of a whole class, and how many a container may have.
const CROWD: usize = 500;
const TERMINALS: usize = 20;
/// A person's keys do not come one after another without a pause; neither do these.
const PAUSE: Duration = Duration::from_millis(2);

pub(crate) struct Options {
    pub(crate) folder: PathBuf,
    pub(crate) programs: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) image: String,
    /// Pairs of echoes, both alone and beside a flood.
    pub(crate) rounds: usize,
}

pub(crate) async fn run(options: &Options) -> Result<Vec<Figure>> {
    let mut house = House::new(&options.folder, &options.programs, &options.socket)?;
    let mut place = prepare(&mut house, options).await?;
    let mut figures = Vec::new();

    let alone = place.echoes(options.rounds).await?;
    say(format_args!("alone: {alone}"));
    figures.push(Figure::at_most(
        "echo_added_p50_ms",
        median(&alone.berth) - median(&alone.engine),
        "ms",
        ADDED_P50_MS,
    ));
    figures.push(Figure::told("echo_engine_p50_ms", median(&alone.engine), "ms"));
    figures.push(Figure::told("echo_berth_p50_ms", median(&alone.berth), "ms"));
    figures.push(Figure::told(
        "echo_alone_added_p99_ms",
        quantile(&alone.berth, 0.99) - quantile(&alone.engine, 0.99),
        "ms",
    ));

    // Somebody else's `yes`, whose output is read as fast as it comes, through Berth.
    let (flood, terminal) = place.flood_beside().await?;
    let beside = place.echoes(options.rounds).await?;
    flood.abort();
    // It would go on by itself, and take its share of the container's processor from what follows.
    place.end(terminal).await?;
    say(format_args!("beside a flood: {beside}"));
    figures.push(Figure::at_most(
        "echo_added_p99_ms",
        quantile(&beside.berth, 0.99) - quantile(&beside.engine, 0.99),
        "ms",
        ADDED_P99_MS,
    ));

    let (mut berth, mut engine) = (Vec::new(), Vec::new());
    for round in 0..FLOODS {
        berth.push(place.flood_through_berth().await?);
        engine.push(place.flood_by_engine().await?);
        say(format_args!(
            "flood {} of {FLOODS}: {:.0} MB/s, the engine {:.0} MB/s",
            round + 1,
            berth[round],
            engine[round]
        ));
    }
    figures.push(Figure::at_least(
        "flood_ratio",
        median(&berth) / median(&engine),
        "x",
        FLOOD_RATIO,
    ));
    figures.push(Figure::told("flood_berth_mb_s", median(&berth), "MB/s"));
    let crowd = place.crowd(&options.image).await?;
    let among = place.echoes(options.rounds / 4).await?;
    say(format_args!("among {} terminals: {among}", crowd.len()));
    figures.push(Figure::told("crowd_terminals", count(crowd.len()), ""));
    figures.push(Figure::at_most(
        "crowd_echo_added_p50_ms",
        median(&among.berth) - median(&among.engine),
        "ms",
        ADDED_P50_MS,
    ));
    figures.push(Figure::at_most(
        "crowd_echo_added_p99_ms",
        quantile(&among.berth, 0.99) - quantile(&among.engine, 0.99),
        "ms",
        ADDED_P99_MS,
    ));
    let (controller, agent) = house.resident()?;
    drop(crowd);
    figures.push(Figure::told("controller_rss_after_mb", controller, "MB"));
    figures.push(Figure::told("agent_rss_after_mb", agent, "MB"));
    Ok(figures)
}

struct Place {
    client: ExecClient,
    exec: Exec,
    engine: EngineId,
    person: Person,
}

struct Echoes {
    berth: Vec<f64>,
    engine: Vec<f64>,
}

impl std::fmt::Display for Echoes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of =
            |values: &[f64]| format!("{:.2} / {:.2} ms", median(values), quantile(values, 0.99));
        write!(f, "Berth {}, the engine {} (p50 / p99)", of(&self.berth), of(&self.engine))
    }
}

async fn prepare(house: &mut House, options: &Options) -> Result<Place> {
    let request = CreateContainerRequest {
        name: NAME.to_owned(),
        image: options.image.clone(),
        cpu_millis: 1000,
        memory_bytes: 128 << 20,
        ..CreateContainerRequest::default()
    };
    let Lent { person, engine_id, .. } = lend(house, &options.socket, request).await?;
    let engine = EngineId::parse(&engine_id).context("the engine's id is one")?;
    let client = person.exec();
    Ok(Place { client, exec: Exec::new(&options.socket), engine, person })
}

/// A terminal through Berth.
struct Line {
    say: mpsc::Sender<AttachRequest>,
    hear: Streaming<TerminalOutput>,
    /// The terminal's, once it has answered.
    number: u32,
}

impl Line {
    async fn key(&mut self) -> Result<f64> {
        let began = Instant::now();
        let message = Some(attach_request::Message::Data(Bytes::from_static(b"x")));
        self.say.send(AttachRequest { message }).await?;
        ensure!(self.next().await? == Some(1), "one key, one byte");
        Ok(began.elapsed().as_secs_f64() * 1000.0)
    }

    /// How many bytes came; `None` at the end.
    async fn next(&mut self) -> Result<Option<usize>> {
        loop {
            let output = tokio::time::timeout(PATIENCE, self.hear.message()).await??;
            match output.and_then(|output| output.message) {
                Some(terminal_output::Message::Data(data)) => return Ok(Some(data.len())),
                Some(terminal_output::Message::Ended(_)) => return Ok(None),
                Some(terminal_output::Message::Skipped(_)) => bail!("bytes were skipped"),
                Some(terminal_output::Message::Opened(opened)) => {
                    self.number = opened.terminal.map_or(0, |terminal| terminal.number);
                }
                None => bail!("the terminal's stream broke"),
            }
        }
    }
}

impl Place {
    async fn open(&mut self, script: &str) -> Result<Line> {
        self.open_in(NAME, script).await
    }

    /// Half a thousand terminals that stay open, in as many containers as it takes. Each has echoed a key.
    async fn crowd(&mut self, image: &str) -> Result<Vec<Line>> {
        let mut names = Vec::new();
        for number in 0..CROWD / TERMINALS {
            let name = format!("{NAME}-{number}");
            let request = CreateContainerRequest {
                name: name.clone(),
                image: image.to_owned(),
                cpu_millis: 20,
                memory_bytes: 64 << 20,
                ..CreateContainerRequest::default()
            };
            self.person.client().create_container(request).await?;
            names.push(name);
        }
        let (_, lost) = self.person.until_running(&names).await?;
        ensure!(lost.is_empty(), "they do not run: {lost:?}");
        let mut lines = Vec::new();
        for name in &names {
            for _ in 0..TERMINALS {
                let mut line = self.open_in(name, ECHO).await?;
                line.key().await?;
                lines.push(line);
            }
            say(format_args!("{} of {CROWD} terminals", lines.len()));
        }
        Ok(lines)
    }

    async fn open_in(&mut self, name: &str, script: &str) -> Result<Line> {
        let (say, messages) = mpsc::channel(8);
        let attach = AttachTerminal {
            name: name.to_owned(),
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            ..AttachTerminal::default()
        };
        let message = Some(attach_request::Message::Attach(attach));
        say.send(AttachRequest { message }).await?;
        let hear = self.client.attach(ReceiverStream::new(messages)).await?.into_inner();
        Ok(Line { say, hear, number: 0 })
    }

    fn command(script: &str) -> Command {
        Command { words: ["sh", "-c", script].map(str::to_owned).to_vec(), ..Command::default() }
    }

    /// In turns, key by key.
    async fn echoes(&mut self, rounds: usize) -> Result<Echoes> {
        let mut line = self.open(ECHO).await?;
        let size = Some(Size { rows: 24, columns: 80 });
        let mut raw = self.exec.start_terminal(&self.engine, &Self::command(ECHO), size).await?;
        let mut buffer = [0; 64];
        // Until both programs have made their terminals raw.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut echoes = Echoes { berth: Vec::new(), engine: Vec::new() };
        for round in 0..rounds + 20 {
            let berth = line.key().await?;
            let began = Instant::now();
            raw.input.write(b"x").await?;
            let length = raw.output.read(&mut buffer).await?;
            ensure!(length == 1, "one key, one byte");
            let engine = began.elapsed().as_secs_f64() * 1000.0;
            // The first ones warm up.
            if round >= 20 {
                echoes.berth.push(berth);
                echoes.engine.push(engine);
            }
            tokio::time::sleep(PAUSE).await;
        }
        // Ctrl-D is nothing to a raw terminal: its line is hung up.
        self.exec.end(&self.engine, &raw.id, Duration::from_millis(100)).await?;
        Ok(echoes)
    }

    /// And the terminal's number.
    async fn flood_beside(&mut self) -> Result<(JoinHandle<()>, u32)> {
        let mut line = self.open("exec yes").await?;
        line.next().await?;
        let number = line.number;
        let reading = tokio::spawn(async move { while let Ok(Some(_)) = line.next().await {} });
        Ok((reading, number))
    }

    async fn end(&mut self, terminal: u32) -> Result<()> {
        let (name, owner) = (NAME.to_owned(), String::new());
        self.client.end_terminal(EndTerminalRequest { owner, name, terminal }).await?;
        Ok(())
    }

    /// Megabytes a second.
    async fn flood_through_berth(&mut self) -> Result<f64> {
        let mut line = self.open(&flood()).await?;
        let mut bytes = line.next().await?.unwrap_or(0);
        let began = Instant::now();
        while let Some(length) = line.next().await? {
            bytes += length;
        }
        rate(bytes, began)
    }

    async fn flood_by_engine(&mut self) -> Result<f64> {
        let mut raw =
            self.exec.start_terminal(&self.engine, &Self::command(&flood()), None).await?;
        let mut buffer = vec![0; 64 << 10];
        let mut bytes = raw.output.read(&mut buffer).await?;
        let began = Instant::now();
        loop {
            match tokio::time::timeout(PATIENCE, raw.output.read(&mut buffer)).await?? {
                0 => return rate(bytes, began),
                length => bytes += length,
            }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "some hundred")]
fn count(number: usize) -> f64 {
    number as f64
}

/// Raw, so that no byte is made two; in large pieces, so that it is not the program's own writing that is measured.
fn flood() -> String {
    format!("stty raw -echo; exec dd if=/dev/zero bs=65536 count={} 2>/dev/null", FLOOD_BYTES >> 16)
}

#[allow(clippy::cast_precision_loss, reason = "some hundred million")]
fn rate(bytes: usize, began: Instant) -> Result<f64> {
    ensure!(u64::try_from(bytes)? == FLOOD_BYTES, "{bytes} of {FLOOD_BYTES} bytes came");
    Ok(bytes as f64 / 1e6 / began.elapsed().as_secs_f64())
}
