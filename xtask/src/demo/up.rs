//! From whatever is there to a running service.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Error, Result, bail};

use super::{
    Arguments,
    accounts::Demo,
    config,
    listen::Listen,
    paths::Paths,
    programs::{AGENT, CONTROLLER, Program},
    starter,
};
use crate::{
    engine::{self, Wanted},
    install, machine,
    process::{Ending, Identity},
    say, shell, workspace,
};

/// A build of everything, and an engine's images.
const DISK_GIBIBYTES: u64 = 5;

/// Between two looks at a program that starts.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct Running {
    paths: Paths,
}

impl Running {
    pub(crate) fn process(&self, program: Program) -> Result<Identity> {
        program.running(&self.paths).with_context(|| format!("{program} is not running"))
    }

    pub(crate) fn log(&self, program: Program) -> PathBuf {
        program.log(&self.paths)
    }

    /// Both programs, and nothing else.
    pub(crate) fn stop(&self) -> Result<()> {
        for program in [AGENT, CONTROLLER] {
            match program.stop(&self.paths)? {
                Ending::Absent => {}
                Ending::Ended => say::note(format_args!("{program} has stopped")),
                Ending::Killed => say::note(format_args!("{program} had to be killed")),
            }
        }
        Ok(())
    }
}

pub(crate) fn up(arguments: &Arguments) -> Result<Running> {
    let began = Instant::now();
    machine::require_root("demo")?;
    machine::require_disk(workspace::root(), DISK_GIBIBYTES)?;
    let paths = Paths::new();
    fs::create_dir_all(paths.folder())
        .with_context(|| format!("{} cannot be made", paths.folder().display()))?;
    let _lock = lock(&paths)?;
    let listen = listen(&paths, arguments.listen)?;
    let running = Running { paths };
    let paths = &running.paths;

    let missing: Vec<Program> = [CONTROLLER, AGENT]
        .into_iter()
        .filter(|program| program.running(paths).is_none())
        .collect();
    if missing.contains(&CONTROLLER) {
        // Before anything takes minutes.
        listen.require_free()?;
    }
    engine::ensure(Wanted::Demo)?;
    machine::require_disk(Path::new("/var/lib/docker"), 1)?;
    install::ensure(&[install::BUSYBOX])?;
    let programs = match &arguments.programs {
        Some(folder) => {
            folder.canonicalize().with_context(|| format!("no folder {}", folder.display()))?
        }
        None => {
            workspace::build_console(true)?;
            workspace::build_demo()?
        }
    };
    write(&paths.programs(), &programs.display().to_string())?;
    starter::make(paths.folder()).context("the starter image cannot be made")?;
    config::write(paths, listen)?;
    // Only now: an address that turned out to be taken must not be the next attempt's.
    write(&paths.listen(), &listen.to_string())?;
    let demo = accounts(paths, listen, &programs)?;

    for program in missing {
        if let Err(error) = start(program, paths, &programs) {
            // Nothing half started stays behind.
            running.stop()?;
            return Err(error);
        }
    }
    announce(&demo, listen, paths, began)?;
    Ok(running)
}

/// Two demos at a time would start everything twice.
fn lock(paths: &Paths) -> Result<File> {
    let file = File::create(paths.lock())
        .with_context(|| format!("{} cannot be written", paths.lock().display()))?;
    if file.try_lock().is_err() {
        bail!("another `cargo xtask demo` is at work here: wait until it is done");
    }
    Ok(file)
}

/// What was said the first time holds until everything is taken down: the agent knows its controller by this address.
fn listen(paths: &Paths, wanted: Option<Listen>) -> Result<Listen> {
    let known = fs::read_to_string(paths.listen()).ok();
    let known = known.and_then(|text| text.trim().parse::<Listen>().ok());
    let listen = match (known, wanted) {
        (Some(known), Some(wanted)) if known != wanted => bail!(
            "this demo listens on {known}: run `cargo xtask demo --down` before you start one on {wanted}"
        ),
        (Some(known), _) => known,
        (None, wanted) => wanted.unwrap_or_default(),
    };
    Ok(listen)
}

/// Once: everybody with a random password. The database is begun anew when an earlier attempt stopped half way, because
/// the passwords in it could be others than those in `demo.json`.
fn accounts(paths: &Paths, listen: Listen, programs: &Path) -> Result<Demo> {
    if paths.accounts_made().exists() {
        return Demo::load(&paths.demo());
    }
    say::step("Making accounts with random passwords");
    if paths.controller_data().exists() {
        fs::remove_dir_all(paths.controller_data())
            .with_context(|| format!("{} cannot be removed", paths.controller_data().display()))?;
    }
    let demo = Demo::new(listen.url(), paths.ca_file(), starter::IMAGE)?;
    demo.save(&paths.demo())?;
    for user in &demo.users {
        let mut add = shell::command(
            CONTROLLER.file(programs),
            &["user", "add", &user.name, "--role", &user.role, "--password-stdin", "--config"],
        );
        let mut child = add
            .arg(paths.controller_config())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{CONTROLLER} cannot be run"))?;
        let mut input = child.stdin.take().context("its input is ours")?;
        // One that gave up before it read says why: that is the cause, and not the broken pipe.
        let written = input.write_all(user.password.as_bytes());
        drop(input);
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(Error::msg(shell::last_words(&output.stderr)))
                .with_context(|| format!("account {} could not be made", user.name));
        }
        written.with_context(|| format!("{CONTROLLER} did not read a password"))?;
    }
    write(&paths.accounts_made(), "")?;
    Ok(demo)
}

fn start(program: Program, paths: &Paths, programs: &Path) -> Result<()> {
    if program == AGENT && !paths.joined().exists() {
        join(paths, programs)?;
    }
    say::step(format_args!("Starting {program}"));
    let process = program.start(paths, programs)?;
    until_ready(program, &process, paths, programs).map_err(|error| {
        for line in program.last_words(paths) {
            say::note(line);
        }
        error.context(format!(
            "{program} does not become ready (its log is {})",
            program.log(paths).display()
        ))
    })
}

/// Or has ended: then nobody waits for it any longer.
fn until_ready(program: Program, process: &Identity, paths: &Paths, programs: &Path) -> Result<()> {
    let what = if program == CONTROLLER { "controller" } else { "node" };
    let mut asking = outside(programs, &["ready", what], paths)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("berth-e2e cannot be run")?;
    while asking.try_wait()?.is_none() {
        if !process.is_running() {
            asking.kill()?;
            asking.wait()?;
            let log = program.last_words(paths);
            let last = log.last().map_or("it does not say why", String::as_str);
            bail!("it has ended by itself: {last}");
        }
        thread::sleep(PAUSE);
    }
    said(asking.wait_with_output()?).map(|_| ())
}

fn join(paths: &Paths, programs: &Path) -> Result<()> {
    say::step("Joining the agent");
    let join_string = said(shell::complete(&mut outside(programs, &["join-string"], paths))?)?;
    let mut join = shell::command(AGENT.file(programs), &["join", join_string.trim(), "--config"]);
    let output = shell::complete(join.arg(paths.agent_config()))?;
    if !output.status.success() {
        // Not by way of the command line, which holds a secret.
        return Err(Error::msg(shell::last_words(&output.stderr)))
            .context("the agent could not join");
    }
    write(&paths.joined(), "")?;
    Ok(())
}

/// What a client of the service does.
fn outside(programs: &Path, arguments: &[&str], paths: &Paths) -> Command {
    let mut command = shell::command(programs.join("berth-e2e"), &["--demo"]);
    command.arg(paths.demo()).args(arguments);
    command
}

/// By `berth-e2e`, whose complaints are sentences already.
fn said(output: Output) -> Result<String> {
    if !output.status.success() {
        bail!("{}", shell::last_words(&output.stderr));
    }
    String::from_utf8(output.stdout).context("berth-e2e prints no text")
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

fn announce(demo: &Demo, listen: Listen, paths: &Paths, began: Instant) -> Result<()> {
    say::blank();
    say::step(format_args!("Ready after {}", say::seconds(began.elapsed())));
    say::blank();
    say::note(format_args!("Console   {}", demo.url));
    say::note(format_args!(
        "          (your browser does not know the certificate authority {})",
        demo.ca_file.display()
    ));
    say::blank();
    for user in &demo.users {
        say::note(format_args!("{:<9} {}   {}", user.name, user.password, user.role));
    }
    let alice = demo.user("alice")?;
    say::blank();
    say::note("gRPC");
    say::note(format_args!(
        "grpcurl -cacert {} -d '{{\"account\": \"{}\", \"password\": \"{}\"}}' {} berth.v1.AuthService/SignIn",
        demo.ca_file.display(),
        alice.name,
        alice.password,
        listen.authority(),
    ));
    say::blank();
    say::note(format_args!("All of this is in {}", paths.demo().display()));
    Ok(())
}
