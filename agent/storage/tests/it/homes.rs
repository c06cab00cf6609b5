//! Which directory is the homes', and whose a home is.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
};

use berth_core::{fault::FaultKind, id::VolumeId, storage::Scope};
use berth_storage::{Error, initialize};

use uuid::Uuid;

use crate::world::{World, holder};

#[test]
fn a_home_is_made_once_and_is_its_account_s() {
    let world = World::new();
    let storage = world.start(false);
    let alice = holder("alice", 70_001);
    let path = world.home(&storage, &alice).unwrap();
    assert_eq!(path, world.homes().join("alice"));
    let made = fs::metadata(&path).unwrap();
    assert_eq!((made.uid(), made.gid(), made.mode() & 0o7777), (70_001, 70_001, 0o700));
    fs::write(path.join("thesis"), "x").unwrap();
    world.home(&storage, &alice).unwrap();
    // Also after the agent's restart.
    world.home(&world.start(false), &alice).unwrap();
    assert_eq!(fs::read(path.join("thesis")).unwrap(), b"x");
    let names: Vec<_> =
        fs::read_dir(world.homes()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "the home and the marker: {names:?}");
}

#[test]
fn existing_homes_are_taken_as_they_are_or_not_at_all() {
    let world = World::new();
    let storage = world.start(false);
    let with = |account: &str, uid: u32| {
        let path = world.homes().join(account);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o711)).unwrap();
        chown(&path, Some(uid), Some(100)).unwrap();
        path
    };
    let own = with("bob", 70_002);
    assert_eq!(world.home(&storage, &holder("bob", 70_002)).unwrap(), own);
    let kept = fs::metadata(&own).unwrap();
    assert_eq!((kept.uid(), kept.gid(), kept.mode() & 0o7777), (70_002, 100, 0o711));

    let others = with("carol", 70_009);
    let refused = world.home(&storage, &holder("carol", 70_003)).unwrap_err();
    assert_eq!(refused.to_fault().kind, FaultKind::HomeOwner, "{refused}");
    assert_eq!(fs::metadata(others).unwrap().uid(), 70_009, "nothing was chowned");

    symlink("/etc", world.homes().join("dave")).unwrap();
    fs::write(world.homes().join("erin"), "").unwrap();
    // root's own directory is nobody's home: a share whose server forgot its owners shows such ones.
    fs::create_dir(world.homes().join("frank")).unwrap();
    for account in ["dave", "erin", "frank"] {
        let refused = world.home(&storage, &holder(account, 70_004)).unwrap_err();
        assert!(matches!(refused, Error::Owner { .. }), "{account}: {refused}");
    }
}

#[test]
fn a_store_that_is_gone_is_not_filled_again() {
    let world = World::new();
    let storage = world.start(false);
    let alice = holder("alice", 70_001);
    world.home(&storage, &alice).unwrap();
    let (offered, problem) = storage.survey();
    assert_eq!((offered.homes.unwrap().scope, problem), (Scope::Local, vec![]));

    // As it looks when the disk that was mounted there is not.
    let away = world.folder.path().join("away");
    unmount(&world);
    fs::rename(world.homes(), &away).unwrap();
    for homes_are in ["not there", "empty"] {
        let refused = world.home(&storage, &alice).unwrap_err();
        assert_eq!(refused.to_fault().kind, FaultKind::StorageMissing, "{homes_are}: {refused}");
        let restarted = world.start(false);
        assert!(world.home(&restarted, &alice).is_err(), "{homes_are}, after a restart");
        let (offered, problem) = restarted.survey();
        assert!(offered.homes.is_none());
        assert_eq!(problem[0].kind, FaultKind::StorageMissing);
        if homes_are == "not there" {
            assert!(!world.homes().exists());
            fs::create_dir(world.homes()).unwrap();
        } else {
            assert_eq!(fs::read_dir(world.homes()).unwrap().count(), 0);
        }
    }

    // Another store at the same place is not it either.
    initialize(&world.homes()).unwrap();
    let refused = world.home(&storage, &alice).unwrap_err();
    assert!(refused.to_string().contains("another file system"), "{refused}");

    unmount(&world);
    fs::remove_dir_all(world.homes()).unwrap();
    fs::rename(&away, world.homes()).unwrap();
    world.home(&storage, &alice).unwrap();
}

#[test]
fn a_share_is_set_up_by_somebody_who_knows() {
    let world = World::new();
    fs::create_dir(world.homes()).unwrap();
    let storage = world.start(true);
    let alice = holder("alice", 70_001);
    let refused = world.home(&storage, &alice).unwrap_err();
    assert!(refused.to_string().contains("init-homes"), "{refused}");
    assert_eq!(fs::read_dir(world.homes()).unwrap().count(), 0);

    let id = initialize(&world.homes()).unwrap();
    assert_eq!(initialize(&world.homes()).unwrap(), id, "once");
    world.home(&storage, &alice).unwrap();
    let offered = storage.survey().0.homes.unwrap();
    assert_eq!((offered.id, offered.scope), (id, Scope::Shared));
}

#[test]
fn a_directory_that_others_can_write_in_is_refused() {
    let world = World::new();
    let storage = world.start(false);
    fs::set_permissions(world.homes(), fs::Permissions::from_mode(0o777)).unwrap();
    let refused = world.home(&storage, &holder("alice", 70_001)).unwrap_err();
    assert!(refused.to_string().contains("belong to root"), "{refused}");
}

fn unmount(world: &World) {
    berth_storage::unmount(&world.homes()).unwrap();
    assert!(crate::world::mounts_below(&world.homes()).is_empty());
}

#[test]
fn volumes_are_their_owner_s_and_go_with_everything_in_them() {
    let world = World::new();
    let alice = holder("alice", 70_001);
    let volume = VolumeId::new(Uuid::from_u128(9));
    let local = world.start(false);
    assert_eq!(local.survey().0.volumes.unwrap().scope, Scope::Local);
    let refused = local.volume(volume, Scope::Shared, &alice).unwrap_err();
    assert!(matches!(refused, Error::Missing { .. }), "there is no share: {refused}");
    let made = local.volume(volume, Scope::Local, &alice).unwrap().path;
    assert_eq!(fs::metadata(&made).unwrap().uid(), 70_001);
    fs::create_dir_all(made.join("a/b")).unwrap();
    fs::write(made.join("a/b/c"), "x").unwrap();
    symlink("/etc", made.join("a/link")).unwrap();
    let bob = local.volume(volume, Scope::Local, &holder("bob", 70_002)).unwrap_err();
    assert!(matches!(bob, Error::Owner { .. }), "{bob}");
    local.remove_volume(volume, Scope::Local).unwrap();
    local.remove_volume(volume, Scope::Local).unwrap();
    assert!(!made.exists() && fs::metadata("/etc/passwd").is_ok());

    // Without its store it is not gone, only out of sight.
    let volumes = world.folder.path().join("volumes");
    berth_storage::unmount(&volumes).unwrap();
    fs::rename(&volumes, world.folder.path().join("away")).unwrap();
    let refused = local.remove_volume(volume, Scope::Local).unwrap_err();
    assert_eq!(refused.to_fault().kind, FaultKind::StorageMissing);

    // On a share they are beside the homes, and no account's.
    let share = World::new();
    initialize(&share.homes()).unwrap();
    let shared = share.start(true);
    let made = shared.volume(volume, Scope::Shared, &alice).unwrap();
    assert!(made.path.starts_with(share.homes().join(".volumes")));
    let around = fs::metadata(share.homes().join(".volumes")).unwrap();
    assert_eq!((around.uid(), around.mode() & 0o777), (0, 0o711));
    shared.remove_volume(volume, Scope::Shared).unwrap();
}
