//! Debian's packages, installed when what they bring is not there.

use anyhow::{Context as _, Result, bail};

use crate::{machine, say, shell, workspace};

pub(crate) struct Package {
    name: &'static str,
    brings: &'static str,
    present: fn() -> bool,
    /// Debian starts it with the installation, and nobody here asked for that.
    unwanted_service: Option<&'static str>,
}

const fn package(name: &'static str, brings: &'static str, present: fn() -> bool) -> Package {
    Package { name, brings, present, unwanted_service: None }
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
pub(crate) const CHROMIUM: Package = package("chromium", "the browser", || has("chromium"));
pub(crate) const CHROMEDRIVER: Package =
    package("chromium-driver", "drives the browser", || has("chromedriver"));
const JAPANESE_FONTS: Package =
    package("fonts-noto-cjk", "Japanese letters in screenshots", || {
        std::path::Path::new("/usr/share/fonts/opentype/noto").is_dir()
    });
const PYTHON: Package = package("python3-venv", "runs an independent gRPC client", || {
    shell::succeeds(&mut shell::command("python3", &["-c", "import ensurepip, venv"]))
});
const NPM: Package = package("npm", "fetches the accessibility checker", || has("npm"));
const SSH: Package = package("openssh-client", "ssh, through the command line", || has("ssh"));
const RSYNC: Package = package("rsync", "copies over ssh", || has("rsync"));
const CURL: Package = package("curl", "an independent HTTP client", || has("curl"));
const ANSIBLE: Package =
    package("ansible-core", "checks the playbooks", || has("ansible-playbook"));

/// Each test starts one of its own on loopback; Debian's listens on every address.
const REGISTRY: Package = Package {
    unwanted_service: Some("docker-registry"),
    ..package("docker-registry", "a registry under test", || has("docker-registry"))
};

/// What the suites with servers need, the engine apart.
pub(crate) const FOR_TESTS: &[Package] = &[
    BUSYBOX,
    POSTGRESQL,
    REGISTRY,
    CHROMIUM,
    CHROMEDRIVER,
    JAPANESE_FONTS,
    PYTHON,
    NPM,
    SSH,
    RSYNC,
    CURL,
    ANSIBLE,
];

fn has(program: &str) -> bool {
    shell::find(program).is_some()
}

fn versions(folder: &str) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

/// What keeps packages from being installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    NoAptGet,
    NotRoot,
}

impl Obstacle {
    fn here() -> Option<Self> {
        if !has("apt-get") {
            Some(Self::NoAptGet)
        } else if !machine::is_root() {
            Some(Self::NotRoot)
        } else {
            None
        }
    }

    fn sentence(self, names: &[&str]) -> String {
        let them = if names.len() == 1 { "it" } else { "them" };
        let names = names.join(", ");
        match self {
            Self::NoAptGet => format!(
                "{names} cannot be installed, because this system has no apt-get: \
                 install {them} by hand and run this again"
            ),
            Self::NotRoot => {
                format!("{names} cannot be installed without root: run this with sudo")
            }
        }
    }
}

/// Installs what is missing and says so; does nothing on a machine that has everything.
pub(crate) fn ensure(packages: &[Package]) -> Result<()> {
    let missing: Vec<&Package> = packages.iter().filter(|package| !(package.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    if let Some(obstacle) = Obstacle::here() {
        bail!("{}", obstacle.sentence(&names));
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
    for service in missing.iter().filter_map(|package| package.unwanted_service) {
        stop_for_good(service)?;
    }
    let absent: Vec<&str> =
        missing.iter().filter(|package| !(package.present)()).map(|package| package.name).collect();
    if !absent.is_empty() {
        bail!("{} did not bring what was expected of it", absent.join(", "));
    }
    Ok(())
}

/// Both know systemd and what was there before it.
fn stop_for_good(service: &str) -> Result<()> {
    let steps: [(&str, &[&str]); 2] =
        [("invoke-rc.d", &["--quiet", service, "stop"]), ("update-rc.d", &[service, "disable"])];
    for (program, arguments) in steps {
        let program = shell::find(program).with_context(|| format!("{program} is Debian's"))?;
        shell::output(&mut shell::command(program, arguments))
            .with_context(|| format!("{service} cannot be kept from running"))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_obstacle_is_a_sentence() {
        assert_eq!(
            Obstacle::NoAptGet.sentence(&["docker.io"]),
            "docker.io cannot be installed, because this system has no apt-get: \
             install it by hand and run this again"
        );
        assert!(Obstacle::NoAptGet.sentence(&["a", "b"]).contains("a, b cannot be installed"));
        assert!(Obstacle::NoAptGet.sentence(&["a", "b"]).contains("install them by hand"));
        assert_eq!(
            Obstacle::NotRoot.sentence(&["nftables"]),
            "nftables cannot be installed without root: run this with sudo"
        );
    }

    #[test]
    fn what_is_there_needs_nobody() {
        ensure(&[package("nothing", "nothing", || true)]).unwrap();
    }
}
