//! What the engine has, in its own words.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

pub(crate) const IMAGE: &str = "berth-chaos/busybox:1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) running: bool,
    pub(crate) started_at: String,
    pub(crate) host_ports: BTreeSet<u32>,
    pub(crate) user: String,
}

pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("the docker client runs");
    assert!(
        output.status.success(),
        "docker {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Containers of this cluster, by their id of ours; one that stands there twice is shown with its engine id.
pub(crate) fn containers(cluster: &str) -> BTreeMap<String, Found> {
    let filter = format!("label=io.berth.cluster={cluster}");
    let ids = docker(&["ps", "--all", "--no-trunc", "--quiet", "--filter", &filter]);
    let mut found = BTreeMap::new();
    for id in ids.lines() {
        // It may be gone by now.
        let output = Command::new("docker").args(["inspect", id]).output().expect("docker runs");
        let Ok(Value::Array(all)) = serde_json::from_slice(&output.stdout) else { continue };
        let Some(one) = all.first() else { continue };
        let labels = &one["Config"]["Labels"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let ports = one["NetworkSettings"]["Ports"].as_object().into_iter().flatten();
        let host_ports = ports
            .filter_map(|(_, bindings)| bindings[0]["HostPort"].as_str()?.parse().ok())
            .collect();
        let mut key = text(&labels["io.berth.container"]);
        if found.contains_key(&key) {
            key = format!("{key} again as {id}");
        }
        found.insert(
            key,
            Found {
                running: one["State"]["Running"].as_bool().unwrap_or(false),
                started_at: text(&one["State"]["StartedAt"]),
                host_ports,
                user: text(&labels["io.berth.user"]),
            },
        );
    }
    found
}

pub(crate) fn networks(cluster: &str) -> BTreeSet<String> {
    let filter = format!("label=io.berth.cluster={cluster}");
    let format = "{{.Label \"io.berth.user\"}}";
    docker(&["network", "ls", "--filter", &filter, "--format", format])
        .lines()
        .map(ToOwned::to_owned)
        .collect()
}

/// Busybox of this machine as a file system.
pub(crate) fn busybox() -> Vec<u8> {
    let root = tempfile::tempdir().unwrap();
    for directory in ["bin", "tmp", "etc"] {
        std::fs::create_dir(root.path().join(directory)).unwrap();
    }
    std::fs::copy("/bin/busybox", root.path().join("bin/busybox"))
        .expect("busybox-static is installed");
    for applet in ["sh", "sleep"] {
        std::os::unix::fs::symlink("busybox", root.path().join("bin").join(applet)).unwrap();
    }
    let tar = Command::new("tar").arg("-C").arg(root.path()).args(["-c", "."]).output().unwrap();
    assert!(tar.status.success());
    tar.stdout
}

pub(crate) fn import(tar: &[u8]) {
    use std::io::Write as _;
    let mut import = Command::new("docker")
        .args(["import", "-", IMAGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the docker client runs");
    import.stdin.take().unwrap().write_all(tar).unwrap();
    assert!(import.wait().unwrap().success());
}

/// A container that the engine cannot remove, for as long as this lives: a file in it cannot be deleted.
pub(crate) struct Held(PathBuf);

impl Held {
    pub(crate) fn new(cluster: &str, container: &str) -> Self {
        let ours = format!("label=io.berth.cluster={cluster}");
        let this = format!("label=io.berth.container={container}");
        let id = docker(&["ps", "--all", "--quiet", "--filter", &ours, "--filter", &this]);
        let written = docker(&["inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", &id]);
        let file = PathBuf::from(written).join("held");
        std::fs::write(&file, "").unwrap();
        let held = Self(file);
        held.change("+i");
        held
    }

    fn change(&self, how: &str) {
        let done = Command::new("chattr").arg(how).arg(&self.0).status();
        assert!(done.is_ok_and(|status| status.success()), "chattr {how} {}", self.0.display());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.change("-i");
    }
}
