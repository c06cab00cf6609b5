//! Amounts as people write them, and back.

use std::{fmt, str::FromStr, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

/// Thousandths of a core: "2", "0.5", "500m".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu(pub u32);

/// Bytes: "2Gi", "512m". Units are powers of 1024, as the engine's are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory(pub u64);

/// "90min", "8h", "1d12h".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease(pub Duration);

/// What was written is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAmount {
    #[error("cores are a number such as 2, 0.5 or 500m")]
    Cpu,
    #[error("memory is a number with a unit, such as 512Mi or 2Gi")]
    Memory,
    #[error("a lease is a time such as 90min, 8h or 3d")]
    Lease,
}

impl FromStr for Cpu {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if let Some(millis) = text.strip_suffix('m') {
            let millis = if digits(millis) { millis.parse().ok() } else { None };
            return millis.map(Self).ok_or(NotAnAmount::Cpu);
        }
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 3 {
            return Err(NotAnAmount::Cpu);
        }
        let whole: Option<u32> = whole.parse().ok();
        let part: Option<u32> = format!("{part:0<3}").parse().ok();
        let millis = whole.zip(part).and_then(|(w, p)| w.checked_mul(1000)?.checked_add(p));
        millis.map(Self).ok_or(NotAnAmount::Cpu)
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1000 {
            0 => write!(f, "{}", self.0 / 1000),
            _ => write!(f, "{}m", self.0),
        }
    }
}

/// In ascending order.
const UNITS: [(&str, u64); 5] =
    [("B", 1), ("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1 << 40)];

impl FromStr for Memory {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit = match unit.trim().to_ascii_lowercase().as_str() {
            "b" => 1,
            "k" | "ki" | "kib" => 1 << 10,
            "m" | "mi" | "mib" => 1 << 20,
            "g" | "gi" | "gib" => 1 << 30,
            "t" | "ti" | "tib" => 1_u64 << 40,
            _ => return Err(NotAnAmount::Memory),
        };
        let number: u64 = number.parse().map_err(|_| NotAnAmount::Memory)?;
        number.checked_mul(unit).map(Self).ok_or(NotAnAmount::Memory)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().rev().find(|(_, size)| self.0.is_multiple_of(*size));
        let (unit, size) = whole.unwrap_or(&UNITS[0]);
        match self.0 {
            0 => f.write_str("0B"),
            bytes => write!(f, "{}{unit}", bytes / size),
        }
    }
}

impl FromStr for Lease {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let lease = humantime::parse_duration(text).map_err(|_| NotAnAmount::Lease)?;
        // The wire knows whole seconds.
        if lease.subsec_nanos() == 0 { Ok(Self(lease)) } else { Err(NotAnAmount::Lease) }
    }
}

impl fmt::Display for Lease {
    /// Days have 24 hours, and nothing is longer: a month of humantime's has 30.44 days.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let parts = [
            (seconds / 86_400, "d"),
            (seconds / 3600 % 24, "h"),
            (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
        ];
        if seconds == 0 {
            return f.write_str("0s");
        }
        parts.iter().filter(|(n, _)| *n > 0).try_for_each(|(n, unit)| write!(f, "{n}{unit}"))
    }
}

macro_rules! as_text {
    ($amount:ident, $error:expr) => {
        impl Serialize for $amount {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $amount {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = deserializer.deserialize_any(Amount($error))?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

as_text!(Cpu, NotAnAmount::Cpu);
as_text!(Memory, NotAnAmount::Memory);
as_text!(Lease, NotAnAmount::Lease);

/// `cpu: 2` is as good as `cpu: "2"`.
struct Amount(NotAnAmount);

impl Visitor<'_> for Amount {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an amount: {}", self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_people_write_them() {
        for (text, millis) in
            [("2", 2000), ("0.5", 500), ("1.25", 1250), ("500m", 500), ("0.001", 1), ("3.", 3000)]
        {
            assert_eq!(text.parse(), Ok(Cpu(millis)), "{text}");
        }
        for bad in ["", "m", ".5", "-1", "1.2345", "1e3", "x", "4294968", "NaN", "0.5m", "+1m"] {
            assert!(bad.parse::<Cpu>().is_err(), "{bad}");
        }
        for (text, bytes) in [
            ("512m", 512 << 20),
            ("512Mi", 512 << 20),
            ("2g", 2 << 30),
            ("2GiB", 2 << 30),
            ("1 T", 1 << 40),
            ("7B", 7),
        ] {
            assert_eq!(text.parse(), Ok(Memory(bytes)), "{text}");
        }
        for bad in ["", "512", "m", "-1g", "1.5g", "99999999999t", "2gb!", "2GB"] {
            assert!(bad.parse::<Memory>().is_err(), "{bad}");
        }
        for (text, seconds) in
            [("90min", 5400), ("8h", 28_800), ("1d 12h", 129_600), ("3d", 259_200)]
        {
            assert_eq!(text.parse(), Ok(Lease(Duration::from_secs(seconds))), "{text}");
        }
        for bad in ["", "8", "soon", "100ms", "-1h"] {
            assert!(bad.parse::<Lease>().is_err(), "{bad}");
        }
    }

    #[test]
    fn written_short() {
        for (millis, text) in [(2000, "2"), (500, "500m"), (0, "0"), (1250, "1250m")] {
            assert_eq!(Cpu(millis).to_string(), text);
        }
        for (bytes, text) in [(2 << 30, "2Gi"), (1536 << 20, "1536Mi"), (1000, "1000B"), (0, "0B")]
        {
            assert_eq!(Memory(bytes).to_string(), text);
        }
        for (seconds, text) in [(28_800, "8h"), (5400, "1h30m"), (14 * 86_400, "14d"), (61, "1m1s")]
        {
            assert_eq!(Lease(Duration::from_secs(seconds)).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn there_and_back(millis: u32, bytes: u64, seconds in 0u64..1 << 40) {
            prop_assert_eq!(Cpu(millis).to_string().parse(), Ok(Cpu(millis)));
            prop_assert_eq!(Memory(bytes).to_string().parse(), Ok(Memory(bytes)));
            let lease = Lease(Duration::from_secs(seconds));
            prop_assert_eq!(lease.to_string().parse(), Ok(lease));
        }
    }
}
