//! Makes the folder that is embedded exist, so that a fresh clone builds before the console does. The console itself is
//! built by `cargo xtask web`: a cargo inside a build script would wait for its own lock.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let dist = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("dist");
    fs::create_dir_all(&dist)?;
    // The names of the files change with their content, so the files themselves cannot be listed.
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=dist");
    Ok(())
}
