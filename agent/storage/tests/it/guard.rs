//! What a setuid program in a home is worth on the blade.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::Command,
};

use crate::world::{World, holder, mounts_below};

/// Whose it is to run as, when somebody else runs it.
fn run_as_stranger(program: &Path) -> String {
    let arguments = ["--reuid=54321", "--regid=54321", "--clear-groups"];
    let output = Command::new("setpriv").args(arguments).arg(program).arg("-u").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn setuid_copy(folder: &Path, owner: u32) -> std::path::PathBuf {
    let program = folder.join(format!("id-{owner}"));
    fs::copy("/usr/bin/id", &program).unwrap();
    chown(&program, Some(owner), Some(owner)).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    program
}

#[test]
fn setuid_gains_nobody_anything() {
    let world = World::new();
    let storage = world.start(false);
    let home = world.home(&storage, &holder("alice", 70_001)).unwrap();
    // As its owner may do.
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
    for owner in [70_001, 0] {
        assert_eq!(run_as_stranger(&setuid_copy(&home, owner)), "54321", "in a home");
    }
    // What it would be worth without: this test can fail.
    let outside = setuid_copy(world.folder.path(), 70_001);
    assert_eq!(run_as_stranger(&outside), "70001", "elsewhere");
}

#[test]
fn mounted_once_whoever_asks() {
    let world = World::new();
    let alice = holder("alice", 70_001);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| world.home(&world.start(false), &alice).unwrap());
        }
    });
    world.home(&world.start(false), &alice).unwrap();
    assert_eq!(mounts_below(&world.homes()).len(), 1);
    berth_storage::unmount(&world.homes()).unwrap();
    assert!(mounts_below(&world.homes()).is_empty());
    assert!(world.homes().join("alice").is_dir(), "what was below is as it was");
}
