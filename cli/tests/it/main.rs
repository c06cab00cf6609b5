//! The program as a script sees it: exit codes and what goes where.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
};

fn berth(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(arguments)
        .env_clear()
        .env("BERTH_CONFIG_DIR", home)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn without_a_session() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        &["ps"][..],
        &["whoami"],
        &["logout"],
        &["nodes"],
        &["run", "busybox"],
        &["rm", "-y", "x"],
        &["exec", "x", "--", "true"],
        &["attach", "x"],
        &["port-forward", "x", "80"],
        &["ssh-proxy", "x.berth"],
    ] {
        let output = berth(home.path(), arguments);
        assert_eq!(code(&output), 3, "{arguments:?}");
        assert!(output.stdout.is_empty());
        assert!(String::from_utf8_lossy(&output.stderr).contains("berth login"), "{arguments:?}");
    }
}

#[test]
fn wrong_command_lines() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        &[][..],
        &["nothing"],
        &["run"],
        &["run", "busybox", "-e", "A"],
        &["run", "busybox", "-p", "70000"],
        &["run", "busybox", "--memory", "lots"],
        &["run", "busybox", "--lease", "soon"],
        &["ps", "-o", "xml"],
        &["exec", "web"],
        &["exec", "-t", "-e", "A=1", "web", "--", "sh"],
        &["port-forward", "web"],
        &["port-forward", "web", "0"],
        &["completion", "cmd.exe"],
    ] {
        assert_eq!(code(&berth(home.path(), arguments)), 2, "{arguments:?}");
    }
    assert_eq!(code(&berth(home.path(), &["--help"])), 0);
}

#[test]
fn nobody_is_there() {
    let home = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("https://127.0.0.1:{port}");
    let output = berth(home.path(), &["login", &url, "-a", "ann", "--password-stdin"]);
    assert_eq!(code(&output), 6, "{}", String::from_utf8_lossy(&output.stderr));

    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(home.path().join("ca.pem"), pem).unwrap();
    std::fs::write(home.path().join("config.toml"), format!("url = '{url}'\naccount = 'ann'\n"))
        .unwrap();
    std::fs::write(home.path().join("credentials.toml"), "token = 'x'\n").unwrap();
    let output = berth(home.path(), &["ps"]);
    assert_ne!(code(&output), 0);
    std::fs::write(home.path().join("credentials.toml"), "token").unwrap();
    let output = berth(home.path(), &["ps"]);
    assert_eq!(code(&output), 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("is damaged"));
}

#[test]
fn plain_http_is_refused_and_nothing_is_asked_without_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    let output = berth(home.path(), &["login", "http://berth.example.edu"]);
    assert_eq!(code(&output), 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("https"));
    let output = berth(home.path(), &["login"]);
    assert_eq!(code(&output), 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no terminal"));
}

#[test]
fn completions_and_manual_pages() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = berth(home.path(), &["completion", shell]);
        assert_eq!(code(&output), 0);
        assert!(String::from_utf8_lossy(&output.stdout).contains("port-forward"), "{shell}");
    }
    let pages = home.path().join("man");
    assert_eq!(code(&berth(home.path(), &["man", pages.to_str().unwrap()])), 0);
    let page = std::fs::read_to_string(pages.join("berth-exec.1")).unwrap();
    assert!(page.contains("Runs a command in a container"), "{page}");
}
