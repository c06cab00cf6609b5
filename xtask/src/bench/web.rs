//! The first load: everything that the start page names, compressed as it is sent, and the time that it takes in a real
//! browser, from a release build on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use super::{Figure, Size, programs};
use crate::{install, say, shell, workspace};

/// KB as in 1000 bytes, of everything together: page, style, script, program.
const FIRST_LOAD_KB: f64 = 300.0;

pub(crate) fn run(size: Size) -> Result<Vec<Figure>> {
    install::ensure(&[install::CHROMIUM, install::CHROMEDRIVER])?;
    // The controller has it inside: it comes first.
    workspace::build_console(true)?;
    let programs = programs::build()?;
    let files = sizes(&dist())?.len();
    let files = f64::from(u32::try_from(files).context("so many files")?);
    let mut figures = vec![first_load()?, Figure::told("first_load_files", files, "files")];
    figures.extend(first_page(size, &programs)?);
    Ok(figures)
}

fn first_page(size: Size, programs: &Path) -> Result<Vec<Figure>> {
    say::step("Measuring (a minute for 20 loads)");
    let folder = workspace::state("bench");
    fs::create_dir_all(&folder)?;
    let mut bench = shell::command(programs.join("berth-bench"), &["web", "--folder"]);
    bench.arg(folder.join("web")).arg("--programs").arg(programs);
    if let Some(rounds) = size.rounds {
        bench.args(["--rounds", &rounds.to_string()]);
    }
    programs::measure(&mut bench)
}

/// Of the console as it is built now.
#[allow(clippy::cast_precision_loss, reason = "sizes of files are small")]
pub(crate) fn first_load() -> Result<Figure> {
    let sizes = sizes(&dist())?;
    ensure!(!sizes.is_empty(), "the console has no files");
    let bytes: u64 = sizes.iter().map(|(_, size)| size).sum();
    Ok(Figure::at_most("first_load_kb", bytes as f64 / 1000.0, "KB", FIRST_LOAD_KB))
}

fn dist() -> PathBuf {
    workspace::root().join("web/assets/dist")
}

/// Every file with the size in which a browser gets it. All that is built is loaded at once today; what comes lazily one
/// day will lie in a folder of its own.
fn sizes(dist: &Path) -> Result<Vec<(String, u64)>> {
    let mut sizes = Vec::new();
    for folder in [dist.to_owned(), dist.join("assets")] {
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.to_string_lossy().into_owned();
            if !path.is_file() || name.ends_with(".br") || name.ends_with(".gz") {
                continue;
            }
            let compressed = format!("{name}.br");
            let sent = if Path::new(&compressed).is_file() { &compressed } else { &name };
            sizes.push((name.clone(), fs::metadata(sent)?.len()));
        }
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_once_and_compressed_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let assets = folder.path().join("assets");
        fs::create_dir(&assets).unwrap();
        fs::write(folder.path().join("index.html"), "12345").unwrap();
        for (name, size) in [("a.wasm", 100), ("a.wasm.br", 30), ("a.wasm.gz", 40)] {
            fs::write(assets.join(name), vec![0; size]).unwrap();
        }
        let total: u64 = sizes(folder.path()).unwrap().iter().map(|(_, size)| size).sum();
        assert_eq!(total, 35);
    }
}
