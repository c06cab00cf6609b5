//! Idmapped mounts: files that belong to an account on disk, and inside to the user of an image.
//!
//! On disk everything stays the account's, whatever root inside does, and no other number can be made there.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, Stdio},
};

use berth_core::storage::Posix;
use composefs_ioctls::mount::mount_setattr_idmap;
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree},
};
use serde::{Deserialize, Serialize};

/// As somebody is counted inside a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ids {
    pub uid: u32,
    pub gid: u32,
}

/// Shows `directory` at `target`, with what belongs to `disk` there belonging to `inside`.
pub(crate) fn mount(
    directory: &OwnedFd,
    target: &Path,
    disk: Posix,
    inside: Ids,
) -> io::Result<()> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(directory, "", flags)?;
    mount_setattr_idmap(&tree, user_namespace(disk, inside)?)?;
    Ok(move_mount(&tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// A table of numbers can only be made as a user namespace, and that only by a process in it.
fn user_namespace(disk: Posix, inside: Ids) -> io::Result<OwnedFd> {
    let mut process = Waiting::start()?;
    let folder = format!("/proc/{}", process.0.id());
    process.until_it_waits()?;
    // What stands on disk first: of a mount's namespace that is the inside.
    fs::write(format!("{folder}/uid_map"), format!("{} {} 1\n", disk.uid, inside.uid))?;
    fs::write(format!("{folder}/gid_map"), format!("{} {} 1\n", disk.gid, inside.gid))?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(openat(CWD, format!("{folder}/ns/user"), flags, Mode::empty())?)
}

/// A process that does nothing, until it is dropped.
struct Waiting(Child);

impl Waiting {
    fn start() -> io::Result<Self> {
        Command::new("unshare")
            .args(["--user", "--", "sh", "-c", "echo; exec cat >/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)
    }

    fn until_it_waits(&mut self) -> io::Result<()> {
        let out = self.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut line = String::new();
        match BufReader::new(out).read_line(&mut line)? {
            0 => Err(io::Error::other("no user namespace can be made")),
            _ => Ok(()),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // It ends with its input, too; whichever comes first.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
