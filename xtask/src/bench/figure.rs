//! What a benchmark found.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::{say, workspace};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    /// Absent where a figure is only told.
    pub(crate) limit: Option<f64>,
    pub(crate) holds: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    bench: &'a str,
    figures: &'a [Figure],
}

impl Figure {
    /// A figure that must not be larger than its limit.
    pub(crate) fn at_most(name: &str, value: f64, unit: &str, limit: f64) -> Self {
        Self {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            limit: Some(limit),
            // Not a number is no figure.
            holds: value <= limit,
        }
    }

    pub(crate) fn told(name: &str, value: f64, unit: &str) -> Self {
        Self {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            limit: None,
            holds: value.is_finite(),
        }
    }
}

pub(crate) fn print(figures: &[Figure]) {
    let width = figures.iter().map(|figure| figure.name.len()).max().unwrap_or_default();
    for figure in figures {
        let limit = figure.limit.map_or_else(String::new, |limit| {
            let verdict = if figure.holds { "holds" } else { "BROKEN" };
            format!("limit {limit} {verdict}")
        });
        let value = format!("{:.3}", figure.value);
        say::note(format_args!("{:width$}  {value:>12} {:<6} {limit}", figure.name, figure.unit));
    }
}

pub(crate) fn save(bench: &str, figures: &[Figure]) -> Result<PathBuf> {
    let folder = workspace::state("bench");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{bench}.json"));
    let mut text = serde_json::to_vec_pretty(&Report { bench, figures })?;
    text.push(b'\n');
    fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        assert!(Figure::at_most("a", 1.05, "x", 1.05).holds);
        assert!(!Figure::at_most("a", 1.06, "x", 1.05).holds);
        assert!(!Figure::at_most("a", f64::NAN, "x", 1.05).holds);
        assert!(!Figure::told("a", f64::INFINITY, "ms").holds);
    }

    #[test]
    fn the_form_that_others_read() {
        let figures = [Figure::at_most("first_load_kb", 200.0, "KB", 300.0)];
        let report = serde_json::to_value(Report { bench: "web", figures: &figures }).unwrap();
        assert_eq!(
            report,
            serde_json::json!({"bench": "web", "figures": [{
                "name": "first_load_kb", "value": 200.0, "unit": "KB", "limit": 300.0, "holds": true
            }]})
        );
    }
}
