//! A controller and an agent of our own: private folders, free ports of loopback, nothing shared with another service on
//! this machine but the engine.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use berth_e2e::{
    client,
    demo::{Demo, User},
};
use berth_proto::v1::CreateJoinTokenRequest;

pub(super) const DOMAIN: &str = "apps.localhost";
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct House {
    pub(super) demo: Demo,
    pub(super) api: SocketAddr,
    folder: tempfile::TempDir,
    programs: PathBuf,
    running: Vec<Child>,
}

impl House {
    pub(super) async fn open() -> Self {
        let programs = std::env::var_os("BERTH_PROGRAMS").expect("BERTH_PROGRAMS is their folder");
        let (api, agents) = (free(), free());
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("controller");
        let demo = Demo {
            url: format!("https://localhost:{}", api.port()),
            ca_file: data.join("ca.pem"),
            starter_image: "localhost/berth/starter:latest".to_owned(),
            users: Vec::new(),
        };
        let mut house = Self { demo, api, folder, programs: programs.into(), running: Vec::new() };
        house.write(
            "berth-controller.toml",
            &format!(
                "[listen]\napi = '{api}'\nagents = '{agents}'\n[public]\nnames = ['localhost']\n\
                 agents_address = '{agents}'\n[data]\ndir = '{}'\n[apps]\ndomain = '{DOMAIN}'\n\
                 [ports]\nraw = 'opt-in'\n",
                data.display()
            ),
        );
        let at = |name: &str| house.folder.path().join(name).display().to_string();
        house.write(
            "berth-agent.toml",
            &format!(
                "[data]\ndir = '{}'\n[node]\nname = 'apps'\n[offer]\naddress = '127.0.0.1'\n\
                 ports = {{ start = 25000, end = 25099 }}\n[storage]\nhomes = '{}'\nvolumes = ''\n\
                 [docker]\nsubnets = '10.232.0.0/20'\npublish_address = '127.0.0.1'\n",
                at("agent"),
                at("homes")
            ),
        );
        for (name, role) in [("root", "administrator"), ("ann", "student"), ("ben", "student")] {
            let said = house.run("berth-controller", &["user", "add", name, "--role", role]);
            let password = said.lines().find_map(|line| line.strip_prefix("password: ")).unwrap();
            let (name, role) = (name.to_owned(), role.to_owned());
            house.demo.users.push(User { name, password: password.to_owned(), role });
        }
        house.start("berth-controller", "serve");
        client::until_serving(&house.demo, PATIENCE).await.unwrap();
        let root = house.demo.administrator().unwrap();
        let mut session = client::sign_in(&house.demo, root).await.unwrap();
        let token = session.nodes.create_join_token(CreateJoinTokenRequest::default()).await;
        house.run("berth-agent", &["join", &token.unwrap().into_inner().join_string]);
        house.start("berth-agent", "run");
        client::until_a_node_is_ready(&house.demo, PATIENCE).await.unwrap();
        house
    }

    /// Of the console.
    pub(super) fn authority(&self) -> String {
        format!("localhost:{}", self.api.port())
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(name));
        let config = self.folder.path().join(format!("{name}.toml"));
        command.args(arguments).arg("--config").arg(config).stdin(Stdio::null());
        command
    }

    fn run(&self, name: &str, arguments: &[&str]) -> String {
        let output = self.command(name, arguments).output().unwrap();
        assert!(output.status.success(), "{name} {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn start(&mut self, name: &str, command: &str) {
        let log = File::create(self.folder.path().join(format!("{name}.log"))).unwrap();
        let also = log.try_clone().unwrap();
        let child = self.command(name, &[command]).stdout(log).stderr(also).spawn().unwrap();
        self.running.push(child);
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["berth-controller", "berth-agent"] {
                let log = self.folder.path().join(format!("{name}.log"));
                eprintln!("{name}:\n{}", fs::read_to_string(log).unwrap_or_default());
            }
        }
        for child in self.running.iter_mut().rev() {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let deadline = Instant::now() + Duration::from_secs(20);
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        let purged = self.command("berth-agent", &["purge"]).output();
        if !purged.as_ref().is_ok_and(|output| output.status.success()) {
            eprintln!("something was left on the engine: {purged:?}");
        }
    }
}

/// Free at this moment.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
