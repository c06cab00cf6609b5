use std::{fs, io::Read as _, os::unix::fs::symlink, process::Command};

use berth_core::files::{Archive, FileFault, Replace};
use berth_files::Limits;

use crate::world::{World, fault, path, upload};

fn sample(world: &World) {
    world.put("/project/main.rs", "fn main() {}");
    world.put("/project/日本語/とても長い名前のファイル.txt", "text");
    world.put(&format!("/project/{}/deep", "long-name-".repeat(20)), "deep");
    world.put("/project/empty", "");
    symlink("main.rs", world.at("/project/link")).unwrap();
    fs::create_dir(world.at("/project/nothing")).unwrap();
    // Half of an upload is nobody's file yet.
    world.put(&format!("/project/.berth-{}.part", upload(9).0.as_simple()), "half");
}

#[test]
fn a_tar_there_and_back() {
    let world = World::new();
    sample(&world);
    let mut packed = Vec::new();
    world.tree.pack(&path("/project"), Archive::Tar, &mut packed).unwrap();
    let other = World::new();
    let laid = other
        .tree
        .unpack(&path("/"), Replace::No, upload(1), Limits::default(), &packed[..])
        .unwrap();
    assert_eq!(laid.bytes, 12 + 4 + 4);
    let expected: Vec<String> =
        world.names().into_iter().filter(|name| !name.ends_with(".part")).collect();
    assert_eq!(other.names(), expected);
    assert_eq!(other.get("/project/main.rs"), b"fn main() {}");
    assert_eq!(fs::read_link(other.at("/project/link")).unwrap().to_str(), Some("main.rs"));
    let times = |world: &World| {
        fs::metadata(world.at("/project/main.rs"))
            .unwrap()
            .modified()
            .unwrap()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    assert_eq!(times(&world), times(&other));
}

#[test]
fn tar_itself_reads_it() {
    let world = World::new();
    sample(&world);
    let file = world.outside().parent().unwrap().join("packed.tar");
    world.tree.pack(&path("/project"), Archive::Tar, fs::File::create(&file).unwrap()).unwrap();
    let listed = Command::new("tar").arg("--list").arg("--file").arg(&file).output().unwrap();
    assert!(listed.status.success());
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.lines().any(|line| line == "project/main.rs"), "{listed}");
    assert!(listed.lines().all(|line| line.starts_with("project/")), "{listed}");
}

#[test]
fn a_zip_has_everything() {
    let world = World::new();
    sample(&world);
    let mut packed = Vec::new();
    world.tree.pack(&path("/project"), Archive::Zip, &mut packed).unwrap();
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(packed)).unwrap();
    let mut text = String::new();
    zip.by_name("project/日本語/とても長い名前のファイル.txt")
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "text");
    assert!(zip.file_names().any(|name| name.unwrap() == "project/nothing/"));
    assert!(!zip.file_names().any(|name| name.unwrap().ends_with(".part")));
}

#[test]
fn one_file_and_the_root() {
    let world = World::new();
    world.put("/a", "1");
    world.put("/b/c", "2");
    let names = |at: &str| {
        let mut packed = Vec::new();
        world.tree.pack(&path(at), Archive::Tar, &mut packed).unwrap();
        let mut names: Vec<String> = tar::Archive::new(&packed[..])
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("/a"), ["a"]);
    assert_eq!(names("/"), ["a", "b/", "b/c"]);
    let absent = world.tree.pack(&path("/x"), Archive::Tar, std::io::sink());
    assert_eq!(fault(absent).0, FileFault::NotFound);
}
