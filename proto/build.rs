//! Compiles the protos with protox: no protoc is needed. Services are generated for both features; what a feature leaves
//! out is cut by `cfg`.

use std::{error::Error, fmt::Write as _, fs, path::PathBuf};

use prost::Message as _;

const FILES: [&str; 14] = [
    "berth/v1/apps.proto",
    "berth/v1/auth.proto",
    "berth/v1/container.proto",
    "berth/v1/errors.proto",
    "berth/v1/exec.proto",
    "berth/v1/files.proto",
    "berth/v1/forward.proto",
    "berth/v1/logs.proto",
    "berth/v1/node.proto",
    "berth/v1/usage.proto",
    "berth/v1/volumes.proto",
    "berth/agent/v1/agent.proto",
    "berth/agent/v1/ledger.proto",
    "berth/agent/v1/relay.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed=berth");
    let descriptors = protox::compile(FILES, ["."])?;
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    fs::write(out.join("methods.rs"), methods(&descriptors)?)?;
    tonic_prost_build::configure()
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
        .btree_map(".")
        // What is passed on is not copied.
        .bytes(".berth.agent.v1.RelayFrame")
        .bytes(".berth.agent.v1.LogLine")
        .bytes(".berth.v1.AttachRequest")
        .bytes(".berth.v1.ConnectRequest")
        .bytes(".berth.v1.ConnectResponse")
        .bytes(".berth.v1.DownloadResponse")
        .bytes(".berth.v1.LogLine")
        .bytes(".berth.v1.UploadArchiveRequest")
        .bytes(".berth.v1.UploadRequest")
        .bytes(".berth.v1.TerminalOutput")
        .bytes(".berth.v1.InputRequest")
        .bytes(".berth.v1.RunRequest")
        .bytes(".berth.v1.RunResponse")
        .compile_fds(descriptors)?;
    Ok(())
}

/// One constant per RPC, "/berth.v1.AuthService/SignIn": for the authorization table and for the console's transport.
fn methods(descriptors: &prost_types::FileDescriptorSet) -> Result<String, std::fmt::Error> {
    let mut source = String::new();
    for file in descriptors.file.iter().filter(|file| file.package().starts_with("berth.")) {
        for service in &file.service {
            for method in &service.method {
                let mut name = String::new();
                for c in method.name().chars() {
                    if c.is_ascii_uppercase() && !name.is_empty() {
                        name.push('_');
                    }
                    name.push(c.to_ascii_uppercase());
                }
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                let constant =
                    format!("{}_{name}", service.name().trim_end_matches("Service").to_uppercase());
                writeln!(source, "/// `{path}`\npub const {constant}: &str = {path:?};")?;
            }
        }
    }
    Ok(source)
}
