use std::{fs, os::unix::fs::PermissionsExt as _};

use berth_core::{
    files::{Blake3, FileFault, Replace, Write},
    relay::Moment,
};
use berth_files::{Progress, Tree};
use proptest::prelude::*;

use crate::world::{World, fault, path, upload};

fn digest(content: &[u8]) -> Blake3 {
    Blake3(*blake3::hash(content).as_bytes())
}

fn write(at: &str, content: &[u8]) -> Write {
    Write {
        path: path(at),
        upload: upload(1),
        size: Some(content.len() as u64),
        mode: None,
        modified: None,
        replace: Replace::No,
    }
}

fn whole(tree: &Tree, write: &Write, content: &[u8]) -> Result<(), berth_files::Error> {
    let mut writer = tree.write(write, None)?;
    writer.write(content)?;
    writer.finish(digest(content)).map(drop)
}

#[test]
fn a_file_appears_whole() {
    let world = World::new();
    let content = b"hello, blade";
    let modified = Moment(1_700_000_000_123_456_789);
    let wanted = Write { mode: Some(0o6755), modified: Some(modified), ..write("/hello", content) };
    let mut writer = world.tree.write(&wanted, None).unwrap();
    writer.write(&content[..5]).unwrap();
    assert!(!world.at("/hello").exists());
    writer.write(&content[5..]).unwrap();
    let entry = writer.finish(digest(content)).unwrap();
    assert_eq!(world.get("/hello"), content);
    assert_eq!(world.names(), ["hello"]);
    assert_eq!((entry.size, entry.modified), (12, modified));
    assert_eq!(entry.mode, 0o755, "nobody becomes somebody else by it");
}

#[test]
fn what_is_there_is_kept_until_it_is_replaced() {
    let world = World::new();
    world.put("/a", "old");
    fs::set_permissions(world.at("/a"), fs::Permissions::from_mode(0o640)).unwrap();
    let refused = world.tree.write(&write("/a", b"new"), None).map(drop);
    assert_eq!(fault(refused), (FileFault::AlreadyExists, "/a".into()));
    let wanted = Write { replace: Replace::Yes, ..write("/a", b"new") };
    let mut writer = world.tree.write(&wanted, None).unwrap();
    writer.write(b"ne").unwrap();
    assert_eq!(world.get("/a"), b"old");
    writer.write(b"w").unwrap();
    writer.finish(digest(b"new")).unwrap();
    assert_eq!(world.get("/a"), b"new");
    assert_eq!(fs::metadata(world.at("/a")).unwrap().permissions().mode() & 0o777, 0o640);
    // Somebody else was faster.
    let mut writer = world.tree.write(&write("/b", b"mine"), None).unwrap();
    writer.write(b"mine").unwrap();
    world.put("/b", "theirs");
    assert_eq!(fault(writer.finish(digest(b"mine"))).0, FileFault::AlreadyExists);
    assert_eq!(world.get("/b"), b"theirs");
    assert_eq!(world.names(), ["a", "b"]);
}

#[test]
fn a_broken_one_goes_on() {
    let world = World::new();
    let content: Vec<u8> = (0..=255).cycle().take(700_000).collect();
    let wanted = write("/big", &content);
    let mut kept: Option<Progress> = None;
    for (index, end) in [100_000, 100_000, 350_001].into_iter().enumerate() {
        let mut writer = world.tree.write(&wanted, kept.take()).unwrap();
        let from = usize::try_from(writer.position()).unwrap();
        writer.write(&content[from..end]).unwrap();
        // With what the agent still knows, and without: it was killed.
        kept = Some(writer.keep().unwrap()).filter(|_| index % 2 == 0);
    }
    let mut writer = world.tree.write(&wanted, kept).unwrap();
    assert_eq!(writer.position(), 350_001);
    writer.write(&content[350_001..]).unwrap();
    writer.finish(digest(&content)).unwrap();
    assert!(world.get("/big") == content);
    assert_eq!(world.names(), ["big"]);
}

#[test]
fn resumed_with_other_content() {
    let world = World::new();
    let mut writer = world.tree.write(&write("/a", b"first content"), None).unwrap();
    writer.write(b"first").unwrap();
    drop(writer);
    let mut writer = world.tree.write(&write("/a", b"other content"), None).unwrap();
    assert_eq!(writer.position(), 5);
    writer.write(b" content").unwrap();
    assert_eq!(fault(writer.finish(digest(b"other content"))).0, FileFault::WrongDigest);
    assert!(world.names().is_empty());
    // And the next attempt is a new one.
    whole(&world.tree, &write("/a", b"other content"), b"other content").unwrap();
}

#[test]
fn resumed_with_a_smaller_one() {
    let world = World::new();
    let mut writer = world.tree.write(&write("/a", b"a long content"), None).unwrap();
    writer.write(b"a long").unwrap();
    drop(writer);
    whole(&world.tree, &write("/a", b"abc"), b"abc").unwrap();
    assert_eq!(world.get("/a"), b"abc");
}

#[test]
fn wrong_sizes() {
    let world = World::new();
    let mut writer = world.tree.write(&write("/a", b"four"), None).unwrap();
    assert_eq!(fault(writer.write(b"fifty")).0, FileFault::WrongSize);
    drop(writer);
    assert!(world.names().is_empty());
    let mut writer = world.tree.write(&write("/a", b"four"), None).unwrap();
    writer.write(b"fou").unwrap();
    assert_eq!(fault(writer.finish(digest(b"fou"))).0, FileFault::WrongSize);
    assert!(world.names().is_empty());
}

#[test]
fn one_of_which_nobody_knew_how_large_it_is() {
    let world = World::new();
    let wanted = Write { size: None, ..write("/a", b"") };
    let mut writer = world.tree.write(&wanted, None).unwrap();
    for part in [&b"it "[..], b"goes ", b"on"] {
        writer.write(part).unwrap();
    }
    writer.finish(digest(b"it goes on")).unwrap();
    assert_eq!(world.get("/a"), b"it goes on");
}

#[test]
fn more_than_there_is_room_for_is_refused_before_the_first_byte() {
    let world = World::new();
    let wanted = Write { size: Some(u64::MAX / 2), ..write("/a", b"") };
    assert_eq!(fault(world.tree.write(&wanted, None)), (FileFault::NoSpace, "/a".into()));
    assert!(world.names().is_empty());
}

#[test]
fn one_at_a_time() {
    let world = World::new();
    let first = world.tree.write(&write("/a", b"xx"), None).unwrap();
    assert_eq!(fault(world.tree.write(&write("/a", b"xx"), None)).0, FileFault::Busy);
    drop(first);
    world.tree.write(&write("/a", b"xx"), None).unwrap();
    world.tree.discard(&path("/a"), upload(1)).unwrap();
    world.tree.discard(&path("/a"), upload(1)).unwrap();
    assert!(world.names().is_empty());
}

#[test]
fn places_where_no_file_can_be() {
    let world = World::new();
    world.put("/file", "");
    fs::create_dir(world.at("/directory")).unwrap();
    for (at, expected) in [
        ("/file/below", FileFault::NotADirectory),
        ("/absent/below", FileFault::NotFound),
        ("/directory", FileFault::IsADirectory),
        ("/", FileFault::NotPermitted),
    ] {
        assert_eq!(fault(world.tree.write(&write(at, b"x"), None)).0, expected, "{at}");
    }
    assert_eq!(world.names(), ["directory", "file"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// However it is cut, and whatever is remembered: the bytes are those that were sent.
    #[test]
    fn cut_anywhere(
        content in proptest::collection::vec(any::<u8>(), 0..5000),
        cuts in proptest::collection::vec((0..5000_usize, any::<bool>()), 0..6),
    ) {
        let world = World::new();
        let wanted = write("/a", &content);
        let mut kept = None;
        for (length, remembered) in cuts {
            let mut writer = world.tree.write(&wanted, kept.take()).unwrap();
            let from = usize::try_from(writer.position()).unwrap();
            let to = (from + length).min(content.len());
            writer.write(&content[from..to]).unwrap();
            kept = remembered.then(|| writer.keep().unwrap());
        }
        let mut writer = world.tree.write(&wanted, kept).unwrap();
        let from = usize::try_from(writer.position()).unwrap();
        writer.write(&content[from..]).unwrap();
        writer.finish(digest(&content)).unwrap();
        prop_assert_eq!(world.get("/a"), content);
        prop_assert_eq!(world.names(), ["a"]);
    }
}
