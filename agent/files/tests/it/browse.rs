use std::{
    fs::{self, FileTimes},
    os::unix::fs::symlink,
    time::{Duration, SystemTime},
};

use berth_core::files::{EntryKind, FileFault, Read, Replace};
use berth_files::FORGOTTEN_AFTER;

use crate::world::{World, fault, path, upload};

fn listed(world: &World, at: &str, limit: u32) -> (Vec<String>, bool) {
    let mut listing = world.tree.list(&path(at), limit, SystemTime::now()).unwrap();
    let mut names = Vec::new();
    while let Some(entry) = listing.next_entry().unwrap() {
        names.push(entry.name);
    }
    names.sort();
    (names, listing.has_more().unwrap())
}

#[test]
fn a_directory_and_what_is_in_it() {
    let world = World::new();
    world.put("/home/ann/notes.txt", "hello");
    world.put("/home/ann/日本語.txt", "");
    fs::create_dir(world.at("/home/ann/src")).unwrap();
    symlink("notes.txt", world.at("/home/ann/link")).unwrap();
    let (names, more) = listed(&world, "/home/ann", 100);
    assert_eq!(names, ["link", "notes.txt", "src", "日本語.txt"]);
    assert!(!more);
    assert!(listed(&world, "/home/ann", 3).1);
    assert!(!listed(&world, "/home/ann", 4).1);

    let file = world.tree.stat(&path("/home/ann/notes.txt")).unwrap();
    assert_eq!((file.kind, file.size, file.name.as_str()), (EntryKind::File, 5, "notes.txt"));
    let link = world.tree.stat(&path("/home/ann/link")).unwrap();
    assert_eq!((link.kind, link.target.as_str()), (EntryKind::Link, "notes.txt"));
    assert_eq!(world.tree.stat(&path("/")).unwrap().kind, EntryKind::Directory);
    assert_eq!(
        fault(world.tree.stat(&path("/home/bob"))),
        (FileFault::NotFound, "/home/bob".into())
    );
    let listing = world.tree.list(&path("/home/ann/notes.txt"), 1, SystemTime::now());
    assert_eq!(fault(listing.map(drop)).0, FileFault::NotADirectory);
}

#[test]
fn names_that_are_no_text_are_told() {
    use std::os::unix::ffi::OsStrExt as _;
    let world = World::new();
    // "日本" in Shift-JIS.
    fs::write(world.at("/").join(std::ffi::OsStr::from_bytes(b"\x93\xfa\x96\x7b")), "").unwrap();
    let mut listing = world.tree.list(&path("/"), 10, SystemTime::now()).unwrap();
    let entry = listing.next_entry().unwrap().unwrap();
    assert!(!entry.name_is_exact);
    assert!(entry.name.contains('\u{fffd}'));
}

#[test]
fn versions_differ_with_the_content() {
    let world = World::new();
    world.put("/a", "one");
    let before = world.tree.stat(&path("/a")).unwrap().version;
    assert_eq!(world.tree.stat(&path("/a")).unwrap().version, before);
    let read = |version: &str| Read {
        path: path("/a"),
        from: 1,
        to: None,
        version: Some(version.to_owned()),
    };
    let mut reader = world.tree.read(&read(&before)).unwrap();
    let mut buffer = [0; 16];
    assert_eq!(reader.next(&mut buffer).unwrap(), 2);
    assert_eq!(&buffer[..2], b"ne");
    assert_eq!(reader.digest().0, *blake3::hash(b"ne").as_bytes());
    world.put("/b", "two");
    fs::rename(world.at("/b"), world.at("/a")).unwrap();
    assert_eq!(fault(world.tree.read(&read(&before))).0, FileFault::Changed);
}

#[test]
fn parts_of_a_file() {
    let world = World::new();
    world.put("/a", "0123456789");
    for (from, to, expected) in [
        (0, None, "0123456789"),
        (3, None, "3456789"),
        (3, Some(5), "34"),
        (8, Some(99), "89"),
        (10, None, ""),
        (99, None, ""),
        (5, Some(3), ""),
    ] {
        let mut reader =
            world.tree.read(&Read { path: path("/a"), from, to, version: None }).unwrap();
        let mut read = Vec::new();
        let mut buffer = [0; 4];
        loop {
            match reader.next(&mut buffer).unwrap() {
                0 => break,
                count => read.extend_from_slice(&buffer[..count]),
            }
        }
        assert_eq!(read, expected.as_bytes(), "{from} {to:?}");
    }
}

#[test]
fn a_file_that_shrinks_is_told() {
    let world = World::new();
    world.put("/a", [7; 64]);
    let mut reader =
        world.tree.read(&Read { path: path("/a"), from: 0, to: None, version: None }).unwrap();
    let mut buffer = [0; 16];
    reader.next(&mut buffer).unwrap();
    fs::File::options().write(true).open(world.at("/a")).unwrap().set_len(16).unwrap();
    assert_eq!(fault(reader.next(&mut buffer)).0, FileFault::Changed);
}

#[test]
fn made_moved_and_removed() {
    let world = World::new();
    let tree = &world.tree;
    tree.make_directory(&path("/a/b/c")).unwrap();
    tree.make_directory(&path("/a/b")).unwrap();
    world.put("/a/b/c/file", "x");
    tree.rename(&path("/a/b/c/file"), &path("/a/moved"), Replace::No).unwrap();
    assert_eq!(world.get("/a/moved"), b"x");
    world.put("/a/other", "y");
    let refused = tree.rename(&path("/a/other"), &path("/a/moved"), Replace::No);
    assert_eq!(fault(refused), (FileFault::AlreadyExists, "/a/moved".into()));
    tree.rename(&path("/a/other"), &path("/a/moved"), Replace::Yes).unwrap();
    assert_eq!(world.get("/a/moved"), b"y");
    let inside = tree.rename(&path("/a"), &path("/a/b/a"), Replace::No);
    assert_eq!(fault(inside).0, FileFault::IntoItself);
    let absent = tree.rename(&path("/nothing"), &path("/a/x"), Replace::No);
    assert_eq!(fault(absent), (FileFault::NotFound, "/nothing".into()));
    assert_eq!(fault(tree.make_directory(&path("/a/moved/x"))).0, FileFault::NotADirectory);

    tree.delete(&path("/a")).unwrap();
    assert!(world.names().is_empty());
    assert_eq!(fault(tree.delete(&path("/a"))).0, FileFault::NotFound);
    assert_eq!(fault(tree.delete(&path("/"))).0, FileFault::NotPermitted);
}

#[test]
fn permissions_and_times() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    world.put("/a", "x");
    let moment = berth_core::relay::Moment(1_600_000_000_000_000_000);
    world.tree.set_attributes(&path("/a"), Some(0o6751), Some(moment)).unwrap();
    let entry = world.tree.stat(&path("/a")).unwrap();
    assert_eq!((entry.mode, entry.modified), (0o751, moment));
    // What a link leads to is inside, or is not there.
    std::os::unix::fs::symlink(world.outside().join("secret"), world.at("/link")).unwrap();
    let refused = world.tree.set_attributes(&path("/link"), Some(0o777), None);
    assert_eq!(fault(refused).0, FileFault::NotFound);
    let mode = fs::metadata(world.outside().join("secret")).unwrap().permissions().mode();
    assert_ne!(mode & 0o777, 0o777);
}

#[test]
fn what_was_begun_long_ago_goes_when_its_directory_is_listed() {
    let world = World::new();
    let part = format!("/.berth-{}.part", upload(1).0.as_simple());
    world.put(&part, "half");
    world.put("/.berth-notes.part", "somebody's own");
    assert_eq!(listed(&world, "/", 10).0, [".berth-notes.part"]);
    assert!(world.at(&part).exists(), "begun just now");
    let old = SystemTime::now() - FORGOTTEN_AFTER - Duration::from_secs(60);
    let file = fs::File::options().write(true).open(world.at(&part)).unwrap();
    file.set_times(FileTimes::new().set_modified(old)).unwrap();
    listed(&world, "/", 10);
    assert_eq!(world.names(), [".berth-notes.part"]);
}
