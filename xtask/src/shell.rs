//! Other programs, run and judged.

use std::{
    ffi::OsStr,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, bail};

pub(crate) fn command(program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs with our own output; fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{} cannot be run", line(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", line(command));
    }
    Ok(())
}

/// What it printed; fails with what it complained of.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = complete(command)?;
    if !output.status.success() {
        bail!("{} failed ({}): {}", line(command), output.status, last_words(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} prints no text", line(command)))
}

pub(crate) fn complete(command: &mut Command) -> Result<Output> {
    command.output().with_context(|| format!("{} cannot be run", line(command)))
}

/// The end of what a program said, in one line: there it says why it gave up.
pub(crate) fn last_words(said: &[u8]) -> String {
    const LINES: usize = 3;
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return "it does not say why".to_owned();
    }
    lines[lines.len().saturating_sub(LINES)..].join("; ")
}

/// Whether it ends well; says nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Debian keeps administrators' programs out of an ordinary PATH, and `su` may leave it that way.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// How a person would have typed it.
fn line(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let words = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(name).chain(words.take(6)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_complaint_is_cut_to_its_end() {
        assert_eq!(
            last_words(b"Reading...\n\nBuilding...\nW: old\n  E: first\nE: second\n"),
            "W: old; E: first; E: second"
        );
        assert_eq!(last_words(b"one\n"), "one");
        assert_eq!(last_words(b" \n"), "it does not say why");
    }

    #[test]
    fn a_failure_names_the_command_and_its_words() {
        let error = output(&mut command("sh", &["-c", "echo no such thing >&2; exit 3"]));
        assert_eq!(
            error.unwrap_err().to_string(),
            "sh -c echo no such thing >&2; exit 3 failed (exit status: 3): no such thing"
        );
    }
}
