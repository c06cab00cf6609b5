//! A controller and an agent of our own: private folders, free ports of loopback, nothing shared with another service on
//! this machine but the engine.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// Beside the agent's default, so that a demo on the same machine goes on undisturbed.
const SUBNETS: &str = "10.231.0.0/20";
const PORTS: (u16, u16) = (24_000, 24_499);
/// For what the engine is asked for directly: these must not look to the agent like ports that it could lend.
pub(crate) const ENGINE_PORTS: (u16, u16) = (24_500, 24_999);
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct House {
    folder: PathBuf,
    programs: PathBuf,
    engine: PathBuf,
    api: SocketAddr,
    agents: SocketAddr,
    controller: Option<Program>,
    agent: Option<Program>,
}

impl House {
    /// `folder` is made anew; what an earlier run left on the engine goes first.
    pub(crate) fn new(folder: &Path, programs: &Path, engine: &Path) -> Result<Self> {
        let house = Self {
            folder: folder.to_owned(),
            programs: programs.to_owned(),
            engine: engine.to_owned(),
            api: free_address()?,
            agents: free_address()?,
            controller: None,
            agent: None,
        };
        house.purge()?;
        if folder.exists() {
            fs::remove_dir_all(folder)
                .with_context(|| format!("{} cannot be removed", folder.display()))?;
        }
        fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        house.write_controller_config()?;
        house.write_agent_config(engine)?;
        Ok(house)
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.api)
    }

    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.join("controller/ca.pem")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write_controller_config(&self) -> Result<()> {
        let config = toml::toml! {
            [listen]
            api = (self.api.to_string())
            agents = (self.agents.to_string())
            [data]
            dir = (self.folder.join("controller").display().to_string())
            // Forty at once, in few hands.
            [limits]
            containers_per_person = 100
        };
        write(&self.file("controller.toml"), &config)
    }

    fn write_agent_config(&self, engine: &Path) -> Result<()> {
        let config = toml::toml! {
            [data]
            dir = (self.folder.join("agent").display().to_string())
            [node]
            name = "bench"
            [offer]
            address = "127.0.0.1"
            ports = { start = (i64::from(PORTS.0)), end = (i64::from(PORTS.1)) }
            [storage]
            homes = (self.folder.join("homes").display().to_string())
            volumes = (self.folder.join("volumes").display().to_string())
            [docker]
            socket = (engine.display().to_string())
            subnets = SUBNETS
            publish_address = "127.0.0.1"
        };
        write(&self.file("agent.toml"), &config)
    }

    /// Adds an account and returns its password.
    pub(crate) fn add_user(&self, name: &str, role: &str) -> Result<String> {
        let said = self.run("berth-controller", &["user", "add", name, "--role", role])?;
        let password = said.lines().find_map(|line| line.strip_prefix("password: "));
        password.map(str::to_owned).context("the controller prints the password that it made")
    }

    pub(crate) fn start_controller(&mut self) -> Result<()> {
        let program = self.start("berth-controller", "serve")?;
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(self.api).is_err() {
            if Instant::now() > deadline {
                bail!("the controller does not listen: see {}", program.log.display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.controller = Some(program);
        Ok(())
    }

    pub(crate) fn join(&self, join_string: &str) -> Result<()> {
        self.run("berth-agent", &["join", join_string]).map(|_| ())
    }

    /// With its engine behind `socket`.
    pub(crate) fn start_agent_at(&mut self, socket: &Path) -> Result<()> {
        self.write_agent_config(socket)?;
        self.agent = Some(self.start("berth-agent", "run")?);
        Ok(())
    }

    pub(crate) fn start_agent(&mut self) -> Result<()> {
        let engine = self.engine.clone();
        self.start_agent_at(&engine)
    }

    pub(crate) fn stop_agent(&mut self) {
        self.agent = None;
    }

    /// Megabytes that controller and agent hold now.
    pub(crate) fn resident(&self) -> Result<(f64, f64)> {
        match (&self.controller, &self.agent) {
            (Some(controller), Some(agent)) => Ok((controller.resident()?, agent.resident()?)),
            _ => bail!("controller and agent do not run"),
        }
    }

    /// The most that they have ever held.
    pub(crate) fn peak(&self) -> Result<(f64, f64)> {
        match (&self.controller, &self.agent) {
            (Some(controller), Some(agent)) => {
                Ok((controller.held("VmHWM:")?, agent.held("VmHWM:")?))
            }
            _ => bail!("controller and agent do not run"),
        }
    }

    /// Where nobody needs an agent.
    pub(crate) fn controller_resident(&self) -> Result<f64> {
        self.controller.as_ref().context("the controller does not run")?.resident()
    }

    pub(crate) fn controller_process(&self) -> Result<u32> {
        let program = self.controller.as_ref().context("the controller does not run")?;
        Ok(program.child.id())
    }

    fn start(&self, name: &str, command: &str) -> Result<Program> {
        let log = self.file(&format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let child = self
            .command(name, &[command])
            .stdout(out.try_clone()?)
            .stderr(out)
            // Ctrl-C is for us: they are ended in their turn.
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        Ok(Program { child, log })
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let output = self
            .command(name, arguments)
            .output()
            .with_context(|| format!("{name} cannot be run"))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("{name} {} failed: {}", arguments[0], complaint.trim());
        }
        String::from_utf8(output.stdout).context("it prints text")
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let config = if name == "berth-agent" { "agent.toml" } else { "controller.toml" };
        let mut command = Command::new(self.programs.join(name));
        command.args(arguments).arg("--config").arg(self.file(config)).stdin(Stdio::null());
        command
    }

    /// Containers, networks and firewall rules of our agent.
    fn purge(&self) -> Result<()> {
        if !self.folder.join("agent").exists() {
            return Ok(());
        }
        // The recorder, if it was in between, is gone by now.
        self.write_agent_config(&self.engine)?;
        self.run("berth-agent", &["purge"]).map(|_| ())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.agent = None;
        self.controller = None;
        if let Err(error) = self.purge() {
            crate::say(format_args!("something was left on the engine: {error:#}"));
        }
    }
}

struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    fn resident(&self) -> Result<f64> {
        self.held("VmRSS:")
    }

    fn held(&self, line: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .with_context(|| format!("it has ended: see {}", self.log.display()))?;
        let kibibytes = status
            .lines()
            .find_map(|text| text.strip_prefix(line))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
            .context("the kernel tells what a process holds")?;
        Ok(kibibytes * 1024.0 / 1e6)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            // Gone already is as good.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(file: &Path, config: &toml::Table) -> Result<()> {
    fs::write(file, toml::to_string(config)?)
        .with_context(|| format!("{} cannot be written", file.display()))
}

/// Free at this moment, which on a machine of one's own is long enough.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("loopback has no free port")?;
    Ok(listener.local_addr()?)
}
