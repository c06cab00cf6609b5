//! Amounts as people type them.

use berth_core::definition::{Cpu, Memory};

/// "2", "0.5", "500m": cores, in thousandths.
pub(crate) fn cpu(text: &str) -> Result<u32, String> {
    text.parse().map(|Cpu(millis)| millis).map_err(|error| format!("{error}"))
}

/// "512m", "2g", "2GiB": bytes.
pub(crate) fn memory(text: &str) -> Result<u64, String> {
    text.parse().map(|Memory(bytes)| bytes).map_err(|error| format!("{error}"))
}

/// "KEY=value".
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "a variable is KEY=value".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for (text, millis) in
            [("2", 2000), ("0.5", 500), ("1.25", 1250), ("0.001", 1), ("3.", 3000)]
        {
            assert_eq!(cpu(text), Ok(millis), "{text}");
        }
        for bad in ["", ".5", "-1", "1.2345", "1e3", "x", "4294968", "NaN"] {
            assert!(cpu(bad).is_err(), "{bad}");
        }
        for (text, bytes) in
            [("512m", 512 << 20), ("2g", 2 << 30), ("2GiB", 2 << 30), ("1 T", 1 << 40)]
        {
            assert_eq!(memory(text), Ok(bytes), "{text}");
        }
        for bad in ["", "512", "m", "-1g", "1.5g", "99999999999t", "2gb!"] {
            assert!(memory(bad).is_err(), "{bad}");
        }
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(variable("A").is_err());
    }
}
