//! Ports that a program inside a container listens on.

use serde::{Deserialize, Serialize};

use crate::violation::{Problem, Violation};

/// Each costs a host port of the blade, of which there are about ten thousand.
pub const COUNT_MAXIMUM: usize = 16;

/// Who gets ports of the blade beside the https name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RawPorts {
    /// Every port that a request names.
    #[default]
    Default,
    /// Those that a request asks for with `published_ports`.
    OptIn,
    Forbidden,
}

impl RawPorts {
    /// Of the guest ports those that get no port of the blade; `published` is what the request asks for.
    pub fn unpublished(
        self,
        guest_ports: &[u16],
        published: &[u32],
    ) -> Result<Vec<u16>, Vec<Violation>> {
        const FIELD: &str = "published_ports";
        if self == RawPorts::Forbidden && !published.is_empty() {
            return Err(vec![Violation::new(FIELD, Problem::PortsForbidden)]);
        }
        let checked = check(published, FIELD)?;
        let violations: Vec<Violation> = checked
            .iter()
            .enumerate()
            .filter(|(_, port)| !guest_ports.contains(port))
            .map(|(at, _)| Violation::new(format!("{FIELD}[{at}]"), Problem::PortNotGuest))
            .collect();
        if !violations.is_empty() {
            return Err(violations);
        }
        let raw = |port: &u16| match self {
            RawPorts::Default => true,
            RawPorts::OptIn => checked.contains(port),
            RawPorts::Forbidden => false,
        };
        Ok(guest_ports.iter().copied().filter(|port| !raw(port)).collect())
    }
}

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
    fn which_ports_of_the_blade() {
        let guests = [80, 8888];
        assert_eq!(RawPorts::Default.unpublished(&guests, &[]), Ok(vec![]));
        assert_eq!(RawPorts::Default.unpublished(&guests, &[80]), Ok(vec![]));
        assert_eq!(RawPorts::OptIn.unpublished(&guests, &[]), Ok(vec![80, 8888]));
        assert_eq!(RawPorts::OptIn.unpublished(&guests, &[80]), Ok(vec![8888]));
        assert_eq!(RawPorts::Forbidden.unpublished(&guests, &[]), Ok(vec![80, 8888]));
        for (policy, asked, field) in [
            (RawPorts::Forbidden, &[80][..], "published_ports"),
            (RawPorts::OptIn, &[80, 81], "published_ports[1]"),
            (RawPorts::Default, &[81], "published_ports[0]"),
            (RawPorts::OptIn, &[80, 70_000], "published_ports[1]"),
            (RawPorts::OptIn, &[80, 80], "published_ports[1]"),
        ] {
            let violations = policy.unpublished(&guests, asked).unwrap_err();
            assert_eq!(violations[0].field, field, "{policy:?} {asked:?}");
        }
    }

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
