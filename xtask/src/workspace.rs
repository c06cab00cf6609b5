//! Where things lie in the clone, and how cargo is called.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{install, say, shell, web};

/// The console is a program for the browser: it is built for another target, apart from everything else.
pub(crate) const CONSOLE: &str = "berth-web";

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// All state of ours, also when cargo itself builds elsewhere: `target/demo/demo.json` is a name that others rely on.
pub(crate) fn state(name: &str) -> PathBuf {
    root().join("target").join(name)
}

/// Where cargo puts what it builds.
pub(crate) fn built() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |target| root().join(target))
}

pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = shell::command(cargo, arguments);
    command.current_dir(root());
    // What `cargo run` sets for this program would leak into the build scripts of others and rebuild them.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command
}

/// The programs of a demo, and where they lie afterwards.
pub(crate) fn build_demo() -> Result<PathBuf> {
    say::step("Building controller, agent and command line (some minutes on a fresh clone)");
    shell::run(&mut cargo(&[
        "build",
        "--bins",
        "--package",
        "berth-controller",
        "--package",
        "berth-agent",
        "--package",
        "berth",
        "--package",
        "berth-e2e",
    ]))?;
    Ok(built().join("debug"))
}

pub(crate) fn build_console(release: bool) -> Result<()> {
    install::wasm_target()?;
    say::step("Building the console (some minutes on a fresh clone)");
    web::build(release)
}

/// Everything as the tests build it, so that nothing is built twice with other features.
pub(crate) fn build_everything() -> Result<()> {
    shell::run(&mut cargo(&["build", "--quiet", "--workspace", "--all-targets"]))
}
