//! Amounts as people type them.

/// "2", "0.5", "1.25": cores, in thousandths.
pub(crate) fn cpu(text: &str) -> Result<u32, String> {
    let wrong = || "cores are a number such as 2 or 0.5".to_owned();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 3 {
        return Err(wrong());
    }
    let whole: u32 = whole.parse().map_err(|_| wrong())?;
    let part: u32 = format!("{part:0<3}").parse().map_err(|_| wrong())?;
    whole.checked_mul(1000).and_then(|millis| millis.checked_add(part)).ok_or_else(wrong)
}

/// "512m", "2g", "2GiB": bytes. Units are powers of 1024, as the engine's are.
pub(crate) fn memory(text: &str) -> Result<u64, String> {
    let wrong = || "memory is a number with a unit, such as 512m or 2g".to_owned();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1_u64 << 40,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(wrong)
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
