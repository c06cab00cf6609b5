use std::process::Command as Program;

use berth_core::relay::{Follow, LogLine, LogStream, Logs, Rest};
use berth_docker::{
    Options,
    exec::{Error, Exec},
    logs::Reader,
};
use berth_reconcile::runtime::EngineId;
use tokio::time::timeout;

use crate::support::{IMAGE, PATIENCE, with_bench};

const DRIVERS: [&str; 2] = ["json-file", "local"];
const PIECE: usize = 16 << 10;

/// A container of the engine's own, taken away when dropped.
struct Printing(EngineId);

impl Printing {
    fn start(driver: &str, options: &[&str], script: &str) -> Self {
        let output = Program::new("docker")
            .args(["run", "--detach", "--network", "none", "--log-driver", driver])
            .args(options)
            .args([IMAGE, "sh", "-c", script])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let id = String::from_utf8(output.stdout).unwrap();
        Self(EngineId::parse(id.trim()).unwrap())
    }

    /// Until its program has ended.
    fn ended(driver: &str, options: &[&str], script: &str) -> Self {
        let printing = Self::start(driver, options, script);
        printing.docker(&["wait"]);
        printing
    }

    fn docker(&self, words: &[&str]) {
        let (first, rest) = words.split_first().unwrap();
        let done = Program::new("docker").arg(first).arg(self.0.as_str()).args(rest).output();
        assert!(done.unwrap().status.success(), "{words:?}");
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        let _ = Program::new("docker").args(["rm", "--force", self.0.as_str()]).output();
    }
}

async fn rest(reader: &mut Reader) -> Vec<LogLine> {
    let mut lines = Vec::new();
    let read = async {
        while let Some(line) = reader.next().await.unwrap() {
            assert!(line.text.len() <= PIECE);
            lines.push(line);
        }
    };
    timeout(PATIENCE, read).await.expect("the log ends");
    assert!(lines.is_sorted_by(|a, b| a.position < b.position));
    lines
}

async fn read(exec: &Exec, printing: &Printing, logs: Logs) -> Vec<LogLine> {
    rest(&mut exec.logs(&printing.0, logs).await.unwrap()).await
}

/// Lines as they were printed, put together.
fn whole(lines: &[LogLine], stream: LogStream) -> Vec<String> {
    let (mut all, mut open) = (Vec::new(), String::new());
    for line in lines.iter().filter(|line| line.stream == stream) {
        open.push_str(std::str::from_utf8(&line.text).unwrap());
        if line.rest == Rest::Whole {
            all.push(std::mem::take(&mut open));
        }
    }
    assert_eq!(open, "");
    all
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn both_outputs_apart_and_long_lines_in_pieces() {
    with_bench(Options::default(), async |bench| {
        let exec = Exec::new(&bench.options.socket);
        for driver in DRIVERS {
            let both = Printing::ended(driver, &[], "echo out; echo err >&2");
            let lines = read(&exec, &both, Logs::default()).await;
            assert_eq!(whole(&lines, LogStream::Stdout), ["out"], "{driver}");
            assert_eq!(whole(&lines, LogStream::Stderr), ["err"], "{driver}");

            let script = "echo out; head -c 100000 /dev/zero | tr '\\0' x; echo; echo; printf last";
            let printing = Printing::ended(driver, &[], script);
            let lines = read(&exec, &printing, Logs::default()).await;
            let long = "x".repeat(100_000);
            assert!(whole(&lines, LogStream::Stdout) == ["out", &long, "", "last"], "{driver}");
            // The last lines are lines, however many pieces they have.
            let tail = read(&exec, &printing, Logs { tail: Some(3), ..Logs::default() }).await;
            assert!(whole(&tail, LogStream::Stdout) == [&long, "", "last"], "{driver}");
            assert!(lines.ends_with(&tail), "{driver}");
            let tail = Logs { tail: Some(4), follow: Follow::Yes, ..Logs::default() };
            assert_eq!(read(&exec, &printing, tail).await, lines, "{driver}");
        }
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn every_line_of_many_and_exactly_the_rest_after_each() {
    with_bench(Options::default(), async |bench| {
        let exec = Exec::new(&bench.options.socket);
        for driver in DRIVERS {
            let many = Printing::ended(driver, &[], "seq 1 200000");
            let lines = read(&exec, &many, Logs::default()).await;
            let meant: Vec<String> = (1..=200_000).map(|number: u32| number.to_string()).collect();
            assert!(whole(&lines, LogStream::Stdout) == meant, "{driver}: {}", lines.len());

            // Both outputs at once: the engine writes them down a little out of order.
            let script = "seq 1 10000 & seq 1 10000 >&2; wait";
            let both = Printing::ended(driver, &[], script);
            let lines = read(&exec, &both, Logs::default()).await;
            assert_eq!(lines.len(), 20_000, "{driver}");
            for (seen, line) in
                (1_usize..).zip(&lines).filter(|(seen, _)| seen.is_multiple_of(1000))
            {
                let after = Logs { after: Some(line.position), ..Logs::default() };
                assert!(read(&exec, &both, after).await == lines[seen..], "{driver}: {seen}");
                if !seen.is_multiple_of(5000) {
                    continue;
                }
                let since = Some(line.position.moment);
                let found = read(&exec, &both, Logs { since, ..Logs::default() }).await;
                let first = lines.partition_point(|other| Some(other.position.moment) < since);
                assert!(found == lines[first..], "{driver}: {seen}");
                let tail = Logs { tail: u32::try_from(seen).ok(), ..Logs::default() };
                assert!(
                    read(&exec, &both, tail).await == lines[20_000 - seen..],
                    "{driver}: {seen}"
                );
            }
        }
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn what_comes_is_followed_until_the_container_stops() {
    with_bench(Options::default(), async |bench| {
        let exec = Exec::new(&bench.options.socket);
        for driver in DRIVERS {
            let script = "mkfifo /f; echo one; read line </f; echo $line; read line </f; exec cat";
            let printing = Printing::start(driver, &["--interactive"], script);
            let follow = Logs { follow: Follow::Yes, ..Logs::default() };
            let mut reader = exec.logs(&printing.0, follow).await.unwrap();
            let next = async |reader: &mut Reader| {
                let line = timeout(PATIENCE, reader.next()).await.expect("a line comes").unwrap();
                line.expect("it is not the end")
            };
            let one = next(&mut reader).await;
            assert_eq!(one.text, "one", "{driver}");
            bench.exec(&printing.0, "echo two >/f");
            assert_eq!(next(&mut reader).await.text, "two", "{driver}");
            // Whoever comes back later has missed nothing.
            let after = Logs { after: Some(one.position), ..follow };
            let mut second = exec.logs(&printing.0, after).await.unwrap();
            assert_eq!(next(&mut second).await.text, "two", "{driver}");
            printing.docker(&["kill"]);
            assert_eq!(rest(&mut reader).await, [], "{driver}");
            assert_eq!(rest(&mut second).await, [], "{driver}");
            assert_eq!(read(&exec, &printing, follow).await.len(), 2, "{driver}");
            printing.docker(&["rm"]);
            let gone = exec.logs(&printing.0, follow).await.map(drop);
            assert_eq!(gone, Err(Error::NoSuchContainer), "{driver}");
        }
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_terminals_log_also_of_a_second_life() {
    with_bench(Options::default(), async |bench| {
        let exec = Exec::new(&bench.options.socket);
        for driver in DRIVERS {
            let script =
                "echo out; echo err >&2; head -c 40000 /dev/zero | tr '\\0' x; echo; printf prompt";
            let printing = Printing::ended(driver, &["--tty"], script);
            printing.docker(&["start"]);
            printing.docker(&["wait"]);
            let lines = read(&exec, &printing, Logs::default()).await;
            let long = format!("{}\r", "x".repeat(40_000));
            let once = ["out\r", "err\r", &long, "prompt"];
            assert!(whole(&lines, LogStream::Stdout) == [once, once].concat(), "{driver}");
            for (seen, line) in (1..).zip(&lines) {
                let after = Logs { after: Some(line.position), ..Logs::default() };
                assert!(read(&exec, &printing, after).await == lines[seen..], "{driver}: {seen}");
            }
        }
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_log_that_is_thrown_away_while_it_is_read_goes_on() {
    with_bench(Options::default(), async |bench| {
        let exec = Exec::new(&bench.options.socket);
        for driver in DRIVERS {
            let options = ["--log-opt", "max-size=100k", "--log-opt", "max-file=2"];
            let script = "mkfifo /f; read go </f; seq 1 100000; echo end; exec sleep 1000";
            let printing = Printing::start(driver, &options, script);
            let follow = Logs { follow: Follow::Yes, ..Logs::default() };
            let mut reader = exec.logs(&printing.0, follow).await.unwrap();
            bench.exec(&printing.0, "until [ -p /f ]; do sleep 0.01; done; echo >/f");
            let mut last = 0;
            let read = async {
                loop {
                    let line = reader.next().await.unwrap().expect("it runs");
                    if line.text == "end" {
                        return;
                    }
                    let number: u32 = std::str::from_utf8(&line.text).unwrap().parse().unwrap();
                    assert!(number > last, "{driver}: {number} after {last}");
                    last = number;
                }
            };
            let ended = timeout(PATIENCE, read).await;
            assert!(ended.is_ok(), "{driver}: nothing after {last}");
        }
    });
}
