//! Ports that a program inside a container listens on.

use crate::violation::{Problem, Violation};

/// Each costs a host port of the blade, of which there are about ten thousand.
pub const COUNT_MAXIMUM: usize = 16;

/// "8888 6006" or "8888, 6006" to numbers.
pub fn parse_text(text: &str, field: &str) -> Result<Vec<u32>, Vec<Violation>> {
    let words = text
        .split(|c: char| c.is_whitespace() || c == ',' || c == '、')
        .filter(|word| !word.is_empty());
    // Quotes are allowed because the environment field beside it takes them.
    let numbers: Result<Vec<u32>, _> =
        words.map(|word| word.trim_matches(['"', '\'']).parse::<u32>()).collect();
    numbers.map_err(|_| vec![Violation::new(field, Problem::NotANumber)])
}

/// Checks the range, the count and that no port stands twice.
pub fn check(ports: &[u32], field: &str) -> Result<Vec<u16>, Vec<Violation>> {
    let mut checked: Vec<u16> = Vec::with_capacity(ports.len().min(COUNT_MAXIMUM));
    if ports.len() > COUNT_MAXIMUM {
        return Err(vec![Violation::new(field, Problem::TooMany { maximum: COUNT_MAXIMUM })]);
    }
    let mut violations = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let at = format!("{field}[{index}]");
        match u16::try_from(*port) {
            Ok(0) | Err(_) => violations.push(Violation::new(at, Problem::PortRange)),
            Ok(port) if checked.contains(&port) => {
                violations.push(Violation::new(at, Problem::PortDuplicate));
            }
            Ok(port) => checked.push(port),
        }
    }
    if violations.is_empty() { Ok(checked) } else { Err(violations) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_range() {
        assert_eq!(parse_text(" 8888 6006,22 ", "f").unwrap(), [8888, 6006, 22]);
        assert!(parse_text("80a", "f").is_err());
        assert!(parse_text("-1", "f").is_err());
        assert_eq!(check(&[80, 65535], "f").unwrap(), [80, 65535]);
        for bad in [vec![0], vec![70000], vec![80, 80], (1..=17).collect()] {
            assert!(check(&bad, "f").is_err(), "{bad:?}");
        }
    }
}
