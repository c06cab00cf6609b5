//! The demo, from outside: lent from, killed, taken down.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::{nextest, suite::Tally};
use crate::{
    demo::{self, AGENT, CONTROLLER, Paths},
    engine, say, shell, workspace,
};

/// The suite `tests` has built these, in the same way.
fn programs() -> PathBuf {
    workspace::built().join("debug")
}

fn start() -> Result<()> {
    demo::run(&demo::Arguments {
        detach: true,
        programs: Some(programs()),
        ..demo::Arguments::default()
    })
}

pub(crate) fn up() -> Result<Tally> {
    workspace::build_everything()?;
    // A demo that somebody left half way is none.
    demo::down()?;
    Ok(Tally::of(start()))
}

pub(crate) fn walk() -> Result<Tally> {
    walks("package(berth-e2e) & test(/^service::/)", &[])
}

pub(crate) fn cli() -> Result<Tally> {
    let program = programs().join("berth").display().to_string();
    walks("package(berth-e2e) & test(/^cli::/)", &[("BERTH_CLI", &program)])
}

pub(crate) fn apps() -> Result<Tally> {
    let programs = programs().display().to_string();
    walks("package(berth-e2e) & test(/^apps::/)", &[("BERTH_PROGRAMS", &programs)])
}

pub(crate) fn browser() -> Result<Tally> {
    let checker = accessibility_checker()?;
    let pictures = workspace::state("screenshots");
    fs::create_dir_all(&pictures)?;
    let checker = checker.display().to_string();
    let pictures = pictures.display().to_string();
    walks(
        "package(berth-e2e) & test(/^browser::/)",
        &[("BERTH_AXE", &checker), ("BERTH_SCREENSHOTS", &pictures)],
    )
}

fn walks(filter: &str, environment: &[(&str, &str)]) -> Result<Tally> {
    let demo = Paths::new().demo().display().to_string();
    let mut all = vec![("BERTH_DEMO", demo.as_str())];
    all.extend(environment);
    nextest::ignored(filter, &all)
}

/// axe-core is one JavaScript file that looks at a page from inside; it is never part of what ships.
fn accessibility_checker() -> Result<PathBuf> {
    const PACKAGE: &str = "axe-core@4.14.1";
    let folder = workspace::state("tools/axe");
    let file = folder.join("node_modules/axe-core/axe.min.js");
    if !file.is_file() {
        say::note(format_args!("fetching {PACKAGE}"));
        fs::create_dir_all(&folder)?;
        let mut npm = shell::command(
            "npm",
            &["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"],
        );
        shell::output(npm.arg("--prefix").arg(&folder).arg(PACKAGE))?;
    }
    ensure!(file.is_file(), "{PACKAGE} has no {}", file.display());
    Ok(file)
}

/// Its own environment, made once; it tells its sums on its last line.
pub(crate) fn python() -> Result<Tally> {
    #[derive(Deserialize)]
    struct Sums {
        passed: u64,
        failed: u64,
    }
    let folder = workspace::root().join("tests/grpc");
    let requirements = folder.join("requirements.txt");
    let environment = workspace::state("tools/python");
    let python = environment.join("bin/python");
    let stamp = environment.join("requirements.txt");
    if fs::read(&requirements)? != fs::read(&stamp).unwrap_or_default() {
        say::note("making a Python environment");
        shell::output(shell::command("python3", &["-m", "venv", "--clear"]).arg(&environment))?;
        let mut pip =
            shell::command(&python, &["-m", "pip", "install", "--quiet", "--requirement"]);
        shell::output(pip.arg(&requirements))?;
        fs::copy(&requirements, &stamp)?;
    }
    let mut walk = shell::command(&python, &[]);
    walk.arg(folder.join("walk.py")).arg("--demo").arg(Paths::new().demo());
    let output = shell::complete(&mut walk)?;
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    let sums: Sums = said
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .context("the Python client ended without a sum")?;
    Ok(Tally { passed: sums.passed, failed: sums.failed, skipped: 0 })
}

/// What can be seen of a container, from outside and on the engine.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Look {
    id: String,
    phase: String,
    url: String,
    page: Option<String>,
}

/// Both programs die while a container runs; it has never stopped when they are back, and all of it can be deleted.
pub(crate) fn survival() -> Result<Tally> {
    Ok(Tally::of(survive()))
}

fn survive() -> Result<()> {
    const NAME: &str = "survivor";
    let before = look(&["lend", NAME])?;
    ensure!(before.page.is_some(), "the container does not answer: {before:?}");
    let on_engine = started(&before.id)?;

    let paths = Paths::new();
    for program in [CONTROLLER, AGENT] {
        program.running(&paths).with_context(|| format!("{program} is not running"))?.kill()?;
    }
    ensure!(started(&before.id)? == on_engine, "the container stopped when the programs died");
    start()?;
    let after = look(&["look", NAME])?;
    ensure!(after == before, "before: {before:?}, after: {after:?}");
    ensure!(started(&before.id)? == on_engine, "the container was started anew");
    outside(&["give-back", NAME]).map(|_| ())
}

fn look(arguments: &[&str]) -> Result<Look> {
    serde_json::from_str(&outside(arguments)?).context("an answer of berth-e2e cannot be read")
}

fn outside(arguments: &[&str]) -> Result<String> {
    let mut command = shell::command(programs().join("berth-e2e"), &["--demo"]);
    shell::output(command.arg(Paths::new().demo()).args(arguments))
}

/// The engine's own word on a container of ours: its id and when it was started.
fn started(container: &str) -> Result<String> {
    let label = format!("label=io.berth.container={container}");
    let id =
        shell::output(&mut engine::docker(&["ps", "--quiet", "--no-trunc", "--filter", &label]))?;
    let id = id.trim();
    ensure!(
        !id.is_empty() && !id.contains('\n'),
        "the engine runs not exactly one {container}: {id:?}"
    );
    shell::output(&mut engine::docker(&["inspect", "--format", "{{.Id}} {{.State.StartedAt}}", id]))
}

pub(crate) fn down() -> Result<Tally> {
    // Something to take away; it also tells what the demo's things are labelled with.
    let (lent, cluster) = match look(&["lend", "left-behind"]).and_then(|look| cluster(&look.id)) {
        Ok(cluster) => (Tally::passed(), cluster),
        Err(error) => (Tally::of(Err(error)), String::new()),
    };
    let gone = Tally::of(demo::down().and_then(|()| nothing_left(&cluster)));
    Ok(lent + gone)
}

fn cluster(container: &str) -> Result<String> {
    let label = format!("label=io.berth.container={container}");
    let form = "{{.Label \"io.berth.cluster\"}}";
    let cluster =
        shell::output(&mut engine::docker(&["ps", "--filter", &label, "--format", form]))?;
    ensure!(!cluster.trim().is_empty(), "the engine runs no {container}");
    Ok(cluster.trim().to_owned())
}

fn nothing_left(cluster: &str) -> Result<()> {
    // Where none could be lent, nothing of any cluster may be there.
    let label = match cluster {
        "" => "label=io.berth.cluster".to_owned(),
        cluster => format!("label=io.berth.cluster={cluster}"),
    };
    let containers = ["ps", "--all", "--quiet", "--filter", &label];
    let networks = ["network", "ls", "--quiet", "--filter", &label];
    let left = [
        ("containers", shell::output(&mut engine::docker(&containers))?),
        ("networks", shell::output(&mut engine::docker(&networks))?),
        ("firewall tables", lines_with(&mut shell::command("nft", &["list", "tables"]), "berth")?),
        ("processes", processes()?),
    ];
    for (what, left) in left {
        if !left.trim().is_empty() {
            bail!("{what} are left: {}", left.trim());
        }
    }
    ensure!(!Paths::new().folder().exists(), "{} is left", Paths::new().folder().display());
    Ok(())
}

fn lines_with(command: &mut std::process::Command, word: &str) -> Result<String> {
    let text = shell::output(command)?;
    Ok(text.lines().filter(|line| line.contains(word)).collect::<Vec<_>>().join("\n"))
}

/// Processes that run a program of ours.
fn processes() -> Result<String> {
    let ours = [CONTROLLER, AGENT].map(|program| program.file(&programs()));
    let mut left = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        // Others' programs, and those that end meanwhile, cannot be read.
        if let Ok(program) = fs::read_link(entry.path().join("exe"))
            && ours.contains(&program)
        {
            left.push(format!("{} {}", entry.file_name().display(), program.display()));
        }
    }
    Ok(left.join("\n"))
}
