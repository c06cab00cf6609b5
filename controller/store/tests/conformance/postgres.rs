//! A PostgreSQL server of the test's own: private directory, no network, gone at the end.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use async_trait::async_trait;
use berth_store::SqlStore;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;

use crate::backend::{Backend, Handle};

pub(crate) struct Postgres {
    server: Child,
    /// Also holds the socket. Dropped after the server has ended.
    directory: TempDir,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let bin = newest_installation().expect(
            "PostgreSQL is not installed: no /usr/lib/postgresql/*/bin/postgres (Debian's package is postgresql)",
        );
        let directory = tempfile::Builder::new().prefix("berth-pg").tempdir().unwrap();
        let data = directory.path().join("data");
        if geteuid().is_root() {
            let (user, group) = postgres_account();
            chown(directory.path(), Some(user), Some(group)).unwrap();
        }

        let made = command(&bin.join("initdb"), directory.path())
            .args([
                "--username=postgres",
                "--auth=trust",
                "--no-locale",
                "--encoding=UTF8",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

        let server = command(&bin.join("postgres"), directory.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off"])
            .args(["-c", "max_connections=200", "-k"])
            .arg(directory.path())
            .arg("-D")
            .arg(&data)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut started = Self { server, directory };
        started.wait_until_ready();
        started
    }

    fn wait_until_ready(&mut self) {
        let mut log = BufReader::new(self.server.stderr.take().unwrap()).lines();
        let mut said = String::new();
        loop {
            let line = log.next().unwrap_or_else(|| panic!("the server ended: {said}")).unwrap();
            if line.contains("ready to accept connections") {
                break;
            }
            said = said + &line + "\n";
        }
        // A full pipe would stop the server.
        thread::spawn(move || log.for_each(drop));
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=postgres", self.directory.path().display())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let pid = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        // SIGINT is its "fast" shutdown: it does not wait for clients.
        let told = pid.is_some_and(|pid| kill_process(pid, Signal::INT).is_ok());
        if told {
            let _ = self.server.wait();
        }
    }
}

#[async_trait]
impl Backend for Postgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    async fn create(&self, database: &str) {
        let server = Database::connect(self.url("postgres")).await.unwrap();
        server.execute_unprepared(&format!("CREATE DATABASE {database}")).await.unwrap();
        server.close().await.unwrap();
    }

    async fn open(&self, database: &str) -> Box<dyn Handle> {
        Box::new(SqlStore::open(&self.url(database)).await.unwrap())
    }
}

fn newest_installation() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse::<u32>().ok()?;
            let bin = path.join("bin");
            bin.join("postgres").exists().then_some((version, bin))
        })
        .max()
        .map(|(_, bin)| bin)
}

/// The server refuses to run as root. It ends with this process, even if that is killed.
fn command(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if geteuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.args(["--pdeathsig=INT", "--"]).arg(program);
    command.current_dir(directory).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// The package makes the account together with its home.
fn postgres_account() -> (u32, u32) {
    let home =
        fs::metadata("/var/lib/postgresql").expect("PostgreSQL's package makes its account's home");
    (home.uid(), home.gid())
}
