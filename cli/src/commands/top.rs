//! `berth top`

use std::{
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use anyhow::Result;
use berth_core::text::bytes;
use berth_proto::v1;
use clap::{Args, ValueEnum};
use crossterm::{
    cursor::{Hide, MoveTo, Show},
    execute, queue,
    terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen},
};
use serde_json::{Value, json};
use tonic::{Code, Status, Streaming};

use crate::{
    client::Client,
    console,
    output::{Format, moment, note, printable, say, table},
    text,
};

/// Between attempts to come back after a connection was lost.
const PAUSE: Duration = Duration::from_secs(1);
const ATTEMPTS: u32 = 300;

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// This container alone, by its name or id
    name: Option<String>,
    /// Whose containers (administrators)
    #[arg(long, default_value = "")]
    owner: String,
    /// Everybody's containers, and the blades (administrators)
    #[arg(short, long, conflicts_with_all = ["owner", "name", "node"])]
    all: bool,
    /// This blade, and what is on it (administrators)
    #[arg(long, default_value = "", conflicts_with_all = ["owner", "name"])]
    node: String,
    /// Shows it once and ends
    #[arg(long)]
    no_stream: bool,
    #[arg(long, value_enum, default_value = "name")]
    sort: Sort,
    /// With json, every look is a line of its own
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
}

/// The largest first, or by name
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    Name,
    Cpu,
    Memory,
    Network,
    Disk,
    Gpu,
}

impl Top {
    pub(crate) async fn run(self) -> Result<()> {
        // Ctrl-C is how it is meant to end, and what was shown stays.
        tokio::select! {
            shown = self.show() => shown,
            interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        }
    }

    async fn show(&self) -> Result<()> {
        let mut client = Client::signed_in()?.usage();
        let request = v1::WatchFiguresRequest {
            owner: if self.all { "-".to_owned() } else { self.owner.clone() },
            name: self.name.clone().unwrap_or_default(),
            node: self.node.clone(),
        };
        let mut screen = None;
        let (mut attempts, mut seen) = (0, false);
        loop {
            let lost = match client.watch_figures(request.clone()).await {
                Ok(answer) => {
                    let mut stream = answer.into_inner();
                    loop {
                        match look(&mut stream).await {
                            Ok(look) => {
                                (attempts, seen) = (0, true);
                                self.tell(look, &mut screen)?;
                                if self.no_stream {
                                    return Ok(());
                                }
                            }
                            Err(status) => break status,
                        }
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

    fn tell(&self, mut look: v1::WatchFiguresResponse, screen: &mut Option<Screen>) -> Result<()> {
        self.sort.apply(&mut look);
        match self.output {
            Format::Json if self.no_stream => say(&serde_json::to_string_pretty(&as_json(&look))?),
            Format::Json => say(&as_json(&look).to_string()),
            Format::Table => {
                let page = self.page(&look);
                let is_live = !self.no_stream && std::io::stdout().is_terminal();
                if is_live {
                    let screen = match screen {
                        Some(screen) => screen,
                        None => screen.insert(Screen::enter()?),
                    };
                    return screen.show(&page);
                }
                say(page.trim_end())
            }
        }
    }

    fn page(&self, look: &v1::WatchFiguresResponse) -> String {
        let mut page = String::new();
        if !look.nodes.is_empty() {
            let mut lines = vec![text::top_nodes().map(str::to_owned).to_vec()];
            lines.extend(look.nodes.iter().map(node_line));
            page.push_str(&table(&lines));
            page.push('\n');
        }
        if look.containers.is_empty() {
            page.push_str(text::nothing_is_used());
            page.push('\n');
            return page;
        }
        let foreign = self.all || !self.node.is_empty();
        let mut lines = vec![text::top_containers().map(str::to_owned).to_vec()];
        lines.extend(look.containers.iter().map(|row| container_line(row, foreign)));
        page.push_str(&table(&lines));
        page
    }
}

fn is_passing(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
}

/// All messages of one look.
async fn look(
    stream: &mut Streaming<v1::WatchFiguresResponse>,
) -> Result<v1::WatchFiguresResponse, Status> {
    let mut all = v1::WatchFiguresResponse::default();
    loop {
        let part = stream.message().await?.ok_or_else(|| Status::unavailable(""))?;
        all.containers.extend(part.containers);
        all.nodes.extend(part.nodes);
        if part.last {
            return Ok(all);
        }
    }
}

impl Sort {
    fn apply(self, look: &mut v1::WatchFiguresResponse) {
        let size = |figures: &Option<v1::Figures>| {
            let figures = figures.unwrap_or_default();
            match self {
                Sort::Name => 0,
                Sort::Cpu => figures.cpu_millis.into(),
                Sort::Memory => figures.memory_bytes,
                Sort::Network => figures.network_in.saturating_add(figures.network_out),
                Sort::Disk => figures.disk_read.saturating_add(figures.disk_write),
                Sort::Gpu => figures.gpu.and_then(|gpu| gpu.percent).unwrap_or(0).into(),
            }
        };
        look.containers.sort_by(|a, b| {
            let by_name = (&a.owner, &a.name).cmp(&(&b.owner, &b.name));
            size(&b.figures).cmp(&size(&a.figures)).then(by_name)
        });
        look.nodes
            .sort_by(|a, b| size(&b.figures).cmp(&size(&a.figures)).then(a.name.cmp(&b.name)));
    }
}

// === lines ===

fn container_line(row: &v1::ContainerFigures, foreign: bool) -> Vec<String> {
    let figures = row.figures.unwrap_or_default();
    let limits = row.limits.unwrap_or_default();
    let name = if foreign { format!("{}/{}", row.owner, row.name) } else { row.name.clone() };
    let mut line = vec![printable(&name)];
    line.extend(cells(&figures, &limits));
    line.push(figures.processes.to_string());
    line
}

fn node_line(row: &v1::NodeFigures) -> Vec<String> {
    let mut line = vec![printable(&row.name)];
    line.extend(cells(&row.figures.unwrap_or_default(), &row.limits.unwrap_or_default()));
    line.push(of(row.storage_used_bytes, row.storage_total_bytes));
    line
}

fn cells(figures: &v1::Figures, limits: &v1::Limits) -> [String; 5] {
    [
        cpu(figures.cpu_millis, limits.cpu_millis),
        of(figures.memory_bytes, limits.memory_bytes),
        rates(figures.network_in, figures.network_out),
        rates(figures.disk_read, figures.disk_write),
        figures.gpu.as_ref().map(|gpu| gpu_cell(gpu, limits)).unwrap_or_else(|| "-".to_owned()),
    ]
}

/// A hundred per cent is a core, as `top` and the engine count.
fn cpu(used: u32, limit: u32) -> String {
    let percent = |millis: u32| format!("{}%", millis / 10);
    let used = format!("{}.{}%", used / 10, used % 10);
    if limit == 0 { used } else { format!("{used} / {}", percent(limit)) }
}

fn of(used: u64, limit: u64) -> String {
    if limit == 0 { bytes(used) } else { format!("{} / {}", bytes(used), bytes(limit)) }
}

fn rates(r#in: u64, out: u64) -> String {
    format!("{}/s {}/s", bytes(r#in), bytes(out))
}

fn gpu_cell(gpu: &v1::GpuFigures, limits: &v1::Limits) -> String {
    let mut cell = gpu.percent.map_or_else(|| "?".to_owned(), |percent| format!("{percent}%"));
    cell.push(' ');
    cell.push_str(&of(gpu.memory_bytes, limits.gpu_memory_bytes));
    if let Some(power) = gpu.power_milliwatts {
        cell.push_str(&format!(" {} W", power / 1000));
    }
    cell
}

// === JSON ===

fn as_json(look: &v1::WatchFiguresResponse) -> Value {
    let containers: Vec<Value> = look
        .containers
        .iter()
        .map(|row| {
            json!({
                "id": row.id, "name": row.name, "owner": row.owner, "node": row.node,
                "time": moment(row.time.as_ref()),
                "figures": figures_json(row.figures.as_ref()),
                "limits": limits_json(row.limits.as_ref()),
            })
        })
        .collect();
    let nodes: Vec<Value> = look
        .nodes
        .iter()
        .map(|row| {
            json!({
                "id": row.id, "name": row.name,
                "time": moment(row.time.as_ref()),
                "figures": figures_json(row.figures.as_ref()),
                "limits": limits_json(row.limits.as_ref()),
                "storage_used_bytes": row.storage_used_bytes,
                "storage_total_bytes": row.storage_total_bytes,
            })
        })
        .collect();
    json!({"containers": containers, "nodes": nodes})
}

fn figures_json(figures: Option<&v1::Figures>) -> Value {
    let Some(figures) = figures else { return Value::Null };
    let gpu = figures.gpu.as_ref().map(|gpu| {
        json!({
            "percent": gpu.percent,
            "memory_bytes": gpu.memory_bytes,
            "power_milliwatts": gpu.power_milliwatts,
        })
    });
    json!({
        "cpu_millis": figures.cpu_millis,
        "memory_bytes": figures.memory_bytes,
        "network_in": figures.network_in,
        "network_out": figures.network_out,
        "disk_read": figures.disk_read,
        "disk_write": figures.disk_write,
        "processes": figures.processes,
        "gpu": gpu,
    })
}

fn limits_json(limits: Option<&v1::Limits>) -> Value {
    limits.map_or(Value::Null, |limits| {
        json!({
            "cpu_millis": limits.cpu_millis,
            "memory_bytes": limits.memory_bytes,
            "gpu_memory_bytes": limits.gpu_memory_bytes,
        })
    })
}

// === a table that changes in place ===

/// What was on the terminal before comes back when this is dropped.
struct Screen;

impl Screen {
    fn enter() -> Result<Self> {
        execute!(std::io::stdout(), EnterAlternateScreen, Hide)?;
        Ok(Self)
    }

    fn show(&mut self, page: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        queue!(out, MoveTo(0, 0))?;
        let size = console::size().unwrap_or(v1::TerminalSize { rows: 24, columns: 80 });
        let (rows, columns) = (size.rows as usize, size.columns as usize);
        for (at, line) in fitting(page, rows).enumerate() {
            if at > 0 {
                out.write_all(b"\r\n")?;
            }
            // A line that wraps would push the first one out, and one that fills its row loses its end to what clears the rest.
            out.write_all(cut(line, columns.saturating_sub(1)).as_bytes())?;
            queue!(out, Clear(ClearType::UntilNewLine))?;
        }
        queue!(out, Clear(ClearType::FromCursorDown))?;
        Ok(out.flush()?)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing is left to do about a terminal that cannot be put back.
        let _ = execute!(std::io::stdout(), Show, LeaveAlternateScreen);
    }
}

fn fitting(page: &str, rows: usize) -> impl Iterator<Item = &str> {
    page.trim_end().lines().take(rows.max(1))
}

/// To so many columns; what is wide is taken for the two that it needs.
fn cut(line: &str, columns: usize) -> &str {
    let mut left = columns;
    for (at, c) in line.char_indices() {
        let width = crate::output::cells(c.encode_utf8(&mut [0; 4]));
        if width > left {
            return &line[..at];
        }
        left -= width;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(owner: &str, name: &str, cpu_millis: u32, memory_bytes: u64) -> v1::ContainerFigures {
        let figures = v1::Figures { cpu_millis, memory_bytes, processes: 3, ..Default::default() };
        let limits = v1::Limits { cpu_millis: 2000, memory_bytes: 1 << 30, ..Default::default() };
        v1::ContainerFigures {
            owner: owner.into(),
            name: name.into(),
            figures: Some(figures),
            limits: Some(limits),
            ..Default::default()
        }
    }

    #[test]
    fn a_line() {
        let mut one = row("ann", "web", 513, 300 << 20);
        let line = container_line(&one, false);
        let expected =
            ["web", "51.3% / 200%", "300 MiB / 1 GiB", "0 B/s 0 B/s", "0 B/s 0 B/s", "-", "3"];
        assert_eq!(line, expected);
        let gpu = v1::GpuFigures {
            percent: Some(80),
            memory_bytes: 7 << 30,
            power_milliwatts: Some(312_900),
        };
        one.figures.as_mut().unwrap().gpu = Some(gpu);
        one.limits.as_mut().unwrap().gpu_memory_bytes = 139 << 30;
        assert_eq!(container_line(&one, true)[0], "ann/web");
        assert_eq!(container_line(&one, true)[5], "80% 7 GiB / 139 GiB 312 W");
        let silent = v1::GpuFigures { memory_bytes: 1 << 30, ..Default::default() };
        assert_eq!(gpu_cell(&silent, &v1::Limits::default()), "? 1 GiB");
        assert_eq!(cpu(7, 0), "0.7%");
    }

    #[test]
    fn orders() {
        let rows = [row("b", "a", 1, 9), row("a", "c", 5, 1), row("a", "b", 5, 2)];
        let names = |sort: Sort| -> String {
            let mut look =
                v1::WatchFiguresResponse { containers: rows.to_vec(), ..Default::default() };
            sort.apply(&mut look);
            look.containers.iter().map(|row| row.name.as_str()).collect()
        };
        assert_eq!(names(Sort::Name), "bca");
        assert_eq!(names(Sort::Cpu), "bca");
        assert_eq!(names(Sort::Memory), "abc");
    }

    #[test]
    fn within_the_terminal() {
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("名前x", 3), "名");
        assert_eq!(cut("名前x", 5), "名前x");
        assert_eq!(fitting("a\nb\nc\n", 2).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn json_has_the_names_of_the_api() {
        let look = v1::WatchFiguresResponse {
            containers: vec![row("ann", "web", 513, 7)],
            nodes: vec![v1::NodeFigures { name: "blade-1".into(), ..Default::default() }],
            last: true,
        };
        let json = as_json(&look);
        assert_eq!(json["containers"][0]["figures"]["cpu_millis"], 513);
        assert_eq!(json["containers"][0]["figures"]["gpu"], Value::Null);
        assert_eq!(json["containers"][0]["limits"]["memory_bytes"], 1 << 30);
        assert_eq!(json["nodes"][0]["name"], "blade-1");
    }
}
