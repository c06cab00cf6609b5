//! The roles: readable to ansible, a dry run on this machine that changes nothing, and configuration files that the
//! programs take.

use std::{fs, process::Command};

use anyhow::Result;

use super::suite::Tally;
use crate::{
    demo::{AGENT, CONTROLLER, Program},
    shell, workspace,
};

pub(crate) fn run() -> Result<Tally> {
    let playbook = |arguments: &[&str]| {
        let mut command = ansible("ansible-playbook");
        shell::output(command.args(arguments).arg("playbooks/site.yml")).map(|_| ())
    };
    let syntax = Tally::of(playbook(&["--syntax-check"]));
    let dry = Tally::of(playbook(&["--check", "--connection", "local", "--limit", "one-host"]));
    workspace::build_everything()?;
    let configurations = [(CONTROLLER, "controller"), (AGENT, "agent")]
        .map(|(program, role)| Tally::of(configuration(program, role)));
    Ok(configurations.into_iter().fold(syntax + dry, |sum, tally| sum + tally))
}

fn ansible(program: &str) -> Command {
    let mut command = shell::command(program, &["--inventory", "inventory.example"]);
    command.current_dir(workspace::root().join("ansible")).env("ANSIBLE_NOCOLOR", "1");
    command
}

/// What the role writes with its defaults is what the program reads.
fn configuration(program: Program, role: &str) -> Result<()> {
    let folder = workspace::state("ansible");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{role}.toml"));
    let template =
        format!("src=roles/{role}/templates/{role}.toml.j2 dest={} mode=0600", file.display());
    let defaults = format!("@roles/{role}/defaults/main.yml");
    let mut write = ansible("ansible");
    write.args(["one-host", "--connection", "local", "--module-name", "ansible.builtin.template"]);
    shell::output(write.args(["--args", &template, "--extra-vars", &defaults]))?;
    let mut check = shell::command(
        program.file(&workspace::built().join("debug")),
        &["check-config", "--config"],
    );
    shell::output(check.arg(&file)).map(|_| ())
}
