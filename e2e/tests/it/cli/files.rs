//! Files to a container and from it: whole folders, while it runs and while it does not, and over a line that breaks.

use std::{
    fs::{self, File},
    io::{Read, Write as _},
    net::ToSocketAddrs as _,
    os::unix::fs::symlink,
    path::Path,
};

use berth_e2e::demo::Demo;

use super::{Terminal, run, text};
use crate::cutting::Line;

const LARGE: u64 = 2 << 30;

fn lent(terminal: &Terminal, demo: &Demo, url: &str) {
    let alice = demo.user("alice").unwrap();
    let ca = demo.ca_file.display().to_string();
    let login = ["login", url, "-a", "alice", "--password-stdin", "--ca-file", &ca];
    terminal.says(&login, alice.password.as_bytes());
    let name = terminal.name.as_str();
    terminal.says(&["run", &demo.starter_image, "--cpu", "0.2", "--name", name], b"");
}

fn at(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
#[ignore = "needs a running demo: BERTH_DEMO"]
fn folders_there_and_back() {
    let demo = Demo::from_environment().unwrap();
    let terminal = Terminal::new();
    lent(&terminal, &demo, &demo.url);
    let name = terminal.name.as_str();
    let here = tempfile::tempdir().unwrap();
    let project = here.path().join("project");
    fs::create_dir_all(project.join("src/深い")).unwrap();
    fs::write(project.join("README"), "hello\n").unwrap();
    fs::write(project.join("src/深い/ファイル"), "日本語\n").unwrap();
    symlink("../README", project.join("src/link")).unwrap();
    symlink("/etc/shadow", project.join("evil")).unwrap();
    let output = terminal.berth(&["cp", &at(here.path(), "project"), &format!("{name}:/srv")], b"");
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stderr).contains("evil"), "what is left out is told: {output:?}");

    let script = "cat /srv/project/src/link /srv/project/src/*/*; ls /srv/project";
    let said = terminal.says(&["exec", name, "--", "sh", "-c", script], b"");
    assert_eq!(said, "hello\n日本語\nREADME\nsrc\n");

    // What is running has it, and what is stopped, too.
    terminal.says(&["stop", name], b"");
    let back = at(here.path(), "back");
    terminal.says(&["cp", &format!("{name}:/srv/project"), &back], b"");
    fs::remove_file(project.join("evil")).unwrap();
    let same = std::process::Command::new("diff").arg("-r").arg(&project).arg(&back).status();
    assert!(same.unwrap().success());
    let readme = at(&project, "README");
    terminal.says(&["cp", &readme, &format!("{name}:/srv/while-stopped")], b"");
    terminal.says(&["start", name], b"");
    let said = terminal.says(&["exec", name, "--", "cat", "/srv/while-stopped"], b"");
    assert_eq!(said, "hello\n");

    for (from, to, words) in [
        (format!("{name}:/nothing"), back.clone(), "is not there"),
        (readme.clone(), format!("{name}:/proc/version"), "neither a file nor a folder"),
        (readme.clone(), format!("{name}:/nothing/x"), "is not there"),
        (readme.clone(), readme.clone(), "NAME:PATH"),
        (format!("{name}:/srv/../etc/passwd"), back, "\"..\""),
    ] {
        let output = terminal.berth(&["cp", &from, &to], b"");
        assert!(!output.status.success(), "{from} {to}");
        assert!(text(&output.stderr).contains(words), "{from} {to}: {output:?}");
    }
    terminal.says(&["rm", "-y", name], b"");
}

/// The home: the same in every container, in one that is stopped, and without any.
#[test]
#[ignore = "needs a running demo: BERTH_DEMO"]
fn a_home_that_outlives_containers() {
    let demo = Demo::from_environment().unwrap();
    let terminal = Terminal::new();
    lent(&terminal, &demo, &demo.url);
    let name = terminal.name.as_str();
    let here = tempfile::tempdir().unwrap();
    let file = at(here.path(), "thesis");
    fs::write(&file, "in the home\n").unwrap();
    // Others of this account have the same home: a folder of one's own.
    let folder = format!("/home/alice/{name}");

    let script = format!("id -un; echo $HOME; mkdir -m 700 {folder}; echo mine > {folder}/note");
    let said = terminal.says(&["exec", name, "--", "sh", "-c", &script], b"");
    assert_eq!(said, "alice\n/home/alice\n");
    terminal.says(&["cp", &file, &format!("{name}:{folder}/running")], b"");
    terminal.says(&["stop", name], b"");
    terminal.says(&["cp", &file, &format!("{name}:{folder}/stopped")], b"");
    let back = |from: String| {
        let to = at(here.path(), "back");
        terminal.says(&["cp", &from, &to], b"");
        fs::read_to_string(to).unwrap()
    };
    assert_eq!(back(format!("{name}:{folder}/note")), "mine\n");
    terminal.says(&["rm", "-y", name], b"");
    terminal.says(&["cp", &file, &format!("HOME:/{name}/without")], b"");
    assert_eq!(back(format!("HOME:/{name}/note")), "mine\n");
    let outside = terminal.berth(&["cp", "HOME:/../bob/note", &file], b"");
    assert!(text(&outside.stderr).contains("\"..\""), "{outside:?}");

    // For an image that is root inside it is root's, and on disk it stays the account's.
    terminal.says(&["run", &demo.starter_image, "--cpu", "0.2", "--name", name, "--as-image"], b"");
    let script = format!("id -u; cd {folder}; stat -c '%u %n' *; echo root > by-root");
    let said = terminal.says(&["exec", name, "--", "sh", "-c", &script], b"");
    assert_eq!(said, "0\n0 note\n0 running\n0 stopped\n0 without\n");
    terminal.says(&["rm", "-y", name], b"");
    terminal.says(&["run", &demo.starter_image, "--cpu", "0.2", "--name", name], b"");
    let script = format!("cd {folder}; stat -c '%U %n' *; cat by-root; rm -r {folder}");
    let said = terminal.says(&["exec", name, "--", "sh", "-c", &script], b"");
    let names = ["by-root", "note", "running", "stopped", "without"];
    let owned = names.map(|name| format!("alice {name}\n")).concat();
    assert_eq!(said, format!("{owned}root\n"));
    terminal.says(&["rm", "-y", name], b"");
}

#[test]
#[ignore = "needs a running demo: BERTH_DEMO"]
fn a_volume_s_life() {
    let demo = Demo::from_environment().unwrap();
    let terminal = Terminal::new();
    let alice = demo.user("alice").unwrap();
    let ca = demo.ca_file.display().to_string();
    let login = ["login", &demo.url, "-a", "alice", "--password-stdin", "--ca-file", &ca];
    terminal.says(&login, alice.password.as_bytes());
    let name = terminal.name.as_str();
    terminal.says(&["volumes", "create", name, "--on", "blade"], b"");
    let volume = format!("{name}:/data");
    let inner = format!("{name}:/home/alice/{name}:ro");
    let run =
        ["run", &demo.starter_image, "--cpu", "0.2", "--name", name, "-v", &volume, "-v", &inner];
    terminal.says(&run, b"");
    let script =
        format!("echo kept > /data/x; cat ~/{name}/x; echo no > ~/{name}/x || echo refused");
    let said = terminal.says(&["exec", name, "--", "sh", "-c", &script], b"");
    assert_eq!(said, "kept\nrefused\n");
    assert!(terminal.says(&["volumes"], b"").contains(name));
    let refused = terminal.berth(&["volumes", "rm", "-y", name], b"");
    assert!(text(&refused.stderr).contains("Delete the container first"), "{refused:?}");
    terminal.says(&["stop", name], b"");
    let here = tempfile::tempdir().unwrap();
    let back = at(here.path(), "x");
    terminal.says(&["cp", &format!("{name}:/data/x"), &back], b"");
    assert_eq!(fs::read_to_string(back).unwrap(), "kept\n");
    terminal.says(&["rm", "-y", name], b"");
    terminal
        .says(&["run", &demo.starter_image, "--cpu", "0.2", "--name", name, "-v", &volume], b"");
    assert_eq!(terminal.says(&["exec", name, "--", "cat", "/data/x"], b""), "kept\n");
    terminal.says(&["rm", "-y", name], b"");
    terminal.says(&["volumes", "rm", "-y", name], b"");
    // A folder of that name was made in the home, for the volume to be seen at.
    let run = ["run", &demo.starter_image, "--cpu", "0.2", "--name", name];
    terminal.says(&run, b"");
    terminal.says(&["exec", name, "--", "rmdir", &format!("/home/alice/{name}")], b"");
    terminal.says(&["rm", "-y", name], b"");
}

/// Two gigabytes, of which no two pieces are alike.
fn write_large(path: &Path) {
    let mut random = File::open("/dev/urandom").unwrap();
    let mut block = vec![0; 1 << 20];
    random.read_exact(&mut block).unwrap();
    let mut file = File::create(path).unwrap();
    for number in 0..LARGE / block.len() as u64 {
        block[..8].copy_from_slice(&number.to_le_bytes());
        file.write_all(&block).unwrap();
    }
}

fn digest(path: &Path) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut File::open(path).unwrap(), &mut hasher).unwrap();
    hasher.finalize()
}

#[test]
#[ignore = "needs a running demo: BERTH_DEMO"]
fn two_gigabytes_over_a_line_that_breaks_three_times_each_way() {
    let demo = Demo::from_environment().unwrap();
    let service = demo.url.trim_start_matches("https://").trim_end_matches('/');
    let service = service.to_socket_addrs().unwrap().next().unwrap();
    let (third, cuts) = (LARGE / 4, 3);
    let after: Vec<u64> = (1..=cuts).map(|cut| cut * third).collect();
    let line = Line::new(service, &after, &after);
    let terminal = Terminal::new();
    lent(&terminal, &demo, &format!("https://{}", line.address));
    let name = terminal.name.as_str();

    let here = tempfile::tempdir().unwrap();
    let sent = here.path().join("sent");
    write_large(&sent);
    let expected = digest(&sent);
    let copy = |from: &str, to: &str| {
        let mut command = terminal.unlimited(std::ffi::OsStr::new("timeout"));
        command.arg("600").arg(&terminal.program).args(["cp", from, to]);
        let output = run(command, b"");
        assert!(output.status.success(), "{output:?}");
    };
    let there = format!("{name}:/srv/large");
    copy(&sent.display().to_string(), &there);
    assert_eq!(line.cuts().0, 3, "the line broke on the way up");
    fs::remove_file(&sent).unwrap();
    // Nothing but the file is left of it.
    let said = terminal.says(&["exec", name, "--", "ls", "-A", "/srv"], b"");
    assert_eq!(said, "large\nwww\n");

    // Its blade has looked often enough by now to say what that took.
    let used = terminal.says(&["top", "--no-stream", "-o", "json"], b"");
    assert!(used.contains(&format!("\"{name}\"")), "{used}");

    let received = here.path().join("received");
    copy(&there, &received.display().to_string());
    assert_eq!(line.cuts().1, 3, "the line broke on the way down");
    assert_eq!(digest(&received), expected);
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
    terminal.says(&["rm", "-y", name], b"");
}
