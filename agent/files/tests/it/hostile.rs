//! Links of every kind, put there by somebody who wants out.

use std::{
    fs,
    os::unix::fs::symlink,
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use berth_core::files::{Archive, FileFault, Read, Replace, Write};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::world::{World, fault, path, upload};

fn links(world: &World) -> Vec<&'static str> {
    let outside = world.outside();
    symlink(&outside, world.at("/absolute")).unwrap();
    symlink("../outside", world.at("/relative")).unwrap();
    symlink("../../../../../../../../", world.at("/up")).unwrap();
    symlink("/proc/self/root", world.at("/magic")).unwrap();
    symlink("/proc/self/cwd", world.at("/cwd")).unwrap();
    vec!["/absolute", "/relative", "/up", "/magic", "/cwd"]
}

#[test]
fn nothing_outside_is_reached_through_a_link() {
    let world = World::new();
    for link in links(&world) {
        let secret = path(&format!("{link}/secret"));
        let from_root = path(&format!("{link}{}/secret", world.outside().display()));
        for target in [&secret, &from_root] {
            let read = Read { path: target.clone(), from: 0, to: None, version: None };
            let read = world.tree.read(&read).map(|_| ());
            assert_eq!(fault(read).0, FileFault::NotFound, "{target}");
            let write = Write {
                path: target.clone(),
                upload: upload(1),
                size: Some(1),
                mode: None,
                modified: None,
                replace: Replace::Yes,
            };
            if target.as_str() != "/up/secret" {
                let write = world.tree.write(&write, None);
                assert_eq!(fault(write).0, FileFault::NotFound, "{target}");
            }
            assert_eq!(fault(world.tree.delete(target)).0, FileFault::NotFound, "{target}");
            let away = world.tree.rename(target, &path("/stolen"), Replace::Yes);
            assert_eq!(fault(away).0, FileFault::NotFound, "{target}");
        }
        // Up leads to the root itself, where there is no secret, but could be one.
        if let Ok(mut listing) = world.tree.list(&path(link), 100, SystemTime::now()) {
            while let Some(entry) = listing.next_entry().unwrap() {
                assert_ne!(entry.name, "secret");
                assert_ne!(entry.name, "outside");
            }
        }
    }
    world.assert_outside_is_unchanged();
}

#[test]
fn a_link_is_removed_and_replaced_itself() {
    let world = World::new();
    symlink(world.outside().join("secret"), world.at("/link")).unwrap();
    world.tree.delete(&path("/link")).unwrap();
    symlink(world.outside().join("secret"), world.at("/link")).unwrap();
    let write = Write {
        path: path("/link"),
        upload: upload(1),
        size: Some(1),
        mode: None,
        modified: None,
        replace: Replace::Yes,
    };
    let mut writer = world.tree.write(&write, None).unwrap();
    writer.write(b"x").unwrap();
    let digest = berth_core::files::Blake3(*blake3::hash(b"x").as_bytes());
    writer.finish(digest).unwrap();
    assert!(fs::symlink_metadata(world.at("/link")).unwrap().is_file());
    world.assert_outside_is_unchanged();
}

#[test]
fn a_directory_full_of_links_is_removed_without_what_they_lead_to() {
    let world = World::new();
    fs::create_dir(world.at("/tree")).unwrap();
    symlink(world.outside(), world.at("/tree/a")).unwrap();
    fs::create_dir(world.at("/tree/deeper")).unwrap();
    symlink("../../../outside", world.at("/tree/deeper/b")).unwrap();
    let mut packed = Vec::new();
    world.tree.pack(&path("/tree"), Archive::Tar, &mut packed).unwrap();
    assert!(!packed.windows(14).any(|window| window == b"of the machine"));
    world.tree.delete(&path("/tree")).unwrap();
    assert!(world.names().is_empty());
    world.assert_outside_is_unchanged();
}

#[test]
fn pipes_and_sockets_are_no_files() {
    let world = World::new();
    mknodat(CWD, world.at("/pipe"), FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.at("/socket")).unwrap();
    for at in ["/pipe", "/socket"] {
        // Opening a pipe would wait for ever.
        let read = Read { path: path(at), from: 0, to: None, version: None };
        assert_eq!(fault(world.tree.read(&read).map(drop)).0, FileFault::NotAFile, "{at}");
        let write = Write {
            path: path(at),
            upload: upload(1),
            size: Some(0),
            mode: None,
            modified: None,
            replace: Replace::Yes,
        };
        assert_eq!(fault(world.tree.write(&write, None)).0, FileFault::NotAFile, "{at}");
    }
    let mut packed = Vec::new();
    world.tree.pack(&path("/"), Archive::Tar, &mut packed).unwrap();
    assert_eq!(tar::Archive::new(&packed[..]).entries().unwrap().count(), 0);
}

#[test]
fn what_the_kernel_shows_is_no_place() {
    let root = fs::File::open("/").unwrap();
    let owner = berth_files::Owner { uid: 0, gid: 0 };
    let tree = berth_files::Tree::new(root.into(), owner);
    for at in ["/proc/version", "/proc/self/mem", "/sys/kernel"] {
        let read = Read { path: path(at), from: 0, to: None, version: None };
        assert_eq!(fault(tree.read(&read).map(drop)).0, FileFault::NotAFile, "{at}");
    }
    for magic in ["/proc/1/root/etc/passwd", "/proc/self/cwd/x", "/proc/self/fd/0"] {
        let read = Read { path: path(magic), from: 0, to: None, version: None };
        let (fault, _) = fault(tree.read(&read).map(drop));
        assert!(
            matches!(fault, FileFault::NotPermitted | FileFault::LinkLoop),
            "{magic}: {fault:?}"
        );
    }
    let listing = tree.list(&path("/proc"), 1, SystemTime::now());
    assert_eq!(fault(listing.map(drop)).0, FileFault::NotAFile);
}

#[test]
fn a_part_that_somebody_else_put_there_is_not_written_to() {
    let world = World::new();
    let hidden = world.at(&format!("/.berth-{}.part", upload(1).0.as_simple()));
    let write = Write {
        path: path("/a"),
        upload: upload(1),
        size: Some(1),
        mode: None,
        modified: None,
        replace: Replace::No,
    };
    symlink(world.outside().join("secret"), &hidden).unwrap();
    assert_eq!(fault(world.tree.write(&write, None)).0, FileFault::LinkLoop);
    fs::remove_file(&hidden).unwrap();
    fs::hard_link(world.outside().join("secret"), &hidden).unwrap();
    assert_eq!(fault(world.tree.write(&write, None)).0, FileFault::NotAFile);
    fs::remove_file(&hidden).unwrap();
    world.assert_outside_is_unchanged();
}

/// Somebody inside exchanges a directory and a link as fast as they can.
#[test]
fn a_race_is_not_won() {
    let world = World::new();
    fs::create_dir(world.at("/a")).unwrap();
    world.put("/a/secret", "inside");
    symlink(world.outside(), world.at("/b")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (a, b) = (world.at("/a"), world.at("/b"));
            while !done.load(Ordering::Relaxed) {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(CWD, &a, CWD, &b, flags).unwrap();
            }
        });
        let mut inside = 0;
        for _ in 0..5_000 {
            let read = Read { path: path("/a/secret"), from: 0, to: None, version: None };
            if let Ok(mut reader) = world.tree.read(&read) {
                let mut buffer = [0; 64];
                let count = reader.next(&mut buffer).unwrap();
                assert_eq!(&buffer[..count], b"inside");
                inside += 1;
            }
        }
        done.store(true, Ordering::Relaxed);
        assert!(inside > 0, "it was never there");
    });
    world.assert_outside_is_unchanged();
}
