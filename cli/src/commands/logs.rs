//! `berth logs`

use std::{
    io::{IsTerminal as _, Write},
    time::{Duration, SystemTime},
};

use anyhow::{Result, bail};
use berth_proto::v1;
use clap::Args;
use tonic::{Code, Status};

use crate::{
    client::Client,
    harmless::{Filter, PLAIN},
    output::note,
    text,
};

/// Between attempts to come back after a connection was lost.
const PAUSE: Duration = Duration::from_secs(1);
const ATTEMPTS: u32 = 300;

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Goes on with what comes, until the container stops
    #[arg(short, long)]
    follow: bool,
    /// Nothing older: an age such as 10m, or a moment such as 2026-04-01T08:00:00Z
    #[arg(long, value_parser = since)]
    since: Option<SystemTime>,
    /// Only the last so many lines
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    tail: Option<u32>,
    /// Puts before each line when it was printed
    #[arg(short, long)]
    timestamps: bool,
    /// Whose the container is (administrators)
    #[arg(long, default_value = "")]
    owner: String,
    /// The container's name, or its id
    name: String,
}

fn since(text: &str) -> Result<SystemTime, String> {
    if let Ok(age) = humantime::parse_duration(text) {
        return now().checked_sub(age).ok_or_else(|| "that is before all time".to_owned());
    }
    humantime::parse_rfc3339_weak(text).map_err(|_| {
        "neither an age such as 10m nor a moment such as 2026-04-01T08:00:00Z".to_owned()
    })
}

#[allow(clippy::disallowed_methods, reason = "people say how long ago by their own clock")]
fn now() -> SystemTime {
    SystemTime::now()
}

impl Logs {
    pub(crate) async fn run(self) -> Result<()> {
        let mut client = Client::signed_in()?.logs();
        let mut request = v1::StreamLogsRequest {
            owner: self.owner,
            name: self.name,
            cursor: String::new(),
            since: self.since.map(Into::into),
            tail: self.tail.unwrap_or(0),
            follow: self.follow,
        };
        let mut page = Page::new(self.timestamps);
        let (mut attempts, mut seen) = (0, false);
        loop {
            let lost = match client.stream(request.clone()).await {
                Ok(answer) => {
                    (attempts, seen) = (0, true);
                    match page.show(answer.into_inner(), &mut request).await? {
                        None => return Ok(()),
                        Some(status) => status,
                    }
                }
                Err(status) => status,
            };
            attempts += 1;
            if !seen || !is_passing(&lost) || attempts > ATTEMPTS {
                return Err(lost.into());
            }
            if attempts == 1 {
                note(&format!("[{}]", text::connection_lost()))?;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn is_passing(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
}

/// Where lines are shown: standard output and standard error apart.
struct Page {
    timestamps: bool,
    stdout: Sheet,
    stderr: Sheet,
}

#[derive(Default)]
struct Sheet {
    /// `None`: bytes are passed on as they are.
    filter: Option<Filter>,
    /// Within a line that came in pieces.
    open: bool,
    waiting: Vec<u8>,
}

impl Page {
    fn new(timestamps: bool) -> Self {
        let sheet = |is_terminal: bool| Sheet {
            filter: is_terminal.then(Filter::default),
            ..Sheet::default()
        };
        Self {
            timestamps,
            stdout: sheet(std::io::stdout().is_terminal()),
            stderr: sheet(std::io::stderr().is_terminal()),
        }
    }

    /// Until the end (`None`), or until the connection was lost. Keeps `request` at what has been seen.
    async fn show(
        &mut self,
        mut stream: tonic::Streaming<v1::StreamLogsResponse>,
        request: &mut v1::StreamLogsRequest,
    ) -> Result<Option<Status>> {
        loop {
            let response = match stream.message().await {
                Ok(Some(response)) => response,
                Ok(None) => return Ok(Some(Status::unavailable(""))),
                Err(status) => return Ok(Some(status)),
            };
            if !self.print(response.lines, &mut request.cursor, response.end)? {
                return Ok(None);
            }
        }
    }

    /// `false`: there is no more to be shown.
    fn print(&mut self, lines: Vec<v1::LogLine>, cursor: &mut String, end: bool) -> Result<bool> {
        let mut last = 1;
        for line in lines {
            if line.stream != last {
                self.flush()?;
                last = line.stream;
            }
            let sheet = if line.stream == 2 { &mut self.stderr } else { &mut self.stdout };
            sheet.add(&line, self.timestamps);
            *cursor = line.cursor;
        }
        if end {
            self.stdout.end();
            self.stderr.end();
        }
        let heard = self.flush()?;
        Ok(heard && !end)
    }

    /// Whether somebody still listens: `berth logs NAME | head` is no failure.
    fn flush(&mut self) -> Result<bool> {
        let out = write(&mut std::io::stdout(), &mut self.stdout.waiting);
        let err = write(&mut std::io::stderr(), &mut self.stderr.waiting);
        match out.and(err) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => bail!(error),
        }
    }
}

fn write(to: &mut impl Write, waiting: &mut Vec<u8>) -> std::io::Result<()> {
    if !waiting.is_empty() {
        to.write_all(waiting)?;
        to.flush()?;
        waiting.clear();
    }
    Ok(())
}

impl Sheet {
    fn add(&mut self, line: &v1::LogLine, timestamps: bool) {
        if timestamps && !self.open {
            self.waiting.extend_from_slice(moment(line.time.as_ref()).as_bytes());
            self.waiting.push(b' ');
        }
        match &mut self.filter {
            None => self.waiting.extend_from_slice(&line.text),
            Some(filter) => self.waiting.extend_from_slice(filter.piece(&line.text).as_bytes()),
        }
        self.open = line.partial;
        if !line.partial {
            self.waiting.push(b'\n');
            if let Some(filter) = &mut self.filter {
                filter.end_of_line();
            }
        }
    }

    fn end(&mut self) {
        if self.filter.as_ref().is_some_and(Filter::is_coloured) {
            self.waiting.extend_from_slice(PLAIN.as_bytes());
        }
    }
}

fn moment(time: Option<&prost_types::Timestamp>) -> String {
    let since = time.and_then(|time| {
        let seconds = u64::try_from(time.seconds).ok()?;
        Some(Duration::new(seconds, u32::try_from(time.nanos).ok()?))
    });
    let moment = SystemTime::UNIX_EPOCH + since.unwrap_or_default();
    humantime::format_rfc3339_nanos(moment).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stream: u32, text: &'static [u8], partial: bool) -> v1::LogLine {
        let time = Some(prost_types::Timestamp { seconds: 1_800_000_000, nanos: 5 });
        v1::LogLine { time, stream, text: text.into(), partial, cursor: String::new() }
    }

    fn shown(filter: Option<Filter>, timestamps: bool, lines: &[v1::LogLine]) -> Vec<u8> {
        let mut sheet = Sheet { filter, ..Sheet::default() };
        lines.iter().for_each(|line| sheet.add(line, timestamps));
        sheet.end();
        sheet.waiting
    }

    #[test]
    fn raw_where_there_is_no_terminal() {
        let lines =
            [line(1, b"\x1b[2J\xff\r", false), line(1, b"long", true), line(1, b"er", false)];
        assert_eq!(shown(None, false, &lines), b"\x1b[2J\xff\r\nlonger\n");
        let stamped = shown(None, true, &lines[1..]);
        assert_eq!(stamped, b"2027-01-15T08:00:00.000000005Z longer\n");
    }

    #[test]
    fn a_terminal_obeys_colours_alone() {
        let lines = [line(1, b"\x1b[31m\x1b[2Jred\x1b]0;", true), line(1, b"x\x07.", false)];
        assert_eq!(shown(Some(Filter::default()), false, &lines), b"\x1b[31mred.\n\x1b[m");
    }

    #[test]
    fn since_when() {
        assert!(since("10m").unwrap() < now());
        let moment = since("2026-04-01 08:00:00").unwrap();
        assert_eq!(moment, since("2026-04-01T08:00:00Z").unwrap());
        assert!(since("yesterday").is_err());
    }
}
