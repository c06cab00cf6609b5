//! rsync over ssh: the one of the three that needs a program in the image, its own other end.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use berth_e2e::demo::Demo;

use super::{Terminal, run, text};

/// Of this machine: rsync with what it is linked with, and a shell.
struct Image {
    name: String,
}

impl Image {
    fn make(name: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path.trim_start_matches('/'));
        for folder in ["bin", "tmp", "etc", "home"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::set_permissions(at("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::copy("/bin/busybox", at("bin/busybox")).expect("busybox-static is installed");
        for applet in ["sh", "sleep", "find", "sort", "cat"] {
            symlink("busybox", at("bin").join(applet)).unwrap();
        }
        let rsync = PathBuf::from("/usr/bin/rsync");
        for file in linked(&rsync).into_iter().chain([rsync]) {
            let to = at(&file.display().to_string());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(&file, to).unwrap();
        }
        let mut tar = Command::new("tar");
        tar.args(["--create", "--owner=0", "--group=0", "--directory"]).arg(root.path()).arg(".");
        let mut tar = tar.stdout(Stdio::piped()).spawn().unwrap();
        let reference = format!("localhost/berth/rsync:{name}");
        let changes = ["CMD [\"/bin/sleep\", \"1000\"]", "ENV PATH=/bin:/usr/bin"];
        let mut import = Command::new("docker");
        import.arg("import").args(changes.iter().flat_map(|change| ["--change", change]));
        let imported = import.args(["-", &reference]).stdin(tar.stdout.take().unwrap()).output();
        assert!(tar.wait().unwrap().success());
        assert!(imported.as_ref().is_ok_and(|output| output.status.success()), "{imported:?}");
        Self { name: reference }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let removed = Command::new("docker").args(["image", "rm", "-f", &self.name]).output();
        eprintln!("image removed: {:?}", removed.map(|output| output.status));
    }
}

/// The libraries of a program, and its loader.
fn linked(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let words = text(&output.stdout);
    let paths = words.split_whitespace().filter(|word| word.starts_with('/'));
    paths.map(PathBuf::from).collect()
}

#[test]
#[ignore = "needs a running demo: BERTH_DEMO"]
fn a_tree_there_and_back() {
    let demo = Demo::from_environment().unwrap();
    let terminal = Terminal::new();
    let alice = demo.user("alice").unwrap();
    let ca = demo.ca_file.display().to_string();
    let login = ["login", &demo.url, "-a", "alice", "--password-stdin", "--ca-file", &ca];
    terminal.says(&login, alice.password.as_bytes());
    let name = terminal.name.as_str();
    let image = Image::make(name);
    terminal.says(&["run", &image.name, "--cpu", "0.2", "--name", name], b"");
    let config = terminal.home.path().join("ssh_config");
    fs::write(&config, terminal.says(&["ssh-config"], b"")).unwrap();

    let tree = terminal.home.path().join("tree");
    fs::create_dir_all(tree.join("深い/b")).unwrap();
    let bytes: Vec<u8> = (0..2_000_000_u32).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect();
    fs::write(tree.join("large"), &bytes).unwrap();
    fs::write(tree.join("深い/b/c"), "x").unwrap();
    symlink("large", tree.join("link")).unwrap();
    let rsync = |from: &str, to: &str| {
        let mut command = terminal.command(OsStr::new("rsync"));
        let through = format!("ssh -F {}", config.display());
        command.args(["-a", "--stats", "-e", &through, from, to]);
        let output = run(command, b"");
        assert!(output.status.success(), "{from} {to}: {output:?}");
        text(&output.stdout)
    };
    let here = format!("{}/", tree.display());
    let there = format!("{name}.berth:/tmp/tree/");
    rsync(&here, &there);
    // Only what has changed goes a second time.
    fs::write(tree.join("深い/b/c"), "another").unwrap();
    let said = rsync(&here, &there);
    assert!(said.contains("Number of regular files transferred: 1"), "{said}");
    let back = terminal.home.path().join("back");
    rsync(&there, &format!("{}/", back.display()));
    let same = Command::new("diff").arg("-r").arg(&tree).arg(&back).status();
    assert!(same.unwrap().success());
    terminal.says(&["rm", "-y", name], b"");
}
