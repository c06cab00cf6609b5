//! What outlives what.

use std::{
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use berth_agent::holder::{Holders, stop_all};
use berth_core::id::ContainerId;
use berth_proto::agent::v1::{self as wire, RelayEndReason as Reason};
use berth_reconcile::runtime::EngineId;
use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{
    Container, ENGINE, Folder, PROGRAM, Viewer, docker, shell_pid, until_gone, until_listening,
};

const CHILD: &str = "BERTH_TEST_CHILD";

/// What the test below runs as a process of its own: an agent that starts a terminal and is killed.
#[allow(clippy::print_stdout, reason = "read by the test that started this")]
async fn die_as_an_agent(folder: PathBuf, container: &Container) {
    let holders = Holders::new(folder, PROGRAM.into(), ENGINE.into()).await.unwrap();
    holders.start(container.order(&[])).await.unwrap();
    let mut viewer = Viewer::new(&holders, container, 1).await;
    println!("PID {} END", shell_pid(&mut viewer).await);
    kill_process(rustix::process::getpid(), Signal::KILL).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
async fn a_terminal_outlives_an_agent_that_is_killed() {
    if let Ok(child) = std::env::var(CHILD) {
        let [folder, id, engine] = child.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{child:?}");
        };
        let engine = EngineId::parse(engine).unwrap();
        let container = Container { id: id.parse().unwrap(), engine };
        return die_as_an_agent(folder.into(), &container).await;
    }
    let (folder, container) = (Folder::new(), Container::new());
    let child =
        format!("{} {} {}", folder.path().display(), container.id, container.engine.as_str());
    let name = "holders::a_terminal_outlives_an_agent_that_is_killed";
    let killed = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--ignored", "--nocapture"])
        .env(CHILD, child)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert_eq!(killed.status.signal(), Some(9));
    let said = String::from_utf8(killed.stdout).unwrap();
    let before = said.split_once("PID ").unwrap().1.split_once(" END").unwrap().0;

    let holders = folder.holders().await;
    assert_eq!(holders.sweep(&container.known()).await, 0);
    assert_eq!(folder.sockets().len(), 1);
    let mut viewer = Viewer::new(&holders, &container, 1).await;
    // The screen as it was.
    viewer.until(&format!("pid={before}=")).await;
    assert_eq!(shell_pid(&mut viewer).await, before);
    // And once more, in this process.
    drop((viewer, holders));
    let holders = folder.holders().await;
    let mut viewer = Viewer::new(&holders, &container, 1).await;
    viewer.until(&format!("pid={before}=")).await;
    viewer.until(&format!("pid={before}=")).await;
    assert_eq!(shell_pid(&mut viewer).await, before);
    let second = holders.start(container.order(&[])).await.unwrap();
    assert_eq!(second.number, 2);
    assert_eq!(folder.sockets().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
async fn what_a_killed_holder_leaves_is_ended_by_the_next_start() {
    let (folder, container) = (Folder::new(), Container::new());
    let holders = folder.holders().await;
    holders.start(container.order(&["sleep", "4711"])).await.unwrap();
    // An administrator's, and a single command of an agent that has died.
    docker(&["exec", "-d", container.engine.as_str(), "sleep", "4712"]);
    docker(&["exec", "-d", "-e", "BERTH_RUN=1", container.engine.as_str(), "sleep", "4713"]);
    let pid = folder.pids()[0];
    kill_process(pid, Signal::KILL).unwrap();
    until_gone(pid).await;
    assert_eq!(container.count("sleep 4711"), 1);
    drop(holders);

    let holders = folder.holders().await;
    assert_eq!(folder.sockets(), Vec::<PathBuf>::new());
    assert_eq!(holders.list(container.id).await, []);
    assert_eq!(holders.sweep(&container.known()).await, 2);
    assert_eq!(container.count("sleep 4711"), 0);
    assert_eq!(container.count("sleep 4712"), 1);
    assert_eq!(container.count("sleep 4713"), 0);
    let missing = wire::TerminalAttach {
        number: 1,
        container_id: container.id.to_string(),
        ..wire::TerminalAttach::default()
    };
    let end = holders.attach(missing, futures::stream::empty()).await.unwrap_err();
    assert_eq!(end.reason(), Reason::NoSuchTerminal);
    // A number is never another terminal's.
    assert_eq!(holders.start(container.order(&[])).await.unwrap().number, 2);
    assert_eq!(holders.sweep(&container.known()).await, 0);
    holders.sweep(&std::collections::BTreeMap::new()).await;
    assert_eq!(std::fs::read_dir(folder.path().join("numbers")).unwrap().count(), 0);
}

fn begin(socket: &Path, idle: u32) -> Child {
    Command::new(PROGRAM)
        .args(["session-holder", "--idle", &idle.to_string(), "--engine", ENGINE, "--socket"])
        .arg(socket)
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
async fn a_holder_with_nothing_to_hold_ends() {
    let folder = Folder::new();
    let socket = folder.path().join("a.sock");
    let mut holder = begin(&socket, 1);
    until_listening(&socket).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path()), 0o700);
    assert!(holder.wait().unwrap().success());
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
async fn a_holder_that_is_told_to_end_takes_its_terminals_along() {
    let (folder, container) = (Folder::new(), Container::new());
    let holders = folder.holders().await;
    holders.start(container.order(&[])).await.unwrap();
    let mut viewer = Viewer::new(&holders, &container, 1).await;
    viewer.line("echo here-$((1+1))").await;
    viewer.until("here-2").await;
    let pid = folder.pids()[0];
    // A process group's signal, as Ctrl-C on the agent, is not the holder's.
    assert_eq!(rustix::process::getpgid(Some(pid)).unwrap(), pid);
    assert_eq!(rustix::process::getsid(Some(pid)).unwrap(), pid);
    kill_process(pid, Signal::TERM).unwrap();
    let (_, end) = viewer.end().await;
    assert_eq!(end.reason(), Reason::Exited);
    until_gone(pid).await;
    assert_eq!(container.count("ash"), 0);
    assert_eq!(folder.sockets(), Vec::<PathBuf>::new());
    // The next start finds nobody and makes a new one.
    assert_eq!(holders.start(container.order(&[])).await.unwrap().number, 2);
    let pid = folder.pids()[0];
    assert_eq!(stop_all(&folder.path()).await.unwrap(), 1);
    until_gone(pid).await;
    assert_eq!(container.count("ash"), 0);
    assert_eq!(stop_all(&folder.path()).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
async fn of_two_holders_one_gets_what_is_new_and_the_other_ends_with_its_last() {
    let (folder, container) = (Folder::new(), Container::new());
    std::fs::create_dir(folder.path()).unwrap();
    let holders = folder.holders().await;
    holders.start(container.order(&[])).await.unwrap();
    let old = folder.pids()[0];
    // The first by name is the one that is kept.
    let other = folder.path().join("0.sock");
    let mut new = begin(&other, 600);
    until_listening(&other).await;
    drop(holders);
    let holders = folder.holders().await;
    assert_eq!(holders.start(container.order(&["sleep", "600"])).await.unwrap().number, 2);
    let numbers = |terminals: Vec<wire::HeldTerminal>| -> Vec<u32> {
        terminals.iter().map(|terminal| terminal.number).collect()
    };
    assert_eq!(numbers(holders.list(container.id).await), [1, 2]);
    assert!(holders.list(ContainerId::new(uuid::Uuid::nil())).await.is_empty());
    let mut viewer = Viewer::new(&holders, &container, 1).await;
    viewer.line("exit 3").await;
    assert_eq!(viewer.end().await.1.exit_code, 3);
    until_gone(old).await;
    assert_eq!(folder.pids(), [Pid::from_raw(new.id().cast_signed()).unwrap()]);
    holders.end(container.id, 2).await.unwrap();
    assert_eq!(stop_all(&folder.path()).await.unwrap(), 1);
    assert!(new.wait().unwrap().success());
}
