use std::{process::Command as Program, time::Duration};

use berth_core::{id::ContainerId, image::ImageRef};
use berth_docker::{
    Options,
    exec::{Apart, Command, Error, Exec, Input, Outcome, Output, Reader, Running, Size, Stdin},
};
use berth_reconcile::runtime::{EngineId, EngineState, Runtime};
use tokio::{io::AsyncReadExt, time::timeout};

use crate::support::{Bench, PATIENCE, fresh, sh, user, with_bench};

const SIZE: Option<Size> = Some(Size { rows: 24, columns: 80 });

fn command(words: &[&str]) -> Command {
    Command { words: words.iter().map(|word| (*word).to_owned()).collect(), ..Command::default() }
}

fn exec(bench: &Bench) -> Exec {
    Exec::new(&bench.options.socket)
}

async fn sleeping(bench: &Bench) -> EngineId {
    bench.run(&bench.order(user(), &["sleep", "1000"])).await
}

/// Reads until the text is there, and returns everything so far.
async fn until(output: &mut Reader, text: &str) -> String {
    let mut seen = Vec::new();
    let read = async {
        loop {
            let mut buffer = [0; 4096];
            let count = output.read(&mut buffer).await.unwrap();
            seen.extend_from_slice(&buffer[..count]);
            let so_far = String::from_utf8_lossy(&seen).into_owned();
            if so_far.contains(text) {
                return so_far;
            }
            assert!(count > 0, "ended without {text:?}: {so_far:?}");
        }
    };
    timeout(PATIENCE, read).await.expect("the text comes")
}

async fn all(output: &mut Apart<Reader>) -> (Vec<u8>, Vec<u8>) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let read = async {
        while let Some(piece) = output.next().await.unwrap() {
            match piece {
                Output::Stdout(bytes) => stdout.extend_from_slice(&bytes),
                Output::Stderr(bytes) => stderr.extend_from_slice(&bytes),
            }
        }
    };
    timeout(PATIENCE, read).await.expect("the output ends");
    (stdout, stderr)
}

async fn shell(bench: &Bench, id: &EngineId) -> Running<Reader> {
    exec(bench).start_terminal(id, &command(&["sh"]), SIZE).await.unwrap()
}

async fn line(input: &mut Input, text: &str) {
    input.write(format!("{text}\n").as_bytes()).await.unwrap();
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_terminal_is_raw_bytes() {
    with_bench(Options::default(), async |bench| {
        let id = sleeping(&bench).await;
        let exec = exec(&bench);
        let Running { id: run, process, mut output, mut input } = shell(&bench, &id).await;
        assert!(process.is_some_and(|process| !process.has_ended()));
        line(&mut input, "stty size; echo $((40+2))").await;
        let seen = until(&mut output, "42").await;
        assert!(seen.contains("24 80"), "{seen:?}");
        exec.resize(&run, Size { rows: 40, columns: 120 }).await.unwrap();
        line(&mut input, "stty size").await;
        until(&mut output, "40 120").await;

        // It begins as a frame's header of 4 GiB does.
        line(&mut input, r"clear; printf '\001\0\0\0\377\377\377\377'; echo after-$((1+1))").await;
        until(&mut output, "after-2").await;

        // The engine's own key for going away is the shell's for the line before.
        input.write(b"\x10").await.unwrap();
        until(&mut output, "printf").await;
        line(&mut input, "").await;
        until(&mut output, "after-2").await;

        line(&mut input, "exit 7").await;
        let mut rest = Vec::new();
        timeout(PATIENCE, output.read_to_end(&mut rest)).await.unwrap().unwrap();
        assert_eq!(exec.outcome(&id, &run).await, Ok(Outcome::Exited(7)));
        assert_eq!(exec.resize(&run, Size { rows: 1, columns: 1 }).await, Ok(()));
        assert_eq!(exec.end(&id, &run, Duration::ZERO).await, Ok(()));
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn both_outputs_apart_and_input_to_its_end() {
    with_bench(Options::default(), async |bench| {
        let id = sleeping(&bench).await;
        let exec = exec(&bench);
        let script = "echo out; echo err >&2; pwd; echo $WHAT; cat; exit 3";
        let order = Command {
            environment: [("WHAT".to_owned(), "a b=c".to_owned())].into(),
            working_directory: Some("/tmp".to_owned()),
            ..command(&["sh", "-c", script])
        };
        let mut closed = exec.start_apart(&id, &order, Stdin::Closed).await.unwrap();
        let (stdout, stderr) = all(&mut closed.output).await;
        assert_eq!(stdout, b"out\n/tmp\na b=c\n");
        assert_eq!(stderr, b"err\n");
        assert_eq!(exec.outcome(&id, &closed.id).await, Ok(Outcome::Exited(3)));

        let Running { id: run, mut output, mut input, .. } =
            exec.start_apart(&id, &command(&["cat"]), Stdin::Open).await.unwrap();
        let sent: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[(n % 3) as usize]).collect();
        let writing = async {
            for piece in sent.chunks(50_000) {
                input.write(piece).await.unwrap();
            }
            input.end().await.unwrap();
        };
        let ((), (stdout, stderr)) = tokio::join!(writing, all(&mut output));
        assert!(stdout == sent, "{} bytes came back", stdout.len());
        assert_eq!(stderr, b"");
        assert_eq!(exec.outcome(&id, &run).await, Ok(Outcome::Exited(0)));

        // Over before anybody looked.
        let quick = exec.start_apart(&id, &command(&["true"]), Stdin::Closed).await.unwrap();
        assert_eq!(exec.outcome(&id, &quick.id).await, Ok(Outcome::Exited(0)));
        let killed = command(&["sh", "-c", "kill -KILL $$"]);
        let mut killed = exec.start_apart(&id, &killed, Stdin::Closed).await.unwrap();
        all(&mut killed.output).await;
        assert_eq!(exec.outcome(&id, &killed.id).await, Ok(Outcome::Exited(137)));
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn what_cannot_be_run() {
    with_bench(Options::default(), async |bench| {
        let id = sleeping(&bench).await;
        let exec = exec(&bench);
        for missing in [&["/nope"][..], &["nope", "x"], &["/etc"]] {
            let found = exec.start_terminal(&id, &command(missing), SIZE).await.unwrap_err();
            assert!(matches!(found, Error::CommandNotFound(_)), "{missing:?}: {found:?}");
            let found = exec.start_apart(&id, &command(missing), Stdin::Closed).await.unwrap_err();
            assert!(matches!(found, Error::CommandNotFound(_)), "{missing:?}: {found:?}");
        }
        let nowhere = Some("/nowhere".to_owned());
        let nowhere = Command { working_directory: nowhere, ..command(&["sh"]) };
        let found = exec.start_apart(&id, &nowhere, Stdin::Closed).await.unwrap_err();
        assert!(matches!(found, Error::Engine(_)), "{found:?}");
        let user = Command { user: Some("nosuch".to_owned()), ..command(&["sh"]) };
        let found = exec.start_apart(&id, &user, Stdin::Closed).await.unwrap_err();
        assert!(matches!(found, Error::Engine(_)), "{found:?}");

        let running = shell(&bench, &id).await;
        bench.stop(&id, Duration::ZERO).await.unwrap();
        assert_eq!(exec.outcome(&id, &running.id).await, Ok(Outcome::ContainerStopped));
        let found = exec.start_terminal(&id, &command(&["sh"]), SIZE).await.unwrap_err();
        assert_eq!(found, Error::NotRunning);
        assert_eq!(exec.shell(&id).await, Err(Error::NotRunning));
        bench.remove(&id).await.unwrap();
        let found = exec.start_terminal(&id, &command(&["sh"]), SIZE).await.unwrap_err();
        assert_eq!(found, Error::NoSuchContainer);
        assert_eq!(exec.outcome(&id, &running.id).await, Ok(Outcome::ContainerStopped));
        assert_eq!(exec.end(&id, &running.id, Duration::ZERO).await, Ok(()));
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_hang_up_ends_one_process_and_what_is_under_nohup_lives_on() {
    with_bench(Options::default(), async |bench| {
        let id = sleeping(&bench).await;
        let exec = exec(&bench);
        let mut running = shell(&bench, &id).await;
        // What nohup does.
        line(&mut running.input, "(trap '' HUP; echo started-$((1+1)); exec sleep 777) &").await;
        until(&mut running.output, "started-2").await;
        exec.end(&id, &running.id, Duration::from_secs(5)).await.unwrap();
        assert!(running.process.unwrap().has_ended());
        assert_eq!(bench.exec(&id, "ps | grep -c '[s]leep 777'").0, "1");
        assert!(!exec.inspect(&running.id).await.unwrap().is_running);

        let mut deaf = exec
            .start_terminal(&id, &command(&["sh", "-c", "trap '' HUP; echo deaf; sleep 500"]), SIZE)
            .await
            .unwrap();
        until(&mut deaf.output, "deaf").await;
        exec.end(&id, &deaf.id, Duration::from_millis(100)).await.unwrap();
        assert!(deaf.process.unwrap().has_ended());

        // Its own program, and the container, were never meant.
        let found = bench.inspect(&id).await.unwrap().unwrap();
        assert!(matches!(found.state, EngineState::Running { .. }));
        // An exec of one container, said to be another's.
        let (other, run) = (sleeping(&bench).await, shell(&bench, &id).await);
        let found = exec.end(&other, &run.id, Duration::ZERO).await.unwrap_err();
        assert!(matches!(found, Error::Foreign(_)), "{found:?}");
        assert!(!run.process.unwrap().has_ended());
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_start_that_nobody_waits_for_leaves_nothing() {
    with_bench(Options::default(), async |bench| {
        let id = sleeping(&bench).await;
        let exec = exec(&bench);
        let order = command(&["sleep", "888"]);
        let since = now();
        let start = exec.start_terminal(&id, &order, SIZE);
        let gave_up = timeout(Duration::from_millis(1), start).await;
        assert!(gave_up.is_err(), "a start takes longer than a millisecond");
        // The engine has it as soon as it was asked for; then it comes to life, and is ended. It may be over before anybody
        // can look, so its history is asked for.
        let ended = async {
            loop {
                let history = history(id.as_str(), since);
                if let Some(death) = history.lines().find(|line| line.starts_with("exec_die")) {
                    return death.to_owned();
                }
                tokio::task::yield_now().await;
            }
        };
        let death = timeout(PATIENCE, ended).await.expect("it is ended");
        assert_eq!(death, "exec_die 129");
    });
}

/// Seconds since the Unix epoch, on the engine's machine, which is this one.
fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// What the engine says happened to a container, with exit codes.
fn history(container: &str, since: u64) -> String {
    let format = "{{.Action}} {{.Actor.Attributes.exitCode}}";
    let filter = format!("container={container}");
    let (since, until) = (since.to_string(), (now() + 1).to_string());
    let mut events = Program::new("docker");
    events.args(["events", "--since", &since, "--until", &until, "--filter", &filter]);
    let output = events.args(["--format", format]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn shells() {
    with_bench(Options::default(), async |bench| {
        let exec = exec(&bench);
        let id = sleeping(&bench).await;
        assert_eq!(exec.shell(&id).await.as_deref(), Ok("/bin/ash"));
        let mut named = bench.order(user(), &["sleep", "1000"]);
        named.spec.environment.insert("SHELL".to_owned(), "/bin/busybox".to_owned());
        let named = bench.run(&named).await;
        assert_eq!(exec.shell(&named).await.as_deref(), Ok("/bin/busybox"));
        let mut wrong = bench.order(user(), &["sleep", "1000"]);
        wrong.spec.environment.insert("SHELL".to_owned(), "/tmp".to_owned());
        let wrong = bench.run(&wrong).await;
        assert_eq!(exec.shell(&wrong).await.as_deref(), Ok("/bin/ash"));

        // One program, a link that leads nowhere, a link that leads to itself, a file that cannot be run.
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("bin")).unwrap();
        std::fs::copy("/bin/busybox", root.path().join("busybox")).unwrap();
        std::os::unix::fs::symlink("dash", root.path().join("bin/sh")).unwrap();
        std::os::unix::fs::symlink("bash", root.path().join("bin/bash")).unwrap();
        std::fs::write(root.path().join("bin/zsh"), "").unwrap();
        let image = format!("berth-test/no-shell:{}", fresh().simple());
        let packed =
            sh(&format!("tar -C {} -c . | docker import - {image}", root.path().display()));
        assert!(packed.starts_with("sha256:"), "{packed}");
        let mut bare = bench.order(user(), &["/busybox", "sleep", "1000"]);
        bare.spec.image = ImageRef::parse(&image).unwrap();
        bare.container = ContainerId::new(fresh());
        let id = bench.run(&bare).await;
        let found = exec.shell(&id).await;
        bench.remove(&id).await.unwrap();
        let removed = Program::new("docker").args(["rmi", &image]).output().unwrap();
        assert!(removed.status.success());
        assert_eq!(found, Err(Error::NoShell));
    });
}
