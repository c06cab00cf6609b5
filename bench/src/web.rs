//! From the navigation to a sign-in form that can be typed into, in a browser that has never been there.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use berth_e2e::browser::{Driver, Load, first_page};

use crate::{
    figure::Figure,
    house::House,
    say,
    statistics::{median, quantile},
};

/// Chromium drops what it loads when a network interface of the machine comes or goes; a person reloads.
const LOST: usize = 5;

pub(crate) struct Options {
    pub(crate) folder: PathBuf,
    pub(crate) programs: PathBuf,
    pub(crate) rounds: usize,
}

pub(crate) async fn run(options: &Options) -> Result<Vec<Figure>> {
    ensure!(options.rounds > 0, "no round is no figure");
    // No agent is started: nobody asks the engine for anything.
    let engine = Path::new("/var/run/docker.sock");
    let mut house = House::new(&options.folder, &options.programs, engine)?;
    house.start_controller()?;
    let driver = Driver::start()?;
    let address = format!("{}/", house.url());
    // Thrown away: the machine reads the browser itself from disk.
    load(&driver, &address).await?;
    let mut loads = Vec::new();
    for _ in 0..options.rounds {
        loads.push(load(&driver, &address).await?);
    }
    Ok(figures(&loads))
}

/// In a profile of its own, which goes afterwards.
async fn load(driver: &Driver, address: &str) -> Result<Load> {
    let mut lost = 0;
    loop {
        let profile = tempfile::tempdir()?;
        match first_page(driver, profile.path(), address).await {
            Ok(load) => return Ok(load),
            Err(error) if lost < LOST => {
                lost += 1;
                say(format_args!("a load is lost: {error:#}"));
            }
            Err(error) => return Err(error),
        }
    }
}

fn figures(loads: &[Load]) -> Vec<Figure> {
    let times: Vec<f64> = loads.iter().map(|load| load.usable_ms).collect();
    let kilobytes: Vec<f64> = loads.iter().map(|load| load.bytes / 1e3).collect();
    #[allow(clippy::cast_precision_loss, reason = "some dozen loads")]
    let count = loads.len() as f64;
    vec![
        Figure::told("first_page_loads", count, "loads"),
        Figure::told("first_page_ms", median(&times), "ms"),
        Figure::told("first_page_p95_ms", quantile(&times, 0.95), "ms"),
        Figure::told("first_page_received_kb", median(&kilobytes), "KB"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_loads() {
        let loads: Vec<Load> =
            [300.0, 500.0, 400.0].map(|usable_ms| Load { usable_ms, bytes: 200_000.0 }).into();
        let figures = serde_json::to_value(figures(&loads)).unwrap();
        let value = |name: &str| {
            let all = figures.as_array().unwrap();
            all.iter().find(|figure| figure["name"] == name).unwrap()["value"].as_f64().unwrap()
        };
        assert!((value("first_page_ms") - 400.0).abs() < 1e-6);
        assert!((value("first_page_p95_ms") - 490.0).abs() < 1e-6);
        assert!((value("first_page_received_kb") - 200.0).abs() < 1e-6);
        assert!((value("first_page_loads") - 3.0).abs() < 1e-6);
    }
}
