//! A small image that answers on a port, made without a registry: one static program of Debian's.

use std::{
    fs,
    io::Read as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};

use crate::{engine, say, shell};

/// The host part keeps the engine from looking for it at Docker Hub, where anybody could have put something under the
/// name; nobody answers as a registry on this machine, and then the local image is used.
pub(crate) const IMAGE: &str = "localhost/berth/starter:latest";

/// What the program inside listens on.
pub(crate) const PORT: u16 = 8080;

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>It works</title>
<style>
  body { font: 1.1rem/1.6 system-ui, sans-serif; margin: 15vh auto; max-width: 36rem; padding: 0 1rem; color-scheme: light dark }
</style>
<h1>It works</h1>
<p>This page comes from inside your container. Stop it, and the page is gone; start it, and it is back.</p>
<p lang="ja">このページはコンテナの中から表示されています。停止すると見えなくなり、起動するとまた見えます。</p>
</html>
"#;

/// Debian's `busybox-static`; the ordinary `busybox` has the same name and does not run without its libraries.
pub(crate) fn static_busybox() -> Option<PathBuf> {
    ["/bin/busybox", "/usr/bin/busybox"]
        .map(PathBuf::from)
        .into_iter()
        .find(|file| is_static(file).unwrap_or(false))
}

/// A dynamic program names its loader right behind its headers.
fn is_static(program: &Path) -> Result<bool> {
    let mut head = Vec::new();
    fs::File::open(program)?.take(4096).read_to_end(&mut head)?;
    Ok(head.starts_with(b"\x7fELF") && !head.windows(6).any(|window| window == b"/ld-li"))
}

pub(crate) fn exists() -> bool {
    shell::succeeds(&mut engine::docker(&["image", "inspect", IMAGE]))
}

pub(crate) fn make(folder: &Path) -> Result<()> {
    if exists() {
        return Ok(());
    }
    say::step("Making the starter image");
    let busybox = static_busybox().context("busybox-static is installed")?;
    let tree = folder.join("starter");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    lay_out(&busybox, &tree)?;
    import(&tree)?;
    fs::remove_dir_all(&tree)?;
    Ok(())
}

fn lay_out(busybox: &Path, tree: &Path) -> Result<()> {
    for name in ["bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "var", "srv/www"] {
        fs::create_dir_all(tree.join(name))?;
    }
    fs::set_permissions(tree.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    fs::copy(busybox, tree.join("bin/busybox"))?;
    let applets = shell::output(&mut shell::command(busybox, &["--list"]))?;
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        symlink("busybox", tree.join("bin").join(applet))?;
    }
    fs::write(
        tree.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    )?;
    fs::write(tree.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n")?;
    fs::write(tree.join("srv/www/index.html"), PAGE)?;
    Ok(())
}

fn import(tree: &Path) -> Result<()> {
    let mut archive = shell::command(
        "tar",
        &["--create", "--owner=0", "--group=0", "--numeric-owner", "--directory"],
    );
    let mut archive =
        archive.arg(tree).arg(".").stdout(Stdio::piped()).spawn().context("tar cannot be run")?;
    let stream = archive.stdout.take().context("tar's output is ours")?;
    let command = format!("CMD [\"/bin/httpd\", \"-f\", \"-p\", \"{PORT}\", \"-h\", \"/srv/www\"]");
    let expose = format!("EXPOSE {PORT}");
    let mut import = engine::docker(&[
        "import",
        "--change",
        &command,
        "--change",
        &expose,
        "--change",
        "ENV PATH=/bin",
        "--change",
        "WORKDIR /root",
        "--message",
        "a small web server",
        "-",
        IMAGE,
    ]);
    shell::output(import.stdin(Stdio::from(stream)))?;
    if !archive.wait()?.success() {
        bail!("tar failed while the starter image was made");
    }
    Ok(())
}

pub(crate) fn remove() -> Result<()> {
    if exists() {
        shell::output(&mut engine::docker(&["image", "rm", "--force", IMAGE]))?;
    }
    Ok(())
}
