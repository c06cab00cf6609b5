//! Debian's packages, installed when what they bring is not there.

use anyhow::{Context as _, Result, bail};

use crate::{machine, say, shell, workspace};

pub(crate) struct Package {
    name: &'static str,
    brings: &'static str,
    present: fn() -> bool,
}

const fn package(name: &'static str, brings: &'static str, present: fn() -> bool) -> Package {
    Package { name, brings, present }
}

pub(crate) const ENGINE: Package =
    package("docker.io", "the container engine", || has("dockerd") && has("docker"));
pub(crate) const IPTABLES: Package =
    package("iptables", "needed by the engine", || has("iptables"));
pub(crate) const NFTABLES: Package = package("nftables", "the firewall", || has("nft"));
pub(crate) const BUSYBOX: Package = package("busybox-static", "makes the starter image", || {
    crate::demo::starter::static_busybox().is_some()
});
const POSTGRESQL: Package =
    package("postgresql", "a database under test", || !versions("/usr/lib/postgresql").is_empty());
const CHROMIUM: Package = package("chromium", "the browser", || has("chromium"));
const CHROMEDRIVER: Package =
    package("chromium-driver", "drives the browser", || has("chromedriver"));
const JAPANESE_FONTS: Package =
    package("fonts-noto-cjk", "Japanese letters in screenshots", || {
        std::path::Path::new("/usr/share/fonts/opentype/noto").is_dir()
    });
const PYTHON: Package = package("python3-venv", "runs an independent gRPC client", || {
    shell::succeeds(&mut shell::command("python3", &["-c", "import ensurepip, venv"]))
});
const NPM: Package = package("npm", "fetches the accessibility checker", || has("npm"));
const CURL: Package = package("curl", "an independent HTTP client", || has("curl"));
const ANSIBLE: Package =
    package("ansible-core", "checks the playbooks", || has("ansible-playbook"));

/// What the suites with servers need, the engine apart.
pub(crate) const FOR_TESTS: &[Package] =
    &[BUSYBOX, POSTGRESQL, CHROMIUM, CHROMEDRIVER, JAPANESE_FONTS, PYTHON, NPM, CURL, ANSIBLE];

fn has(program: &str) -> bool {
    shell::find(program).is_some()
}

fn versions(folder: &str) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

/// Installs what is missing and says so; does nothing on a machine that has everything.
pub(crate) fn ensure(packages: &[Package]) -> Result<()> {
    let missing: Vec<&Package> = packages.iter().filter(|package| !(package.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    if !has("apt-get") {
        bail!(
            "{} cannot be installed, because this system has no apt-get: install {} by hand and run this again",
            names.join(", "),
            if names.len() == 1 { "it" } else { "them" },
        );
    }
    if !machine::is_root() {
        bail!("{} cannot be installed without root: run this with sudo", names.join(", "));
    }
    say::step("Installing Debian packages");
    for package in &missing {
        say::note(format_args!("{} ({})", package.name, package.brings));
    }
    // A fresh machine has no package lists; an old one has stale ones. Where the lists cannot be renewed the
    // installation itself says what is wrong.
    let _ = shell::complete(&mut apt(&["update", "--quiet=2"]));
    let mut install = apt(&["install", "--yes", "--quiet=2", "--no-install-recommends"]);
    install.args(&names);
    shell::output(&mut install)
        .with_context(|| format!("{} could not be installed", names.join(", ")))?;
    let absent: Vec<&str> =
        missing.iter().filter(|package| !(package.present)()).map(|package| package.name).collect();
    if !absent.is_empty() {
        bail!("{} did not bring what was expected of it", absent.join(", "));
    }
    Ok(())
}

fn apt(arguments: &[&str]) -> std::process::Command {
    let mut command = shell::command("apt-get", arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// What rustc needs to build for the browser. rustup brings it with the toolchain where rust-toolchain.toml is obeyed.
pub(crate) fn wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let library = || {
        let mut rustc = shell::command("rustc", &["--print", "target-libdir", "--target", TARGET]);
        shell::output(rustc.current_dir(workspace::root()))
    };
    if std::path::Path::new(library()?.trim()).is_dir() {
        return Ok(());
    }
    say::step(format_args!("Installing Rust's standard library for {TARGET}"));
    let mut rustup = shell::command("rustup", &["target", "add", TARGET]);
    shell::run(rustup.current_dir(workspace::root()))
        .context("the console cannot be built without it")
}
