//! What callers say of terminals and commands, checked by field.

use std::{collections::BTreeMap, time::Duration};

use berth_app::error::Error;
use berth_core::{
    environment,
    relay::{Run, Size, Stdin},
    violation::{Problem, Violation},
};
use berth_proto::v1;

const WORDS_MAXIMUM: usize = 256;
/// Of all words together: what one `execve` takes is 128 KiB at least.
const COMMAND_MAXIMUM: usize = 32 << 10;
const PATH_MAXIMUM: usize = 4096;
/// A command that is to run for longer belongs into a terminal, which outlives its caller.
const TIME_MAXIMUM: Duration = Duration::from_secs(24 * 3600);

fn wrong(violations: Vec<Violation>) -> Error {
    Error::InvalidArgument { violations }
}

pub(crate) fn missing(field: &str) -> Error {
    wrong(vec![Violation::new(field, Problem::Missing)])
}

pub(crate) fn size(size: Option<v1::TerminalSize>) -> Result<Size, Error> {
    let Some(size) = size else { return Ok(Size::default()) };
    let mut violations = Vec::new();
    for (field, number) in [("size.rows", size.rows), ("size.columns", size.columns)] {
        let maximum = u32::from(Size::MAXIMUM);
        if number == 0 {
            violations.push(Violation::new(field, Problem::TooSmall { minimum: "1".to_owned() }));
        } else if number > maximum {
            let problem = Problem::TooLarge { maximum: maximum.to_string() };
            violations.push(Violation::new(field, problem));
        }
    }
    match Size::new(size.rows, size.columns) {
        Some(size) => Ok(size),
        None => Err(wrong(violations)),
    }
}

/// May be empty.
pub(super) fn command(words: &[String]) -> Result<(), Error> {
    let violations = command_violations(words);
    if violations.is_empty() { Ok(()) } else { Err(wrong(violations)) }
}

fn command_violations(words: &[String]) -> Vec<Violation> {
    let mut violations = Vec::new();
    if words.len() > WORDS_MAXIMUM {
        violations.push(Violation::new("command", Problem::TooMany { maximum: WORDS_MAXIMUM }));
    }
    if words.iter().map(|word| word.len() + 1).sum::<usize>() > COMMAND_MAXIMUM {
        violations.push(Violation::new("command", Problem::TooLong { maximum: COMMAND_MAXIMUM }));
    }
    if words.first().is_some_and(String::is_empty) {
        violations.push(Violation::new("command[0]", Problem::Missing));
    }
    for (index, word) in words.iter().enumerate().take(WORDS_MAXIMUM) {
        if word.contains('\0') {
            let field = format!("command[{index}]");
            violations.push(Violation::new(field, Problem::ControlCharacter));
        }
    }
    violations
}

pub(super) fn run(message: v1::RunCommand) -> Result<Run, Error> {
    let mut violations = command_violations(&message.command);
    if message.command.is_empty() {
        violations.push(Violation::new("command", Problem::Missing));
    }
    let environment: BTreeMap<String, String> = message.environment;
    violations.extend(environment::check(&environment, "environment"));
    violations.extend(directory(&message.working_directory));
    let time_limit = match message.time_limit.map(Duration::try_from) {
        None => None,
        Some(Ok(limit)) if limit.is_zero() || limit > TIME_MAXIMUM => {
            let hours = TIME_MAXIMUM.as_secs() / 3600;
            let problem = if limit.is_zero() {
                Problem::NotPositive
            } else {
                Problem::TooLarge { maximum: format!("{hours} h") }
            };
            violations.push(Violation::new("time_limit", problem));
            None
        }
        Some(Ok(limit)) => Some(limit),
        Some(Err(_)) => {
            violations.push(Violation::new("time_limit", Problem::NotPositive));
            None
        }
    };
    if !violations.is_empty() {
        return Err(wrong(violations));
    }
    Ok(Run {
        command: message.command,
        environment,
        working_directory: message.working_directory,
        time_limit,
        stdin: if message.stdin { Stdin::Follows } else { Stdin::Closed },
    })
}

fn directory(path: &str) -> Option<Violation> {
    let violation = |problem| Some(Violation::new("working_directory", problem));
    if path.is_empty() {
        None
    } else if path.len() > PATH_MAXIMUM {
        violation(Problem::TooLong { maximum: PATH_MAXIMUM })
    } else if path.contains('\0') {
        violation(Problem::ControlCharacter)
    } else if !path.starts_with('/') {
        violation(Problem::NotAbsolute)
    } else {
        None
    }
}
