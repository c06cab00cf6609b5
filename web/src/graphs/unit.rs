//! What is measured, in figures as people read them.

use berth_core::text;

use crate::text as words;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Cores,
    Bytes,
    /// Bytes per second: decimal, as networks and disks are sold.
    Rate,
    Percent,
    Watts,
}

impl Unit {
    /// "0.51 cores", "1.5 GiB", "12.4 MB/s". Follows the language.
    pub(crate) fn say(self, value: f64) -> String {
        match self {
            Unit::Cores => words::cores_of(number(value)),
            Unit::Bytes => text::bytes(whole(value)),
            Unit::Rate => rate(value),
            Unit::Percent => words::percent(number(value)),
            Unit::Watts => words::watts(number(value)),
        }
    }

    /// Below it nothing is worth a scale: noise would fill the graph.
    pub(super) fn least(self) -> f64 {
        match self {
            Unit::Cores => 0.1,
            Unit::Bytes => 1_048_576.0,
            Unit::Rate => 10_000.0,
            Unit::Percent => 100.0,
            Unit::Watts => 10.0,
        }
    }
}

fn rate(value: f64) -> String {
    const UNITS: [(&str, f64); 3] = [("GB/s", 1e9), ("MB/s", 1e6), ("kB/s", 1e3)];
    // What would be rounded up to the next unit is in that one.
    match UNITS.iter().find(|(_, size)| value >= size * 0.9995) {
        Some((unit, size)) => format!("{} {unit}", number(value / size)),
        None => format!("{} B/s", whole(value)),
    }
}

/// Three digits that count, and no zeros behind: "0.51", "12.4", "312".
fn number(value: f64) -> String {
    let (digits, scale) = match value {
        v if v >= 99.95 => (0, 1_u32),
        v if v >= 9.995 => (1, 10),
        _ => (2, 100),
    };
    let scaled = whole(value * f64::from(scale));
    let scale = u64::from(scale);
    if scaled.is_multiple_of(scale) {
        return (scaled / scale).to_string();
    }
    let text = format!("{}.{:0digits$}", scaled / scale, scaled % scale);
    text.trim_end_matches('0').to_owned()
}

fn whole(value: f64) -> u64 {
    // Figures are not negative and far below 2^53; what is not would saturate.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = value.round() as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        for (value, said) in [
            (0.0, "0"),
            (0.004, "0"),
            (0.51, "0.51"),
            (0.5, "0.5"),
            (9.996, "10"),
            (12.44, "12.4"),
            (99.97, "100"),
            (312.4, "312"),
            (12_345.0, "12345"),
        ] {
            assert_eq!(number(value), said, "{value}");
        }
        for (value, said) in [
            (0.0, "0 B/s"),
            (999.0, "999 B/s"),
            (999.7, "1 kB/s"),
            (12_440.0, "12.4 kB/s"),
            (999_900.0, "1 MB/s"),
            (125_000_000.0, "125 MB/s"),
            (2.5e9, "2.5 GB/s"),
        ] {
            assert_eq!(Unit::Rate.say(value), said, "{value}");
        }
        assert_eq!(Unit::Cores.say(0.513), "0.51 cores");
        assert_eq!(Unit::Bytes.say(1_610_612_736.0), "1.5 GiB");
        assert_eq!(Unit::Percent.say(80.0), "80 %");
        assert_eq!(Unit::Watts.say(312.9), "313 W");
    }
}
