//! The program itself: how it begins and how it ends.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

fn controller(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth-controller"));
    command.arg("--config").arg(config).args(arguments).stdin(Stdio::null());
    command
}

#[test]
fn it_serves_until_it_is_told_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("controller.toml");
    let data = folder.path().join("data");
    let text = format!(
        "[listen]\napi = '127.0.0.1:0'\nagents = '127.0.0.1:0'\n[data]\ndir = '{}'\n",
        data.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut child = controller(&config, &["serve"]).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "it has ended");
    }
    // It began anew on the way, and is still the one that was started.
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(name.trim(), "berth-controlle", "the kernel keeps fifteen letters");

    let api = line.split("api=").nth(1).unwrap().split_whitespace().next().unwrap();
    let taken = folder.path().join("taken.toml");
    let text = format!("[listen]\napi = '{api}'\n[data]\ndir = '{}'\n", data.display());
    std::fs::write(&taken, text).unwrap();
    let output = controller(&taken, &["healthcheck"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = controller(&taken, &["serve"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("is taken by another program"), "{said}");

    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("stopping"), "{rest}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn configurations_are_checked_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("controller.toml");
    std::fs::write(&config, "[site]\nname = 'Here'\n").unwrap();
    let shown = controller(&config, &["print-config"])
        .env("BERTH_CONTROLLER__LEASES__GRACE", "1h")
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("grace = \"1h\"  # BERTH_CONTROLLER__LEASES__GRACE"), "{shown}");
    assert!(shown.contains(&format!("name = \"Here\"  # {}", config.display())), "{shown}");
    assert!(controller(&config, &["check-config"]).output().unwrap().status.success());

    std::fs::write(&config, "[site]\ncolour = 'red'\n").unwrap();
    let output = controller(&config, &["check-config"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("colour"));
}
