//! Containers, holders in a folder of their own, and somebody in front of a terminal.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use berth_agent::holder::Holders;
use berth_core::id::ContainerId;
use berth_proto::agent::v1::{self as wire, relay_frame::Body};
use berth_reconcile::runtime::EngineId;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{net::UnixStream, sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const ENGINE: &str = "/var/run/docker.sock";
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_berth-agent");
const IMAGE: &str = "berth-test/holder:1";

pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("the docker client runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {error}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Busybox of this machine as an image, with or without its applets.
fn import(image: &str, applets: &str) {
    let known = Command::new("docker").args(["image", "inspect", image]).output().unwrap();
    if known.status.success() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let bin = root.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::create_dir(root.path().join("tmp")).unwrap();
    std::fs::copy("/bin/busybox", bin.join("busybox")).expect("busybox-static is installed");
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        std::os::unix::fs::symlink("busybox", bin.join(applet)).unwrap();
    }
    let tar = Command::new("tar").arg("-C").arg(root.path()).args(["-c", "."]).output().unwrap();
    let mut import = Command::new("docker")
        .args(["import", "-", image])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(&tar.stdout).unwrap();
    assert!(import.wait().unwrap().success());
}

/// A container that sleeps; goes when dropped.
pub(crate) struct Container {
    pub(crate) id: ContainerId,
    pub(crate) engine: EngineId,
}

impl Container {
    pub(crate) fn new() -> Self {
        let applets = Command::new("/bin/busybox").arg("--list").output().unwrap().stdout;
        import(IMAGE, &String::from_utf8(applets).unwrap());
        Self::of(IMAGE)
    }

    pub(crate) fn without_shell() -> Self {
        const IMAGE: &str = "berth-test/holder-bare:1";
        import(IMAGE, "sleep");
        Self::of(IMAGE)
    }

    fn of(image: &str) -> Self {
        let engine = docker(&["run", "-d", "--label", "berth-test", image, "sleep", "1000"]);
        let engine = EngineId::parse(&engine).unwrap();
        Self { id: ContainerId::new(uuid::Uuid::from_u128(rand::random())), engine }
    }

    pub(crate) fn order(&self, command: &[&str]) -> wire::HolderStartRequest {
        wire::HolderStartRequest {
            container_id: self.id.to_string(),
            engine_id: self.engine.as_str().to_owned(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            size: Some(wire::Size { rows: 24, columns: 80 }),
        }
    }

    pub(crate) fn known(&self) -> BTreeMap<ContainerId, EngineId> {
        [(self.id, self.engine.clone())].into()
    }

    /// How many processes in it have this in their command line.
    pub(crate) fn count(&self, text: &str) -> usize {
        let all = docker(&["top", self.engine.as_str(), "-eo", "pid,args"]);
        all.lines().filter(|line| line.contains(text)).count()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["rm", "-f", self.engine.as_str()])
            .stdout(Stdio::null())
            .status();
    }
}

/// A folder for holders; whoever is in it is told to end when this is dropped.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("holders")
    }

    pub(crate) async fn holders(&self) -> Holders {
        Holders::new(self.path(), PROGRAM.into(), ENGINE.into()).await.unwrap()
    }

    pub(crate) fn sockets(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path()) else {
            return Vec::new();
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|name| name == "sock")).collect()
    }

    /// Of the holders that listen.
    pub(crate) fn pids(&self) -> Vec<Pid> {
        let pid = |path: PathBuf| {
            let stream = std::os::unix::net::UnixStream::connect(path).ok()?;
            rustix::net::sockopt::socket_peercred(&stream).ok().map(|peer| peer.pid)
        };
        self.sockets().into_iter().filter_map(pid).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for pid in self.pids() {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

/// Somebody in front of a terminal.
pub(crate) struct Viewer {
    pub(crate) output: Streaming<wire::RelayFrame>,
    pub(crate) input: mpsc::Sender<wire::RelayFrame>,
    pub(crate) terminal: wire::HeldTerminal,
    /// The number of the first byte of `seen`.
    pub(crate) from: u64,
    pub(crate) seen: Vec<u8>,
}

fn attach_to(container: &Container, number: u32, from: u64) -> wire::TerminalAttach {
    wire::TerminalAttach { number, from, size: None, container_id: container.id.to_string() }
}

impl Viewer {
    pub(crate) async fn new(holders: &Holders, container: &Container, number: u32) -> Self {
        Self::sized(holders, container, number, None).await
    }

    pub(crate) async fn sized(
        holders: &Holders,
        container: &Container,
        number: u32,
        size: Option<(u32, u32)>,
    ) -> Self {
        let size = size.map(|(rows, columns)| wire::Size { rows, columns });
        let attach = wire::TerminalAttach { size, ..attach_to(container, number, 0) };
        let (input, typed) = mpsc::channel(8);
        let mut output = holders.attach(attach, ReceiverStream::new(typed)).await.unwrap();
        let Some(Body::Terminal(terminal)) = next(&mut output).await else {
            panic!("the first frame is the terminal");
        };
        let Some(Body::Position(from)) = next(&mut output).await else {
            panic!("the second frame is the position");
        };
        Self { output, input, terminal, from, seen: Vec::new() }
    }

    pub(crate) async fn say(&self, body: Body) {
        self.input.send(wire::RelayFrame { body: Some(body) }).await.unwrap();
    }

    pub(crate) async fn line(&self, text: &str) {
        self.say(Body::Data(format!("{text}\n").into())).await;
    }

    /// Until this has been printed somewhere after what was asked for last.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        loop {
            let found = self.seen.windows(text.len()).position(|part| part == text.as_bytes());
            if let Some(at) = found {
                self.from += (at + text.len()) as u64;
                let passed: Vec<u8> = self.seen.drain(..at + text.len()).collect();
                return String::from_utf8_lossy(&passed[..at]).into_owned();
            }
            match next(&mut self.output).await {
                Some(Body::Data(bytes)) => {
                    assert!(bytes.len() <= 64 << 10);
                    self.seen.extend_from_slice(&bytes);
                }
                other => {
                    let seen = String::from_utf8_lossy(&self.seen);
                    panic!("{other:?} instead of {text:?}; before it {seen:?}");
                }
            }
        }
    }

    /// The rest, and how it ended.
    pub(crate) async fn end(&mut self) -> (String, wire::RelayEnd) {
        loop {
            match next(&mut self.output).await {
                Some(Body::Data(bytes)) => self.seen.extend_from_slice(&bytes),
                Some(Body::End(end)) => {
                    assert_eq!(next(&mut self.output).await, None);
                    return (String::from_utf8_lossy(&self.seen).into_owned(), end);
                }
                other => panic!("{other:?} instead of an end"),
            }
        }
    }
}

pub(crate) async fn next(output: &mut Streaming<wire::RelayFrame>) -> Option<Body> {
    let frame = timeout(PATIENCE, output.message()).await.expect("a frame comes").unwrap();
    frame.map(|frame| frame.body.unwrap())
}

/// The process id of a shell, as the shell says.
pub(crate) async fn shell_pid(viewer: &mut Viewer) -> String {
    viewer.line("echo pid=$$=").await;
    // The first is what was typed.
    viewer.until("pid=$$=").await;
    viewer.until("pid=").await;
    viewer.until("=").await
}

/// Resident memory in KiB.
pub(crate) fn resident(pid: Pid) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

pub(crate) async fn until_gone(pid: Pid) {
    timeout(PATIENCE, async {
        while std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))
            .is_ok_and(|stat| !stat.contains(") Z "))
        {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the process ends");
}

/// Whoever is behind this socket answers.
pub(crate) async fn until_listening(socket: &std::path::Path) {
    let connect = async {
        while UnixStream::connect(socket).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, connect).await.expect("it listens");
}
