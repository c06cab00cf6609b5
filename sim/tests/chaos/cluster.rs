//! The two programs, with directories, ports and a cluster of their own.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use tokio::process::{Child, Command as AsyncCommand};

pub(crate) const PEOPLE: [&str; 4] = ["ada", "bob", "cyd", "dora"];
pub(crate) const ADMINISTRATOR: &str = "root";
pub(crate) const PASSWORD: &str = "not a secret";

struct Programs {
    controller: PathBuf,
    agent: PathBuf,
}

pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    pub(crate) api: u16,
    agents: u16,
    planted: Option<&'static str>,
    joined: bool,
}

/// Built once: the agent with the points at which it may die, and copied aside, since others build it without.
fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let build = |arguments: &[&str]| {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let built = Command::new(cargo)
                .current_dir(root)
                .args(["build", "--quiet"])
                .args(arguments)
                .status()
                .unwrap();
            assert!(built.success(), "cargo build {arguments:?}");
        };
        let aside = target.join("chaos");
        std::fs::create_dir_all(&aside).unwrap();
        // Another test's process builds the same two.
        let lock = File::create(aside.join("lock")).unwrap();
        lock.lock().unwrap();
        build(&["-p", "berth-controller"]);
        build(&["-p", "berth-agent", "--features", "test-points"]);
        let programs = Programs {
            controller: aside.join("berth-controller"),
            agent: aside.join("berth-agent"),
        };
        for program in [&programs.controller, &programs.agent] {
            // Whoever runs the one before goes on doing so.
            let new = program.with_extension("new");
            std::fs::copy(target.join("debug").join(program.file_name().unwrap()), &new).unwrap();
            std::fs::rename(new, program).unwrap();
        }
        build(&["-p", "berth-agent"]);
        programs
    })
}

fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

impl Cluster {
    pub(crate) fn new(planted: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cluster =
            Self { folder, api: free_port(), agents: free_port(), planted, joined: false };
        let (api, agents) = (cluster.api, cluster.agents);
        let data = cluster.controller_data();
        let controller = format!(
            "[listen]\napi = \"127.0.0.1:{api}\"\nagents = \"127.0.0.1:{agents}\"\n\
             [public]\nnames = [\"127.0.0.1\"]\nagents_address = \"127.0.0.1:{agents}\"\n\
             [data]\ndir = {data:?}\n[sign_in]\nattempts_per_account = 100\nattempts_per_address = 1000\n\
             [limits]\ncontainers_per_person = 40\n[nodes]\nheartbeat = \"1s\"\nunreachable_after = \"5s\"\n"
        );
        std::fs::write(cluster.controller_config(), controller).unwrap();
        let (data, homes, volumes) =
            (cluster.agent_data(), cluster.path("homes"), cluster.path("volumes"));
        // Ports of its own: other tests' agents lend from the default range.
        let agent = format!(
            "[data]\ndir = {data:?}\n[node]\nname = \"blade\"\n\
             [offer]\naddress = \"127.0.0.1\"\nports = {{ start = 18000, end = 18999 }}\nreserve_memory_bytes = 0\n\
             [reconcile]\nstop_grace = \"2s\"\nrefresh = \"5s\"\ninventory = \"5s\"\n\
             [storage]\nhomes = {homes:?}\nvolumes = {volumes:?}\n\
             [docker]\nsubnets = \"10.214.0.0/16\"\npublish_address = \"127.0.0.1\"\n"
        );
        std::fs::write(cluster.agent_config(), agent).unwrap();
        cluster
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn controller_config(&self) -> PathBuf {
        self.path("controller.toml")
    }

    fn agent_config(&self) -> PathBuf {
        self.path("agent.toml")
    }

    pub(crate) fn controller_data(&self) -> PathBuf {
        self.path("controller")
    }

    pub(crate) fn agent_data(&self) -> PathBuf {
        self.path("agent")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.controller_data().join("controller.db")
    }

    pub(crate) fn authority(&self) -> PathBuf {
        self.controller_data().join("ca.pem")
    }

    fn log(&self, name: &str) -> File {
        File::options().create(true).append(true).open(self.path(name)).unwrap()
    }

    pub(crate) fn agent_log(&self) -> String {
        std::fs::read_to_string(self.path("agent.log")).unwrap_or_default()
    }

    pub(crate) fn add_accounts(&self) {
        let roles = PEOPLE.iter().map(|name| (*name, "student"));
        for (name, role) in roles.chain([(ADMINISTRATOR, "administrator")]) {
            let mut add = Command::new(&programs().controller)
                .args(["user", "add", name, "--role", role, "--password-stdin", "--config"])
                .arg(self.controller_config())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(self.log("controller.log"))
                .spawn()
                .unwrap();
            add.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
            assert!(add.wait().unwrap().success(), "{name} was not added");
        }
    }

    pub(crate) fn start_controller(&self) -> Child {
        AsyncCommand::new(&programs().controller)
            .args(["serve", "--config"])
            .arg(self.controller_config())
            .stderr(self.log("controller.log"))
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// With the controller stopped.
    pub(crate) fn begin_new_epoch(&self) {
        let begun = Command::new(&programs().controller)
            .args(["new-epoch", "--config"])
            .arg(self.controller_config())
            .stdout(Stdio::null())
            .stderr(self.log("controller.log"))
            .status()
            .unwrap();
        assert!(begun.success());
    }

    pub(crate) fn join(&mut self, join_string: &str) {
        let joined = Command::new(&programs().agent)
            .args(["join", join_string, "--config"])
            .arg(self.agent_config())
            .stdout(Stdio::null())
            .stderr(self.log("agent.log"))
            .status()
            .unwrap();
        assert!(joined.success(), "{}", self.agent_log());
        self.joined = true;
    }

    /// `die_at`: the point at which it kills itself, as `kill -9` would.
    pub(crate) fn start_agent(&self, die_at: Option<&str>) -> Child {
        let mut agent = AsyncCommand::new(&programs().agent);
        agent
            .args(["run", "--config"])
            .arg(self.agent_config())
            .env("BERTH_LOG", "info,berth=debug");
        agent.stderr(self.log("agent.log")).kill_on_drop(true);
        if let Some(point) = die_at {
            agent.env("BERTH_DIE_AT", point);
        }
        if let Some(fault) = self.planted {
            agent.env("BERTH_PLANTED_FAULT", fault);
        }
        agent.spawn().unwrap()
    }

    pub(crate) fn cluster_id(&self) -> String {
        let text = std::fs::read(self.agent_data().join("membership.json")).unwrap();
        let membership: serde_json::Value = serde_json::from_slice(&text).unwrap();
        membership["cluster"].as_str().unwrap().to_owned()
    }
}

/// Its end, whether it killed itself or ends otherwise.
pub(crate) async fn ended(child: &mut Child) {
    tokio::time::timeout(Duration::from_secs(60), child.wait())
        .await
        .expect("the program reaches the point")
        .unwrap();
}

/// `kill -9`.
pub(crate) async fn kill(mut child: Child) {
    child.kill().await.unwrap();
}

impl Drop for Cluster {
    /// Also when a test fails: nothing of this cluster stays on the engine or in the firewall.
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("BERTH_CHAOS_KEEP").is_some() {
            for log in ["controller.log", "agent.log"] {
                let text = std::fs::read_to_string(self.path(log)).unwrap_or_default();
                eprintln!("=== {log}\n{text}");
            }
        }
        if self.joined {
            let purged = Command::new(&programs().agent)
                .args(["purge", "--config"])
                .arg(self.agent_config())
                .output();
            eprintln!("purged: {:?}", purged.map(|output| output.status));
        }
    }
}
