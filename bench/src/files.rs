//! Half a gigabyte to a container and back: `berth cp` beside `docker cp`, whole programs both.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use berth_proto::v1::CreateContainerRequest;

use crate::{
    figure::Figure,
    house::House,
    lent::{ACCOUNT, lend},
    person::Person,
    say,
    statistics::median,
};

/// Of the engine's own throughput.
const RATIO: f64 = 0.6;
/// What controller and agent may hold more after gigabytes have gone through them.
const GROWTH_MB: f64 = 16.0;
const SIZE: u64 = 512 << 20;
const NAME: &str = "files";

pub(crate) struct Options {
    pub(crate) folder: PathBuf,
    pub(crate) programs: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) image: String,
    /// Pairs of each direction.
    pub(crate) rounds: usize,
}

pub(crate) async fn run(options: &Options) -> Result<Vec<Figure>> {
    let mut house = House::new(&options.folder, &options.programs, &options.socket)?;
    let place = prepare(&mut house, options).await?;
    place.make_content()?;
    // Growth is of what goes through: that the code for it is loaded, and that caches fill, is not.
    place.send_little()?;
    let idle = house.resident()?;
    let (mut up, mut down) = (Pairs::default(), Pairs::default());
    // The first of each fills caches.
    for round in 0..=options.rounds {
        let sent = (place.send()?, place.send_by_engine()?);
        let received = (place.receive()?, place.receive_by_engine()?);
        say(format_args!(
            "{round} of {}: up {:.0} / {:.0} MB/s, down {:.0} / {:.0} MB/s (Berth / the engine)",
            options.rounds, sent.0, sent.1, received.0, received.1
        ));
        if round > 0 {
            up.push(sent);
            down.push(received);
        }
    }
    let (peak, after) = (house.peak()?, house.resident()?);
    Ok(vec![
        Figure::at_least("upload_ratio_p50", median(&up.ratios), "x", RATIO),
        Figure::told("upload_berth_mb_s", median(&up.berth), "MB/s"),
        Figure::told("upload_engine_mb_s", median(&up.engine), "MB/s"),
        Figure::at_least("download_ratio_p50", median(&down.ratios), "x", RATIO),
        Figure::told("download_berth_mb_s", median(&down.berth), "MB/s"),
        Figure::told("download_engine_mb_s", median(&down.engine), "MB/s"),
        Figure::at_most("controller_rss_growth_mb", after.0 - idle.0, "MB", GROWTH_MB),
        Figure::at_most("agent_rss_growth_mb", after.1 - idle.1, "MB", GROWTH_MB),
        Figure::told("controller_rss_peak_growth_mb", peak.0 - idle.0, "MB"),
        Figure::told("agent_rss_peak_growth_mb", peak.1 - idle.1, "MB"),
    ])
}

#[derive(Default)]
struct Pairs {
    berth: Vec<f64>,
    engine: Vec<f64>,
    ratios: Vec<f64>,
}

impl Pairs {
    fn push(&mut self, (berth, engine): (f64, f64)) {
        self.berth.push(berth);
        self.engine.push(engine);
        self.ratios.push(berth / engine);
    }
}

struct Place {
    folder: PathBuf,
    cli: PathBuf,
    socket: PathBuf,
    engine_id: String,
    /// Keeps the watch and the account.
    _person: Person,
}

async fn prepare(house: &mut House, options: &Options) -> Result<Place> {
    let request = CreateContainerRequest {
        name: NAME.to_owned(),
        image: options.image.clone(),
        cpu_millis: 500,
        memory_bytes: 256 << 20,
        ..CreateContainerRequest::default()
    };
    let lent = lend(house, &options.socket, request).await?;
    let place = Place {
        folder: options.folder.clone(),
        cli: options.programs.join("berth"),
        socket: options.socket.clone(),
        engine_id: lent.engine_id,
        _person: lent.person,
    };
    let authority = house.authority();
    let login = ["login", &house.url(), "-a", ACCOUNT, "--password-stdin", "--ca-file"];
    let mut login = place.berth(&login);
    let mut child = login.arg(authority).stdin(Stdio::piped()).spawn()?;
    child.stdin.take().context("its input is ours")?.write_all(lent.password.as_bytes())?;
    ensure!(child.wait()?.success(), "the command line cannot sign in");
    Ok(place)
}

impl Place {
    fn berth(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.cli);
        // A home of its own, so that nobody's session is touched.
        command.args(arguments).env("HOME", &self.folder).env_remove("XDG_CONFIG_HOME");
        command.stdout(Stdio::null()).stderr(Stdio::inherit());
        command
    }

    fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.arg("--host").arg(format!("unix://{}", self.socket.display())).args(arguments);
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Random, so that nobody gains by compressing; and the same as a tar, for the engine.
    fn make_content(&self) -> Result<()> {
        let mut random = File::open("/dev/urandom")?.take(SIZE);
        std::io::copy(&mut random, &mut File::create(self.file("content"))?)?;
        let status = Command::new("tar")
            .arg("--create")
            .arg("--file")
            .arg(self.file("content.tar"))
            .arg("--directory")
            .arg(&self.folder)
            .arg("content")
            .status()?;
        ensure!(status.success(), "tar cannot be run");
        Ok(())
    }

    fn send_little(&self) -> Result<()> {
        let little = self.file("little");
        fs::write(&little, vec![7; 4 << 20])?;
        let (here, there) = (little.display().to_string(), format!("{NAME}:/tmp/little"));
        timed(&mut self.berth(&["cp", &here, &there]))?;
        timed(&mut self.berth(&["cp", &there, &here]))?;
        Ok(())
    }

    fn send(&self) -> Result<f64> {
        let content = self.file("content").display().to_string();
        timed(&mut self.berth(&["cp", &content, &format!("{NAME}:/tmp/content")]))
    }

    fn send_by_engine(&self) -> Result<f64> {
        let tar = File::open(self.file("content.tar"))?;
        let to = format!("{}:/var", self.engine_id);
        timed(self.docker(&["cp", "-", &to]).stdin(tar))
    }

    fn receive(&self) -> Result<f64> {
        let to = self.file("received");
        let text = to.display().to_string();
        let rate = timed(&mut self.berth(&["cp", &format!("{NAME}:/tmp/content"), &text]))?;
        ensure!(digest(&to)? == digest(&self.file("content"))?, "it is not what was sent");
        fs::remove_file(to)?;
        Ok(rate)
    }

    fn receive_by_engine(&self) -> Result<f64> {
        let to = self.file("received.tar");
        let from = format!("{}:/var/content", self.engine_id);
        let rate = timed(self.docker(&["cp", &from, "-"]).stdout(File::create(&to)?))?;
        fs::remove_file(to)?;
        Ok(rate)
    }
}

fn digest(file: &Path) -> Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut File::open(file)?, &mut hasher)?;
    Ok(hasher.finalize())
}

/// Megabytes a second.
#[allow(clippy::cast_precision_loss, reason = "half a thousand million")]
fn timed(command: &mut Command) -> Result<f64> {
    let began = Instant::now();
    let status = command.status().context("it cannot be run")?;
    ensure!(status.success(), "it has failed: {command:?}");
    Ok(SIZE as f64 / 1e6 / began.elapsed().as_secs_f64())
}
