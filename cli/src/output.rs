//! Tables for people and JSON for programs.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Result, bail};
use berth_proto::v1;
use clap::ValueEnum;
use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::text;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

/// Text that others wrote, without anything that moves a cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

pub(crate) fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// Beside the answer: progress and questions.
pub(crate) fn note(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stderr(), "{line}")?)
}

/// Nobody is asked anything: for scripts.
static NO_INPUT: AtomicBool = AtomicBool::new(false);

pub(crate) fn never_ask() {
    NO_INPUT.store(true, Ordering::Relaxed);
}

pub(crate) fn asks_nobody() -> bool {
    NO_INPUT.load(Ordering::Relaxed)
}

pub(crate) fn may_ask() -> bool {
    !asks_nobody() && std::io::stdin().is_terminal()
}

/// A line that somebody types. `instead`: the option for those who have no terminal.
pub(crate) fn ask(question: &str, instead: &str) -> Result<String> {
    if !may_ask() {
        bail!(text::nobody_to_ask(instead));
    }
    let mut err = std::io::stderr();
    write!(err, "{question}")?;
    err.flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

pub(crate) fn is_yes(answer: &str) -> bool {
    matches!(answer.to_lowercase().as_str(), "y" | "yes" | "はい")
}

/// Left-aligned columns; the last is as long as it is.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cells(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut page = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cells(cell) + 2));
        }
        page.push_str(line.trim_end());
        page.push('\n');
    }
    page
}

/// Columns of a terminal: kana, kanji and full-width forms take two.
pub(crate) fn cells(text: &str) -> usize {
    let wide = |c: char| {
        matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{1f300}'..='\u{1faff}')
    };
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

pub(crate) fn moment(timestamp: Option<&Timestamp>) -> String {
    timestamp.map(rfc3339).unwrap_or_default()
}

fn rfc3339(timestamp: &Timestamp) -> String {
    let seconds = u64::try_from(timestamp.seconds).unwrap_or(0);
    let moment = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(moment).to_string()
}

/// The fields by their names in the API.
pub(crate) fn container_json(container: &v1::Container) -> Value {
    let name = |enumeration: &str, prefix: &str| enumeration.trim_start_matches(prefix).to_owned();
    let endpoints: Vec<Value> = container
        .endpoints
        .iter()
        .map(|e| json!({"guest_port": e.guest_port, "host": e.host, "host_port": e.host_port, "url": e.url}))
        .collect();
    json!({
        "id": container.id,
        "name": container.name,
        "full_name": container.full_name,
        "owner": container.owner,
        "phase": name(container.phase().as_str_name(), "PHASE_"),
        "reason": container.reason.as_ref().map(|reason| json!({
            "code": name(reason.code().as_str_name(), "REASON_CODE_"),
            "message": reason.message,
            "remedy": reason.remedy,
        })),
        "node": container.node,
        "endpoints": endpoints,
        "create_time": container.create_time.as_ref().map(rfc3339),
        "start_time": container.start_time.as_ref().map(rfc3339),
        "lease_end_time": container.lease_end_time.as_ref().map(rfc3339),
        "delete_time": container.delete_time.as_ref().map(rfc3339),
        "image": container.image,
        "image_digest": container.image_digest,
        "command": container.command,
        "cpu_millis": container.cpu_millis,
        "memory_bytes": container.memory_bytes,
        "gpus": container.gpus,
        "gpu_ids": container.gpu_ids,
    })
}

pub(crate) fn node_json(node: &v1::Node) -> Value {
    let capacity = |capacity: Option<&v1::Capacity>| {
        capacity.map(
            |c| json!({"cpu_millis": c.cpu_millis, "memory_bytes": c.memory_bytes, "gpus": c.gpus}),
        )
    };
    let gpus: Vec<Value> = node
        .gpus
        .iter()
        .map(|g| json!({"id": g.id, "model": g.model, "memory_bytes": g.memory_bytes, "lent_to": g.lent_to}))
        .collect();
    json!({
        "id": node.id,
        "name": node.name,
        "address": node.address,
        "availability": node.availability().as_str_name().trim_start_matches("AVAILABILITY_"),
        "liveness": node.liveness().as_str_name().trim_start_matches("LIVENESS_"),
        "labels": node.labels,
        "offered": capacity(node.offered.as_ref()),
        "used": capacity(node.used.as_ref()),
        "gpus": gpus,
        "containers": node.containers,
        "problems": node.problems,
        "agent_version": node.agent_version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up_in_japanese_too() {
        let rows = [["NAME", "PHASE", "X"], ["box", "実行中", "y"], ["b", "停止", ""]];
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        assert_eq!(table(&rows), "NAME  PHASE   X\nbox   実行中  y\nb     停止\n");
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(printable("a\u{1b}[2J\nb"), "a [2J b");
    }

    #[test]
    fn json_has_the_names_of_the_api() {
        let container = v1::Container {
            name: "box".into(),
            phase: v1::Phase::Running.into(),
            create_time: Some(Timestamp { seconds: 1_800_000_000, nanos: 0 }),
            ..Default::default()
        };
        let json = container_json(&container);
        assert_eq!(json["phase"], "RUNNING");
        assert_eq!(json["create_time"], "2027-01-15T08:00:00Z");
        assert_eq!(json["start_time"], Value::Null);
    }
}
