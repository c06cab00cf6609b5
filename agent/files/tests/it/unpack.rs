//! Archives that mean harm (bad inputs, group B8): each is refused with the entry's name, and leaves nothing.

use std::{fs, io::Read, os::unix::fs::symlink};

use berth_core::files::{FileFault, Refused, Replace};
use berth_files::{Laid, Limits};
use tar::{Builder, EntryType, Header};

use crate::world::{World, fault, path, upload};

struct Evil(Builder<Vec<u8>>);

impl Evil {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.entry(name, EntryType::Regular, 0o644, "", content)
    }

    /// With a name that the builder itself would refuse.
    fn entry(mut self, name: &str, kind: EntryType, mode: u32, link: &str, content: &str) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.name[..name.len()].copy_from_slice(name.as_bytes());
        gnu.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, content.as_bytes()).unwrap();
        self
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn unpack(world: &World, replace: Replace, bytes: impl Read) -> Result<Laid, berth_files::Error> {
    world.tree.unpack(&path("/"), replace, upload(1), Limits { entries: 100 }, bytes)
}

#[test]
fn what_is_refused_leaves_nothing() {
    let regular = EntryType::Regular;
    let cases: Vec<(Evil, Refused, &str)> = vec![
        (Evil::new().file("../x", "y"), Refused::Name, "../x"),
        (Evil::new().file("a/../../x", "y"), Refused::Name, "a/../../x"),
        (Evil::new().file("a/../x", "y"), Refused::Name, "a/../x"),
        (Evil::new().file("/etc/passwd", "y"), Refused::Name, "/etc/passwd"),
        (Evil::new().file(".", "y"), Refused::Name, "."),
        (
            Evil::new().entry("l", EntryType::Symlink, 0o777, "/etc", "").file("l/x", "y"),
            Refused::Link,
            "l",
        ),
        (
            Evil::new().entry("a/l", EntryType::Symlink, 0o777, "../../etc", ""),
            Refused::Link,
            "a/l",
        ),
        (
            // Inside, but still not a place to write through.
            Evil::new().entry("l", EntryType::Symlink, 0o777, "d", "").file("l/x", "y"),
            Refused::ThroughLink,
            "l/x",
        ),
        (Evil::new().file("f", "y").file("f/x", "y"), Refused::ThroughLink, "f/x"),
        (Evil::new().entry("h", EntryType::Link, 0o644, "/etc/shadow", ""), Refused::Link, "h"),
        (Evil::new().entry("d", EntryType::Char, 0o666, "", ""), Refused::Device, "d"),
        (Evil::new().entry("d", EntryType::Block, 0o666, "", ""), Refused::Device, "d"),
        (Evil::new().entry("p", EntryType::Fifo, 0o666, "", ""), Refused::Device, "p"),
        (Evil::new().entry("s", regular, 0o4755, "", "y"), Refused::Setuid, "s"),
        (Evil::new().entry("s", regular, 0o2755, "", "y"), Refused::Setuid, "s"),
        (Evil::new().file("a", "1").file("a", "2"), Refused::Duplicate, "a"),
        (Evil::new().file("a", "1").file("./a", "2"), Refused::Duplicate, "./a"),
    ];
    for (evil, refused, name) in cases {
        let world = World::new();
        // What was good before it goes as well.
        let bytes = Evil(evil.0).bytes();
        let (fault, subject) = fault(unpack(&world, Replace::Yes, &bytes[..]));
        let at = name.trim_start_matches("./");
        assert_eq!(fault, FileFault::Refused(refused), "{name}");
        assert!(subject == name || subject == at, "{subject} for {name}");
        assert!(world.names().is_empty(), "{name} leaves {:?}", world.names());
        world.assert_outside_is_unchanged();
    }
}

/// A terabyte that takes a few hundred bytes, in each form that GNU's tar has for it.
#[test]
fn holes() {
    for format in ["gnu", "posix", "oldgnu"] {
        let world = World::new();
        let folder = world.outside().parent().unwrap().to_owned();
        let file = fs::File::create(folder.join("sparse")).unwrap();
        file.set_len(1 << 40).unwrap();
        let packed = std::process::Command::new("tar")
            .args(["--create", "--sparse", "--format", format, "--directory"])
            .arg(&folder)
            .args(["--file", "-", "sparse"])
            .output()
            .unwrap();
        assert!(packed.status.success());
        assert!(packed.stdout.len() < 1 << 20);
        let refused = unpack(&world, Replace::No, &packed.stdout[..]);
        assert_eq!(fault(refused).0, FileFault::Refused(Refused::Sparse), "{format}");
        assert!(world.names().is_empty());
    }
}

#[test]
fn too_many() {
    let world = World::new();
    let mut evil = Evil::new();
    for number in 0..101 {
        evil = evil.file(&format!("f{number}"), "");
    }
    let refused = unpack(&world, Replace::No, &evil.bytes()[..]);
    assert_eq!(fault(refused), (FileFault::Refused(Refused::TooManyEntries), "f100".to_owned()));
    assert!(world.names().is_empty());
}

#[test]
fn a_size_that_is_a_lie() {
    let world = World::new();
    // A terabyte of which three bytes come.
    let mut header = Header::new_gnu();
    header.set_path("bomb").unwrap();
    header.set_mode(0o644);
    header.set_size(1 << 50);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(b"abc");
    let refused = unpack(&world, Replace::No, &bytes[..]);
    assert_eq!(fault(refused), (FileFault::NoSpace, "bomb".to_owned()));
    // And one that ends too early.
    let whole = Evil::new().file("a", &"x".repeat(2000)).bytes();
    for length in [700, 1024, 2047] {
        let refused = unpack(&world, Replace::No, &whole[..length]);
        assert_eq!(fault(refused).0, FileFault::Refused(Refused::Broken), "{length}");
    }
    assert_eq!(
        fault(unpack(&world, Replace::No, &b"this is no tar, but long enough ".repeat(40)[..])).0,
        FileFault::Refused(Refused::Broken)
    );
    assert!(world.names().is_empty());
}

#[test]
fn a_connection_that_breaks_leaves_nothing() {
    struct Breaks<R>(R);
    impl<R: Read> Read for Breaks<R> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(std::io::ErrorKind::ConnectionReset.into()),
                read => Ok(read),
            }
        }
    }
    let world = World::new();
    let whole = Evil::new().file("a", "1").file("b", "2").bytes();
    // Between two entries, where a tar could as well be at its end.
    let refused = unpack(&world, Replace::No, Breaks(&whole[..1024]));
    assert_eq!(fault(refused).0, FileFault::Refused(Refused::Broken));
    assert!(world.names().is_empty());
}

#[test]
fn laid_over_what_is_there() {
    let world = World::new();
    world.put("/project/kept", "kept");
    world.put("/project/main", "old");
    let tar = || {
        Evil::new()
            .entry("project/", EntryType::Directory, 0o755, "", "")
            .file("project/main", "new")
            .file("project/src/lib", "lib")
            .entry("project/link", EntryType::Symlink, 0o777, "src/lib", "")
            .bytes()
    };
    let refused = unpack(&world, Replace::No, &tar()[..]);
    assert_eq!(fault(refused), (FileFault::AlreadyExists, "project/main".to_owned()));
    assert_eq!(world.get("/project/main"), b"old");
    let before = world.names();
    assert_eq!(before, ["project", "project/kept", "project/main"]);
    let laid = unpack(&world, Replace::Yes, &tar()[..]).unwrap();
    assert_eq!(laid, Laid { entries: 4, bytes: 6 });
    assert_eq!(world.get("/project/main"), b"new");
    assert_eq!(world.get("/project/kept"), b"kept");
    assert_eq!(world.get("/project/link"), b"lib");
}

#[test]
fn a_directory_is_not_exchanged_for_a_file() {
    let world = World::new();
    world.put("/a/file", "1");
    world.put("/b", "2");
    let file_for_directory = Evil::new().file("new", "").file("a", "x").bytes();
    let refused = unpack(&world, Replace::Yes, &file_for_directory[..]);
    assert_eq!(fault(refused), (FileFault::IsADirectory, "a".to_owned()));
    let directory_for_file = Evil::new().file("b/x", "x").bytes();
    let refused = unpack(&world, Replace::Yes, &directory_for_file[..]);
    assert_eq!(fault(refused), (FileFault::NotADirectory, "b".to_owned()));
    assert_eq!(world.names(), ["a", "a/file", "b"]);
}

#[test]
fn links_that_were_there_are_not_followed() {
    let world = World::new();
    symlink(world.outside(), world.at("/project")).unwrap();
    let tar = Evil::new().file("project/secret", "overwritten").bytes();
    // A directory in the archive, a link in its place.
    let refused = unpack(&world, Replace::Yes, &tar[..]);
    assert_eq!(fault(refused), (FileFault::NotADirectory, "project".to_owned()));
    world.assert_outside_is_unchanged();
}

#[test]
fn permissions_are_cut() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let tar = Evil::new()
        .entry("d/", EntryType::Directory, 0o3777, "", "")
        .entry("d/f", EntryType::Regular, 0o777, "", "x")
        .entry("d/private", EntryType::Regular, 0o600, "", "x")
        .bytes();
    unpack(&world, Replace::No, &tar[..]).unwrap();
    let mode = |at: &str| fs::metadata(world.at(at)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("/d"), mode("/d/f"), mode("/d/private")), (0o755, 0o755, 0o600));
}
