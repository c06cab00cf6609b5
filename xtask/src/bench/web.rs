//! The first load: everything that the start page names, compressed as it is sent, and the time that it takes in a real
//! browser, from a release build on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use super::{Figure, Size, programs};
use crate::{install, say, shell, web, workspace};

/// How the script fetches a part of the program, in a function that is called when the part is wanted.
const PART: &str = "const src = fetch(new URL(\"/assets/lazy/";
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
    figures.extend(parts(&dist())?);
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
    stays_lazy(&dist(), &sizes)?;
    let bytes: u64 = sizes.iter().map(|(_, size)| size).sum();
    Ok(Figure::at_most("first_load_kb", bytes as f64 / 1000.0, "KB", FIRST_LOAD_KB))
}

/// What a page that is visited brings along, without what it shares with others.
#[allow(clippy::cast_precision_loss, reason = "sizes of files are small")]
fn parts(dist: &Path) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (path, size) in sizes_in(&dist.join(web::LAZY))? {
        let name = path.rsplit_once("/split_").and_then(|(_, name)| name.split_once('-'));
        if let Some((name, _)) = name {
            figures.push(Figure::told(&format!("part_{name}_kb"), size as f64 / 1000.0, "KB"));
        }
    }
    figures.sort_by(|a, b| a.name.cmp(&b.name));
    ensure!(!figures.is_empty(), "the console has no parts");
    Ok(figures)
}

fn dist() -> PathBuf {
    workspace::root().join("web/assets/dist")
}

/// Every file with the size in which a browser gets it. What comes lazily lies in a folder of its own and is not among them.
fn sizes(dist: &Path) -> Result<Vec<(String, u64)>> {
    let mut sizes = sizes_in(dist)?;
    sizes.extend(sizes_in(&dist.join("assets"))?);
    Ok(sizes)
}

fn sizes_in(folder: &Path) -> Result<Vec<(String, u64)>> {
    let mut sizes = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
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
    Ok(sizes)
}

/// The start page may say where the lazy files are, as data, and the script in what fetches a part of the program; a link, a
/// script or anything else that is loaded at first must not name them, or they would belong to the first load.
fn stays_lazy(dist: &Path, sizes: &[(String, u64)]) -> Result<()> {
    let mut named = 0;
    for (name, _) in sizes {
        let content = fs::read(name).with_context(|| format!("{name} cannot be read"))?;
        for line in
            String::from_utf8_lossy(&content).lines().filter(|line| line.contains(web::LAZY))
        {
            let as_data = Path::new(name) == dist.join("index.html")
                && line.trim_start().starts_with("<meta name=\"berth-");
            let as_part = name.ends_with(".js") && line.starts_with(PART);
            ensure!(as_data || as_part, "{name} loads what is meant to be lazy");
            named += 1;
        }
    }
    ensure!(named > 0, "nothing names the lazy files");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lazy_files_are_named_but_not_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let check = |page: &str| {
            fs::write(folder.path().join("index.html"), page).unwrap();
            fs::create_dir_all(folder.path().join("assets")).unwrap();
            stays_lazy(folder.path(), &sizes(folder.path()).unwrap())
        };
        let meta = "  <meta name=\"berth-terminal\" content=\"/assets/lazy/t-1.js\">\n";
        check(meta).unwrap();
        let script = folder.path().join("assets/berth-1.js");
        let part = format!("() => {{\n{PART}split_a-1.wasm\", import.meta.url));\n}}\n");
        fs::write(&script, &part).unwrap();
        check(meta).unwrap();
        fs::write(&script, "fetch('/assets/lazy/split_a-1.wasm')").unwrap();
        assert!(check(meta).is_err());
        fs::remove_file(&script).unwrap();
        assert!(check("<html>").is_err());
        for loaded in [
            "<script src=\"/assets/lazy/t-1.js\"></script>",
            "<link rel=\"stylesheet\" href=\"/assets/lazy/t-1.css\">",
        ] {
            assert!(check(&format!("{meta}{loaded}")).is_err(), "{loaded}");
        }
    }

    #[test]
    fn each_page_has_its_part() {
        let folder = tempfile::tempdir().unwrap();
        let lazy = folder.path().join(web::LAZY);
        fs::create_dir_all(&lazy).unwrap();
        assert!(parts(folder.path()).is_err());
        for (name, size) in
            [("split_a-1.wasm", 3000), ("split_a-1.wasm.br", 1000), ("chunk_2-1.wasm", 9)]
        {
            fs::write(lazy.join(name), vec![0; size]).unwrap();
        }
        assert_eq!(parts(folder.path()).unwrap(), [Figure::told("part_a_kb", 1.0, "KB")]);
    }

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
