//! Homes for images that run as root, and the lists of accounts for those that do not.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
};

use berth_core::storage::{HomeMount, Mapping, RunAs};
use berth_storage::{Access, Ids, Image, ImageAccounts};

use crate::world::{World, belongings, holder, key, mounts_below};

#[test]
fn root_inside_is_the_account_on_disk() {
    let world = World::new();
    let storage = world.start(false);
    assert_eq!(
        storage.survey().0.mapping,
        Mapping::Supported,
        "kernels since 5.12 on ext4 and xfs"
    );
    let wanted = belongings(&holder("alice", 70_001), RunAs::Image, HomeMount::Mapped);
    let mounts = storage.prepare(key(1), &wanted, &Image::default()).unwrap();
    let [home] = &mounts[..] else { panic!("{mounts:?}") };
    assert_eq!((home.target.as_str(), home.access), ("/home/alice", Access::ReadWrite));

    assert_eq!(fs::metadata(&home.source).unwrap().uid(), 0, "inside it is root's");
    fs::write(home.source.join("made"), "x").unwrap();
    let on_disk = world.homes().join("alice/made");
    assert_eq!(fs::metadata(&on_disk).unwrap().uid(), 70_001, "on disk it is the account's");
    assert_eq!(fs::metadata(&on_disk).unwrap().gid(), 70_001);
    // No other number can be made there, so nothing on disk ever belongs to root or to somebody else.
    assert!(chown(home.source.join("made"), Some(33), None).is_err());
    assert_eq!(fs::metadata(&on_disk).unwrap().uid(), 70_001);

    // Again, after a reboot too: the kernel's part is made anew.
    storage.renew(key(1)).unwrap();
    rustix::mount::unmount(&home.source, rustix::mount::UnmountFlags::empty()).unwrap();
    assert!(!home.source.join("made").exists());
    world.start(false).renew(key(1)).unwrap();
    assert!(home.source.join("made").exists());

    assert_eq!(storage.keys().unwrap(), [key(1)]);
    storage.release(key(1)).unwrap();
    storage.release(key(1)).unwrap();
    assert!(storage.keys().unwrap().is_empty());
    assert!(on_disk.exists(), "the home stays");
    assert!(mounts_below(&world.folder.path().join("run")).is_empty());
}

#[test]
fn users_of_images_that_are_not_root() {
    let world = World::new();
    let storage = world.start(false);
    let wanted = belongings(&holder("alice", 70_001), RunAs::Image, HomeMount::Mapped);
    let image = Image { user: Ids { uid: 1000, gid: 100 }, ..Image::default() };
    let mounts = storage.prepare(key(1), &wanted, &image).unwrap();
    let inside = fs::metadata(&mounts[0].source).unwrap();
    assert_eq!((inside.uid(), inside.gid()), (1000, 100));
    storage.release(key(1)).unwrap();
}

#[test]
fn accounts_have_a_line() {
    let world = World::new();
    let storage = world.start(false);
    let wanted = belongings(&holder("alice", 70_001), RunAs::Account, HomeMount::Plain);
    let accounts =
        ImageAccounts { passwd: "root:x:0:0::/root:/bin/sh\n".into(), group: String::new() };
    let image = Image { accounts, ..Image::default() };
    let mounts = storage.prepare(key(1), &wanted, &image).unwrap();
    let targets: Vec<_> =
        mounts.iter().map(|mount| (mount.target.as_str(), mount.access)).collect();
    assert_eq!(
        targets,
        [
            ("/etc/passwd", Access::ReadOnly),
            ("/etc/group", Access::ReadOnly),
            ("/home/alice", Access::ReadWrite)
        ]
    );
    let passwd = fs::read_to_string(&mounts[0].source).unwrap();
    assert!(passwd.ends_with("alice:x:70001:70001:alice:/home/alice:/bin/sh\n"), "{passwd}");
    assert_eq!(fs::metadata(&mounts[0].source).unwrap().mode() & 0o777, 0o644);
    assert_eq!(mounts[2].source, world.homes().join("alice"));
    storage.release(key(1)).unwrap();
    assert!(!mounts[0].source.exists());

    // Without homes it still has a name.
    let wanted = belongings(&holder("alice", 70_001), RunAs::Account, HomeMount::None);
    let mounts = storage.prepare(key(2), &wanted, &image).unwrap();
    assert_eq!(mounts.len(), 2);
    storage.release(key(2)).unwrap();
}
