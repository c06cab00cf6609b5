//! The console, from source to the files that `berth-assets` embeds: cargo, wasm-bindgen as a library, names that carry a
//! hash of the content, compressed variants. No tool is downloaded for it.

mod bind;
mod vendor;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

use self::bind::Bound;

const TARGET: &str = "wasm32-unknown-unknown";
const INDEX: &str = "index.html";
/// What a page loads when it needs it, and no other page.
pub(crate) const LAZY: &str = "assets/lazy";
/// Below it the variants are larger than what they spare.
const COMPRESS_FROM: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Built in a moment, large, read from disk.
    Development,
    Release,
}

impl Kind {
    fn profile(self) -> &'static str {
        match self {
            Kind::Development => "dev",
            Kind::Release => "web",
        }
    }

    /// Where cargo puts what it builds with the profile.
    fn folder(self) -> &'static str {
        match self {
            Kind::Development => "debug",
            Kind::Release => "web",
        }
    }
}

/// Builds the console into `web/assets/dist`. Does nothing where that is up to date.
pub(crate) fn build(release: bool) -> Result<()> {
    let kind = if release { Kind::Release } else { Kind::Development };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent")?;
    let target = root.join("target").join("wasm");
    ensure_target(root)?;
    compile(root, &target, kind)?;

    let wasm = target.join(TARGET).join(kind.folder()).join("berth-web.wasm");
    let web = root.join("web");
    let dist = web.join("assets").join("dist");
    let stamp = target.join("berth-web.stamp");
    let inputs = fingerprint(&wasm, &web, kind)?;
    let built = fs::read_to_string(&stamp).unwrap_or_default();
    if built == inputs && dist.join(INDEX).is_file() {
        return Ok(());
    }
    // A build that is cut off half-way is not taken for this one.
    remove_if_there(&stamp)?;
    let files = lay_out(bind::bind(&wasm, &target.join("split"))?, &web)?;
    write_dist(&dist, files, kind)?;
    fs::write(&stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))
}

/// `rustup target add` has been done by rust-toolchain.toml, except where the compiler does not come from rustup.
fn ensure_target(root: &Path) -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let output = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(root)
        .output()
        .with_context(|| format!("cannot run {}", rustc.display()))?;
    let folder = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && Path::new(folder.trim()).is_dir(),
        "the compiler cannot build for the browser: run `rustup target add {TARGET}`"
    );
    Ok(())
}

/// In a target directory of its own: the lock of the other one is held by the cargo that runs this.
fn compile(root: &Path, target: &Path, kind: Kind) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--locked",
            "--package",
            "berth-web",
            "--target",
            TARGET,
            "--profile",
            kind.profile(),
        ])
        // Leptos then writes each kind of view once and not once for every place: a tenth less to send, and to compile.
        // What calls what must still be known when the program is taken apart.
        .args([
            "--config",
            r#"build.rustflags=["--cfg", "erase_components", "-Clink-args=--emit-relocs"]"#,
        ])
        .arg("--target-dir")
        .arg(target)
        .current_dir(root);
    // What cargo says to this program is not meant for the nested one, and would rebuild everything in it.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("the console does not compile");
    }
    Ok(())
}

/// Every file under its final name.
fn lay_out(bound: Bound, web: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let statics = web.join("static");
    let mut files = BTreeMap::new();
    let mut names = Vec::new();
    let mut add = |placeholder: &str, content: Vec<u8>| {
        let name = hashed(placeholder, &content);
        names.push((format!("{{{placeholder}}}"), name.clone()));
        files.insert(name, content);
        names.clone()
    };
    add("icon.svg", read(&statics.join("icon.svg"))?);
    add("style.css", styles(&web.join("styles"))?);
    add("lazy/terminal.js", vendor::terminal(web)?);
    add("lazy/terminal.css", read(&web.join("vendor/xterm/xterm.css"))?);
    add("berth.js", bound.script.into_bytes());
    let so_far = add("berth.wasm", bound.wasm);
    let names = add("boot.js", fill_in(&statics.join("boot.js"), &so_far)?);
    files.insert(INDEX.to_owned(), fill_in(&statics.join(INDEX), &names)?);
    files.extend(bound.parts);
    Ok(files)
}

/// "berth.js" to "assets/berth-0123456789abcdef.js".
fn hashed(name: &str, content: &[u8]) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
    format!("assets/{stem}-{}.{extension}", &hex(&Sha256::digest(content))[..16])
}

fn fill_in(path: &Path, names: &[(String, String)]) -> Result<Vec<u8>> {
    let mut text = String::from_utf8(read(path)?).context("not UTF-8")?;
    for (placeholder, name) in names {
        text = text.replace(placeholder, name);
    }
    Ok(text.into_bytes())
}

/// In the order of their names.
fn styles(folder: &Path) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for path in sorted(folder)? {
        all.extend(read(&path)?);
    }
    Ok(all)
}

/// New files before the page that names them, old ones after it; what did not change is not touched, so that cargo does not
/// take it for new.
fn write_dist(dist: &Path, mut files: BTreeMap<String, Vec<u8>>, kind: Kind) -> Result<()> {
    if kind == Kind::Release {
        for (name, content) in files.clone() {
            if content.len() >= COMPRESS_FROM {
                files.insert(format!("{name}.br"), brotli(&content)?);
                files.insert(format!("{name}.gz"), gzip(&content)?);
            }
        }
    }
    let (pages, assets): (Vec<_>, Vec<_>) =
        files.iter().partition(|(name, _)| name.starts_with(INDEX));
    fs::create_dir_all(dist.join(LAZY))
        .with_context(|| format!("cannot make {}", dist.display()))?;
    for (name, content) in assets.into_iter().chain(pages) {
        write_if_new(&dist.join(name), content)?;
    }
    let kept: BTreeSet<PathBuf> = files.keys().map(|name| dist.join(name)).collect();
    for folder in [dist.to_owned(), dist.join("assets"), dist.join(LAZY)] {
        for path in sorted(&folder)? {
            if path.is_file() && !kept.contains(&path) {
                remove_if_there(&path)?;
            }
        }
    }
    Ok(())
}

fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: content.len(),
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*content, &mut compressed, &parameters)?;
    Ok(compressed)
}

fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

fn fingerprint(wasm: &Path, web: &Path, kind: Kind) -> Result<String> {
    let mut digest = Sha256::new();
    digest.update(kind.profile());
    // What is done with it decides as well.
    digest.update(include_bytes!("web.rs"));
    digest.update(include_bytes!("web/bind.rs"));
    digest.update(include_bytes!("web/vendor.rs"));
    let mut paths = vec![wasm.to_owned()];
    for folder in ["static", "styles", "lazy", "vendor/xterm"] {
        paths.extend(sorted(&web.join(folder))?);
    }
    for path in paths {
        digest.update(path.as_os_str().as_encoded_bytes());
        digest.update(Sha256::digest(read(&path)?));
    }
    Ok(hex(&digest.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>())
        .with_context(|| format!("cannot list {}", folder.display()))?;
    paths.sort();
    Ok(paths)
}

fn write_if_new(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    // Renamed into place: a controller that reads from disk never sends half a file.
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    fs::write(&partial, content)
        .and_then(|()| fs::rename(&partial, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
