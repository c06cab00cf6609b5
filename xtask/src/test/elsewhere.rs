//! The command line on other systems: its types are checked, nothing is linked.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use anyhow::{Context as _, Result};

use super::suite::Tally;
use crate::{say, shell, workspace};

const TARGETS: &[&str] = &["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];

/// Stands for those systems' compilers and archivers, which build scripts call for what is written in C: to check types,
/// nothing of it is needed but that it is there.
const EMPTY: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    -o) : > "$2"; shift ;;
    *.a) : > "$1" ;;
  esac
  shift
done
"#;

pub(crate) fn run() -> Result<Tally> {
    let compiler = compiler()?;
    Ok(TARGETS
        .iter()
        .fold(Tally::default(), |tally, target| tally + Tally::of(check(target, &compiler))))
}

fn compiler() -> Result<PathBuf> {
    let folder = workspace::state("elsewhere");
    fs::create_dir_all(&folder)?;
    let file = folder.join("cc");
    fs::write(&file, EMPTY).with_context(|| format!("{} cannot be written", file.display()))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    Ok(file)
}

fn check(target: &str, compiler: &PathBuf) -> Result<()> {
    say::step(format_args!("The command line's types on {target}"));
    // Does nothing where it is there. Only these checks need it, so that nobody else waits for it.
    shell::run(
        shell::command("rustup", &["target", "add", target]).current_dir(workspace::root()),
    )?;
    let mut cargo =
        workspace::cargo(&["check", "--locked", "--package", "berth", "--target", target]);
    let variable = target.replace('-', "_");
    for tool in ["CC", "AR"] {
        cargo.env(format!("{tool}_{variable}"), compiler);
    }
    shell::run(&mut cargo)
}
