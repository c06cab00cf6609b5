//! A PostgreSQL server of our own, for as long as its suite takes.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{nextest, suite::Tally};
use crate::{machine, say, shell};

pub(crate) fn run() -> Result<Tally> {
    let server = Server::start()?;
    let url = server.url();
    let tally = nextest::ignored("package(berth-store)", &[("BERTH_TEST_POSTGRES", &url)]);
    server.stop()?;
    tally
}

struct Server {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Server {
    /// Durability is not what the tests look at: without fsync they take a fraction of the time.
    fn start() -> Result<Self> {
        let programs = newest().context("postgresql brings its programs")?;
        // Not under target/: the server refuses to be root, and another user may not reach a clone in a home.
        let mut make = as_server(Path::new("mktemp"));
        let folder =
            shell::output(make.args(["--directory", "--tmpdir", "berth-postgresql-XXXXXXXX"]))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self { programs, folder: folder.trim().into(), port };
        say::note(format_args!("PostgreSQL in {} on port {port}", server.folder.display()));
        let mut initdb = server.program("initdb");
        initdb.args([
            "--username=berth",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        shell::output(initdb.arg("--pgdata").arg(&server.folder))?;
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c fsync=off \
             -c max_connections=200"
        );
        let mut start = server.program("pg_ctl");
        start.args(["start", "--wait", "--silent", "--options", &options, "--pgdata"]);
        // The server keeps its outputs for good: a pipe of ours would never end.
        shell::run(start.arg(&server.folder).arg("--log").arg(server.folder.join("log")))?;
        Ok(server)
    }

    fn program(&self, name: &str) -> Command {
        as_server(&self.programs.join(name))
    }

    fn url(&self) -> String {
        format!("postgres://berth@127.0.0.1:{}/postgres", self.port)
    }

    fn stop(&self) -> Result<()> {
        let mut stop = self.program("pg_ctl");
        stop.args(["stop", "--wait", "--silent", "--mode=immediate", "--pgdata"]);
        shell::run(stop.arg(&self.folder))?;
        fs::remove_dir_all(&self.folder)
            .with_context(|| format!("{} cannot be removed", self.folder.display()))
    }
}

/// As Debian's account for it where we are root.
fn as_server(program: &Path) -> Command {
    let mut command = if machine::is_root() {
        let mut command = shell::command("runuser", &["--user", "postgres", "--"]);
        command.arg(program);
        command
    } else {
        shell::command(program, &[])
    };
    command.current_dir("/");
    command
}

fn newest() -> Option<PathBuf> {
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path());
    versions.max_by_key(version).map(|path| path.join("bin"))
}
