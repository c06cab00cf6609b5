//! Formatting, lints, and what may come from outside.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::{deps, say, shell, workspace};

/// Builds in under two minutes; a newer one may want another form of `deny.toml`.
const CARGO_DENY: &str = "0.20.2";

pub(crate) fn run() -> Result<()> {
    format()?;
    deps::run()?;
    deny()?;
    clippy()?;
    clippy_console()
}

pub(crate) fn format() -> Result<()> {
    say::step("Formatting");
    // Names alone: a difference is made with the same command without --check.
    shell::run(&mut workspace::cargo(&["fmt", "--all", "--check", "--", "--files-with-diff"]))
}

/// Checks all targets, tests too: what nobody lints rots.
pub(crate) fn clippy() -> Result<()> {
    say::step("Clippy");
    shell::run(&mut workspace::cargo(&[
        "clippy",
        "--workspace",
        "--exclude",
        workspace::CONSOLE,
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))
}

/// The console is checked for the target that it is built for, beside its build, since both share what they build.
pub(crate) fn clippy_console() -> Result<()> {
    say::step("Clippy on the console");
    let target = workspace::state("wasm");
    let mut command = workspace::cargo(&[
        "clippy",
        "--package",
        workspace::CONSOLE,
        "--target",
        "wasm32-unknown-unknown",
        "--target-dir",
    ]);
    command.arg(target).args(["--", "--deny", "warnings"]);
    shell::run(&mut command)
}

/// Licences, bans and sources. Advisories are left to a scheduled run with the internet at hand: a change of ours does
/// not fail for what somebody else published overnight.
pub(crate) fn deny() -> Result<()> {
    let program = cargo_deny()?;
    say::step("Licences, bans and sources");
    let mut command =
        shell::command(program, &["--all-features", "check", "--hide-inclusion-graph", "bans"]);
    command.args(["licenses", "sources"]).current_dir(workspace::root());
    // Duplicates come with the stack: they are for those who look, not for every run.
    command.args(["--allow", "duplicate"]);
    shell::run(&mut command)
}

fn cargo_deny() -> Result<PathBuf> {
    if let Some(program) = shell::find("cargo-deny") {
        return Ok(program);
    }
    let tools = workspace::state("tools");
    let program = tools.join("bin/cargo-deny");
    if !program.is_file() {
        install_tool("cargo-deny", CARGO_DENY)?;
    }
    Ok(program)
}

/// Builds a tool of cargo's into `target/tools`.
pub(crate) fn install_tool(name: &str, version: &str) -> Result<()> {
    say::step(format_args!("Building {name} {version} (a few minutes, once)"));
    let mut command =
        workspace::cargo(&["install", "--locked", "--quiet", name, "--version", version, "--root"]);
    command.arg(workspace::state("tools")).env_remove("CARGO_TARGET_DIR");
    shell::run(&mut command).with_context(|| format!("{name} could not be built"))
}
