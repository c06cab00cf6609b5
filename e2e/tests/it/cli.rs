//! A student's day in a terminal: the CLI, and Debian's ssh through it.

mod definition;
mod files;
mod rsync;

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use berth_e2e::demo::Demo;

/// What the starter image serves, on the port inside.
const PAGE: &str = "inside your container";

static WALKS: AtomicU32 = AtomicU32::new(0);

/// A home of its own, so that nobody's session is touched.
struct Terminal {
    program: PathBuf,
    home: tempfile::TempDir,
    /// Its container's; nobody else's, also of a run that was cut off.
    name: String,
}

impl Terminal {
    fn new() -> Self {
        let program = std::env::var_os("BERTH_CLI").expect("BERTH_CLI names the program");
        let number = WALKS.fetch_add(1, Ordering::Relaxed);
        let name = format!("cli-walk-{}-{number}", std::process::id());
        Self { program: program.into(), home: tempfile::tempdir().unwrap(), name }
    }

    /// Nothing here takes a minute; what hangs fails.
    fn command(&self, program: &OsStr) -> Command {
        let mut command = self.unlimited(OsStr::new("timeout"));
        command.arg("60").arg(program);
        command
    }

    fn unlimited(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        command.env("HOME", self.home.path()).env("LC_ALL", "C.UTF-8");
        command.env_remove("XDG_CONFIG_HOME");
        command
    }

    fn berth(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(self.program.as_os_str());
        command.args(arguments);
        run(command, input)
    }

    /// Its answer, where it is to succeed.
    fn says(&self, arguments: &[&str], input: &[u8]) -> String {
        let output = self.berth(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn ssh(&self, config: &Path, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(OsStr::new("ssh"));
        command.arg("-F").arg(config).args(arguments);
        run(command, input)
    }
}

/// Feeds it beside reading it: one of the two would fill up otherwise.
fn run(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || {
        // A program that does not want all of it hangs up.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
#[ignore = "needs a running demo: BERTH_DEMO"]
fn a_day_in_a_terminal() {
    let demo = Demo::from_environment().unwrap();
    let alice = demo.user("alice").unwrap();
    let terminal = Terminal::new();
    let ca = demo.ca_file.display().to_string();
    let login = ["login", &demo.url, "-a", "alice", "--password-stdin", "--ca-file", &ca];
    terminal.says(&login, alice.password.as_bytes());
    let name = terminal.name.as_str();
    let lent = terminal
        .says(&["run", &demo.starter_image, "--cpu", "0.2", "--name", name, "-p", "8080"], b"");
    assert!(lent.starts_with(name), "{lent}");

    commands(&terminal);
    a_forwarded_port(&terminal);
    openssh(&terminal);
    a_shell(&terminal);

    terminal.says(&["rm", "-y", name], b"");
    assert_eq!(
        terminal.berth(&["exec", "nobody-has-this", "--", "true"], b"").status.code(),
        Some(4)
    );
}

fn commands(terminal: &Terminal) {
    let name = terminal.name.as_str();
    let script = "echo out; echo err >&2; exit 7";
    let output = terminal.berth(&["exec", name, "--", "sh", "-c", script], b"");
    assert_eq!(output.status.code(), Some(7));
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("out\n".into(), "err\n".into()));
    // Every byte there and back, and the end of the input is one.
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| u8::try_from(n * 251 % 256).unwrap()).collect();
    let output = terminal.berth(&["exec", "-i", name, "--", "cat"], &bytes);
    assert!(output.status.success() && output.stdout == bytes, "{:?}", text(&output.stderr));
    let output = terminal.berth(&["exec", "--timeout", "1s", name, "--", "sleep", "50"], b"");
    assert_eq!(output.status.code(), Some(255));
    assert!(text(&output.stderr).contains("time was over"), "{output:?}");
    let output = terminal.berth(&["exec", name, "--", "no-such-program"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no such program"), "{output:?}");
}

fn a_forwarded_port(terminal: &Terminal) {
    let name = terminal.name.as_str();
    // Ended by hand.
    let mut command = terminal.unlimited(terminal.program.as_os_str());
    command.args(["port-forward", name, "0:8080"]).stdout(Stdio::piped());
    let mut forwarding = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(forwarding.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split(' ').next().unwrap();
    let mut page = String::new();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    stream.read_to_string(&mut page).unwrap();
    forwarding.kill().unwrap();
    forwarding.wait().unwrap();
    assert!(page.contains(PAGE), "{page}");
}

fn openssh(terminal: &Terminal) {
    let name = terminal.name.as_str();
    let config = terminal.home.path().join("ssh_config");
    std::fs::write(&config, terminal.says(&["ssh-config"], b"")).unwrap();
    let host = format!("{name}.berth");
    let output = terminal.ssh(&config, &[&host, "echo from $(hostname); exit 5"], b"");
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert_eq!(text(&output.stdout), format!("from {name}\n"));
    // As rsync and tar use it: bytes in, bytes out, in one go.
    let bytes = vec![0xa5; 3_000_000];
    let output = terminal.ssh(&config, &[&host, "cat > /tmp/x; cat /tmp/x"], &bytes);
    assert!(output.stdout == bytes, "{} bytes: {:?}", output.stdout.len(), text(&output.stderr));
    // As editors use it: a connection to a port inside.
    let request = b"GET / HTTP/1.0\r\n\r\n";
    let output = terminal.ssh(&config, &["-W", "localhost:8080", &host], request);
    assert!(text(&output.stdout).contains(PAGE), "{output:?}");
    scp(terminal, &config, &host);
}

/// Without anything of the image's own: OpenSSH's scp speaks sftp, and a login begins at home.
fn scp(terminal: &Terminal, config: &Path, host: &str) {
    let folder = terminal.home.path().join("folder");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect();
    std::fs::write(folder.join("a"), &bytes).unwrap();
    std::fs::write(folder.join("sub/日本"), "x").unwrap();
    let copy = |from: &str, to: &str| {
        let mut command = terminal.command(OsStr::new("scp"));
        command.arg("-q").arg("-r").arg("-F").arg(config).args([from, to]);
        let output = run(command, b"");
        assert!(output.status.success(), "{from} {to}: {output:?}");
    };
    copy(&folder.display().to_string(), &format!("{host}:there"));
    let output = terminal.ssh(config, &[host, "cd && find there | sort; wc -c < there/a"], b"");
    assert_eq!(text(&output.stdout), "there\nthere/a\nthere/sub\nthere/sub/日本\n3000000\n");
    let back = terminal.home.path().join("back");
    copy(&format!("{host}:there"), &back.display().to_string());
    assert!(std::fs::read(back.join("a")).unwrap() == bytes);
    assert_eq!(std::fs::read(back.join("sub/日本")).unwrap(), b"x");
    let mut command = terminal.command(OsStr::new("scp"));
    command.arg("-F").arg(config).arg(format!("{host}:nothing")).arg(terminal.home.path());
    let output = run(command, b"");
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("nothing"), "{output:?}");
}

/// `script` is the terminal that somebody sits at.
fn a_shell(terminal: &Terminal) {
    let name = terminal.name.as_str();
    let mut command = terminal.command(OsStr::new("script"));
    let attach = format!("{} attach {name} --new", terminal.program.display());
    command.args(["-q", "-e", "-c", &attach, "/dev/null"]).env("TERM", "xterm");
    let output = run(command, b"echo $((6*7))-and-$(hostname)\nexit 3\n");
    let screen = text(&output.stdout);
    assert!(screen.contains(&format!("42-and-{name}")), "{screen}");
    assert_eq!(output.status.code(), Some(3), "{screen}");
}
