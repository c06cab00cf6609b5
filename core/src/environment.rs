//! Environment variables, as a map or as the paper's space-separated text.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use serde_json::Value;

use crate::violation::{Problem, Violation};

pub type Environment = BTreeMap<String, String>;

/// For `Debug` of what has an `environment`: values are nobody's business who reads a log.
pub(crate) fn debug_without_values(
    what: &impl Serialize,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let mut shown = serde_json::to_value(what).map_err(|_| fmt::Error)?;
    let variables = shown.get_mut("environment").and_then(Value::as_object_mut);
    variables.into_iter().flat_map(|all| all.values_mut()).for_each(|value| *value = "..".into());
    write!(f, "{shown}")
}

/// The agent's ledger and the engine's request carry all of it; 32 KiB is the bound of a whole spec.
pub const TOTAL_MAXIMUM: usize = 16 * 1024;
pub const COUNT_MAXIMUM: usize = 256;

/// Names that decide about things which are not the user's to decide: the NVIDIA runtime honours the first two
/// prefixes wherever they come from, the third is ours.
const RESERVED_PREFIXES: [&str; 3] = ["NVIDIA_", "CUDA_MPS_", "BERTH_"];

/// `A=1 GREETING="hello world"` to pairs. Quotes work as in a shell; nothing is expanded.
pub fn parse_text(text: &str, field: &str) -> Result<Environment, Vec<Violation>> {
    let Some(words) = split_words(text) else {
        return Err(vec![Violation::new(field, Problem::UnbalancedQuote)]);
    };
    let mut environment = Environment::new();
    let mut violations = Vec::new();
    for word in words {
        match word.split_once('=') {
            None => violations.push(Violation::new(field, Problem::EnvironmentNotKeyValue)),
            Some((key, value)) => {
                if environment.insert(key.to_owned(), value.to_owned()).is_some() {
                    violations.push(Violation::new(field, Problem::EnvironmentDuplicate));
                }
            }
        }
    }
    if violations.is_empty() { Ok(environment) } else { Err(violations) }
}

/// Checks every key and value; `field` is what the violations are reported under.
pub fn check(environment: &Environment, field: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    if environment.len() > COUNT_MAXIMUM {
        violations.push(Violation::new(field, Problem::TooMany { maximum: COUNT_MAXIMUM }));
    }
    let total: usize = environment.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    if total > TOTAL_MAXIMUM {
        violations.push(Violation::new(field, Problem::TooLong { maximum: TOTAL_MAXIMUM }));
        return violations;
    }
    for (key, value) in environment {
        let at = || format!("{field}[{}]", key.escape_default());
        if !is_key(key) {
            violations.push(Violation::new(at(), Problem::EnvironmentKey));
        } else if RESERVED_PREFIXES
            .iter()
            .any(|prefix| key.to_ascii_uppercase().starts_with(prefix))
        {
            violations.push(Violation::new(at(), Problem::EnvironmentReserved));
        }
        // A newline in a value is legal and useful (keys, certificates); NUL would end the string in the kernel.
        if value.contains('\0') {
            violations.push(Violation::new(at(), Problem::ControlCharacter));
        }
    }
    violations
}

fn is_key(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        && key.len() <= 255
}

/// Words as a shell would see them; `None` when a quote is left open. A `#` is not a comment here: shlex follows POSIX and
/// would silently swallow the rest of the line.
pub fn split_words(text: &str) -> Option<Vec<String>> {
    let mut without_comments = String::with_capacity(text.len());
    let mut quote: Option<char> = None;
    let mut previous = ' ';
    for c in text.chars() {
        if c == '#' && quote.is_none() && previous.is_ascii_whitespace() {
            without_comments.push('\\');
        }
        without_comments.push(c);
        if previous != '\\' && matches!(c, '"' | '\'') {
            quote = match quote {
                None => Some(c),
                Some(open) if open == c => None,
                other => other,
            };
        }
        previous = c;
    }
    shlex::split(&without_comments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_quotes() {
        let parsed = parse_text(
            r#"A=1 GREETING="hello world" EMPTY= URL='a=b c' COLOR=#fff"#,
            "environment_text",
        )
        .unwrap();
        let expected = [
            ("A", "1"),
            ("COLOR", "#fff"),
            ("EMPTY", ""),
            ("GREETING", "hello world"),
            ("URL", "a=b c"),
        ];
        assert_eq!(parsed, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(
            parse_text("A=1 'B=2", "environment_text").unwrap_err()[0].problem,
            Problem::UnbalancedQuote
        );
        assert_eq!(
            parse_text("A", "environment_text").unwrap_err()[0].problem,
            Problem::EnvironmentNotKeyValue
        );
        assert_eq!(
            parse_text("A=1 A=2", "environment_text").unwrap_err()[0].problem,
            Problem::EnvironmentDuplicate
        );
        assert_eq!(split_words("# x").unwrap(), ["#", "x"]);
    }

    #[test]
    fn keys_and_values() {
        let check_one = |key: &str, value: &str| {
            check(&[(key.to_owned(), value.to_owned())].into(), "environment")
        };
        assert_eq!(check_one("PATH", "/bin"), []);
        assert_eq!(check_one("KEY", "two\nlines"), []);
        assert_eq!(
            check_one("NVIDIA_VISIBLE_DEVICES", "all")[0].problem,
            Problem::EnvironmentReserved
        );
        assert_eq!(
            check_one("nvidia_visible_devices", "all")[0].problem,
            Problem::EnvironmentReserved
        );
        assert_eq!(check_one("BERTH_X", "")[0].problem, Problem::EnvironmentReserved);
        for bad in ["", "1A", "A B", "A=B", "A\n", "Ａ", "A\0"] {
            assert_eq!(check_one(bad, "")[0].problem, Problem::EnvironmentKey, "{bad:?}");
        }
        assert_eq!(check_one("A", "x\0y")[0].problem, Problem::ControlCharacter);
        assert!(matches!(check_one("A", &"x".repeat(1 << 20))[0].problem, Problem::TooLong { .. }));
    }
}
