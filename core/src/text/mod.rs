//! Sentences for people, in every language that Berth speaks. Short, active: what happened, why, what to do.
//!
//! One file per kind of thing; each has both languages side by side, so that a sentence cannot be forgotten in one.

mod definition;
mod file;
mod placement;
mod problem;
mod reason;

pub use definition::field;
pub use file::file_fault;
pub use placement::{explanation, rejection};
pub use problem::problem;
pub use reason::{Sentences, fault, reason};

use crate::violation::Violation;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    #[default]
    English,
    Japanese,
}

impl Language {
    /// From an `accept-language` list or a POSIX locale: the first of its languages that we speak.
    pub fn choose(accept_language: &str) -> Self {
        let preferred = accept_language.split(',').map(|item| {
            item.split([';', '.']).next().unwrap_or_default().trim().to_ascii_lowercase()
        });
        for tag in preferred {
            if tag == "ja" || tag.starts_with("ja-") || tag.starts_with("ja_") {
                return Language::Japanese;
            }
            if tag == "en" || tag.starts_with("en-") || tag.starts_with("en_") {
                return Language::English;
            }
        }
        Language::default()
    }

    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Japanese => "ja",
        }
    }

    fn pick<T>(self, english: T, japanese: T) -> T {
        match self {
            Language::English => english,
            Language::Japanese => japanese,
        }
    }
}

/// "name: give it a name".
pub fn violation(language: Language, violation: &Violation) -> String {
    format!("{}: {}", violation.field, problem(language, &violation.problem))
}

/// "1.5 GiB", "512 MiB".
pub fn bytes(amount: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, size) in UNITS {
        if amount >= size {
            let tenths = (amount / (size / 10).max(1)).min(10 * (amount / size) + 9);
            let (whole, tenth) = (tenths / 10, tenths % 10);
            return if tenth == 0 {
                format!("{whole} {unit}")
            } else {
                format!("{whole}.{tenth} {unit}")
            };
        }
    }
    format!("{amount} B")
}

/// "1.5", "2" cores.
pub fn cores(millis: u32) -> String {
    let text = format!("{}.{:03}", millis / 1000, millis % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages() {
        for (header, expected) in [
            ("ja,en-US;q=0.9", Language::Japanese),
            ("fr-FR, ja;q=0.8", Language::Japanese),
            ("ja_JP.UTF-8", Language::Japanese),
            ("en-GB", Language::English),
            ("", Language::English),
            ("jam", Language::English),
        ] {
            assert_eq!(Language::choose(header), expected, "{header}");
        }
    }

    #[test]
    fn amounts() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(512 << 20), "512 MiB");
        assert_eq!(bytes(3 << 29), "1.5 GiB");
        assert_eq!(bytes((2 << 30) - 1), "1.9 GiB");
        assert_eq!(cores(1500), "1.5");
        assert_eq!(cores(2000), "2");
        assert_eq!(cores(10), "0.01");
    }
}
