//! Whose a container's data is, inside and on the blade's disk.

use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf};

use berth_core::{
    account::AccountName,
    desired::{Belongings, EngineVolume},
    fault::FaultKind,
    id::{NodeId, VolumeId},
    storage::{Holder, HomeMount, Posix, RunAs, Scope},
    volume::Access,
};
use berth_docker::Options;
use berth_reconcile::runtime::{CreateOrder, EngineId, EngineState, Error, Runtime};
use berth_storage::{Image, Key, Storage};

use uuid::Uuid;

use crate::support::{Bench, fresh, user, with_bench};

const UID: u32 = 1_965_757_372;

fn with_home(bench: &Bench, run_as: RunAs, home: HomeMount, command: &[&str]) -> CreateOrder {
    let mut order = bench.order(user(), command);
    let holder = Holder {
        account: AccountName::parse("alice").unwrap(),
        posix: Posix::own_group(UID).unwrap(),
    };
    order.spec.belongings = Some(Belongings { holder, run_as, home, volumes: vec![] });
    order
}

fn home(bench: &Bench) -> PathBuf {
    bench.folder.join("homes/alice")
}

fn owner(path: PathBuf) -> (u32, u32) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.uid(), found.gid())
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_program_is_its_owner_s_account() {
    with_bench(Options::default(), async |bench| {
        let account =
            |command: &[&str]| with_home(&bench, RunAs::Account, HomeMount::Plain, command);
        let script = "echo mine > /home/alice/thesis; exec sleep 100";
        let first = account(&["sh", "-c", script]);
        let id = bench.run(&first).await;
        assert_eq!(bench.exec(&id, "id -u").0, UID.to_string());
        assert_eq!(
            bench.exec(&id, "id -un; id -gn; echo $HOME; pwd").0,
            "alice\nalice\n/home/alice\n/home/alice"
        );
        assert_ne!(bench.exec(&id, "echo x > /etc/x").1, 0, "nobody else's files");
        assert_ne!(bench.exec(&id, "echo x >> /etc/passwd").1, 0);
        let flags = bench.exec(&id, "grep ' /home/alice ' /proc/mounts").0;
        assert!(flags.contains("nosuid") && flags.contains("nodev"), "{flags}");
        // Two at a time see the same.
        let second = account(&["sleep", "100"]);
        let other = bench.run(&second).await;
        assert_eq!(bench.exec(&other, "cat thesis").0, "mine");
        bench.remove(&id).await.unwrap();
        bench.remove(&other).await.unwrap();
        // It outlives them, and is the account's.
        assert_eq!(fs::read_to_string(home(&bench).join("thesis")).unwrap(), "mine\n");
        assert_eq!(owner(home(&bench).join("thesis")), (UID, UID));
        assert_eq!(owner(home(&bench)), (UID, UID));
        assert_eq!(bench.storage().keys().unwrap(), [], "nothing is kept of those that are gone");
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn root_inside_is_the_account_on_disk() {
    with_bench(Options::default(), async |bench| {
        let order = with_home(
            &bench,
            RunAs::Image,
            HomeMount::Mapped,
            &[
                "sh",
                "-c",
                "echo x > /home/alice/by-root; cp /bin/busybox /home/alice/su; chmod 4755 /home/alice/su; exec sleep 100",
            ],
        );
        let id = bench.run(&order).await;
        assert_eq!(bench.exec(&id, "id -u; stat -c %u /home/alice/by-root").0, "0\n0");
        assert_ne!(bench.exec(&id, "chown 33 /home/alice/by-root").1, 0, "no other number");
        for file in ["by-root", "su"] {
            assert_eq!(owner(home(&bench).join(file)), (UID, UID), "{file}");
        }
        // A start after a reboot, which takes all mounts.
        bench.stop(&id, std::time::Duration::ZERO).await.unwrap();
        let mounted = bench.folder.join("run").join(format!("{}.1/home", order.container));
        assert!(mounted.join("su").exists());
        rustix::mount::unmount(&mounted, rustix::mount::UnmountFlags::DETACH).unwrap();
        bench.start(&id).await.unwrap();
        assert_eq!(bench.exec(&id, "cat /home/alice/by-root").0, "x");
        bench.remove(&id).await.unwrap();
        assert!(!mounted.exists());
        assert!(home(&bench).join("su").exists(), "the home stays");
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn nothing_starts_without_its_home() {
    with_bench(Options::default(), async |bench| {
        let order = with_home(&bench, RunAs::Account, HomeMount::Plain, &["sleep", "100"]);
        let id = bench.run(&order).await;
        bench.stop(&id, std::time::Duration::ZERO).await.unwrap();
        let (homes, away) = (bench.folder.join("homes"), bench.folder.join("away"));
        berth_storage::unmount(&homes).unwrap();
        fs::rename(&homes, &away).unwrap();
        fs::create_dir_all(homes.join("alice")).unwrap();
        let refused = bench.start(&id).await.unwrap_err();
        assert_eq!(refused.to_fault().kind, FaultKind::StorageMissing, "{refused}");
        let other = with_home(&bench, RunAs::Account, HomeMount::Plain, &["sleep", "100"]);
        let refused = bench.create(&other).await.unwrap_err();
        assert_eq!(refused.to_fault().kind, FaultKind::StorageMissing, "{refused}");
        assert!(refused.to_fault().kind.is_retryable());

        fs::remove_dir_all(&homes).unwrap();
        fs::rename(&away, &homes).unwrap();
        bench.start(&id).await.unwrap();
        let found = bench.inspect(&id).await.unwrap().unwrap();
        assert!(matches!(found.state, EngineState::Running { .. }));
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn leftovers_are_released_and_nothing_else() {
    with_bench(Options::default(), async |bench| {
        let order = with_home(&bench, RunAs::Image, HomeMount::Mapped, &["sleep", "100"]);
        let id = bench.run(&order).await;
        // As an agent leaves it that was killed between making ready and the engine's answer.
        let lost = Key { container: order.container, incarnation: 9 };
        let belongings = order.spec.belongings.clone().unwrap();
        bench.storage().prepare(lost, &belongings, &Image::default()).unwrap();
        let kept = Key { container: order.container, incarnation: 1 };
        assert_eq!(bench.storage().keys().unwrap(), [kept, lost]);
        bench.list().await.unwrap();
        assert_eq!(bench.storage().keys().unwrap(), [kept]);
        assert_eq!(bench.exec(&id, "ls -d /home/alice").0, "/home/alice");
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn images_that_are_not_there_are_told_of_as_such() {
    with_bench(Options::default(), async |bench| {
        let mut order = with_home(&bench, RunAs::Account, HomeMount::Plain, &["true"]);
        order.spec.image = berth_core::image::ImageRef::parse("nowhere/none:1").unwrap();
        let refused: Result<EngineId, Error> = bench.create(&order).await;
        assert_eq!(refused, Err(Error::ImageMissing));
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn one_home_on_two_blades() {
    with_bench(Options::default(), async |bench| {
        let share = bench.folder.join("share");
        berth_storage::initialize(&share).unwrap();
        let blade = async |name: &str| {
            let data = bench.folder.join(name);
            fs::create_dir(&data).unwrap();
            let options = berth_storage::Options {
                homes: Some(share.clone()),
                shared: true,
                volumes: None,
                ..Default::default()
            };
            let storage = Storage::start(&options, &data, data.join("run")).unwrap();
            let node = NodeId::new(fresh());
            let options = bench.options.clone();
            let docker =
                berth_docker::connect(options, storage, bench.identity.cluster, node).await;
            (node, docker.unwrap())
        };
        let (first, second) = (blade("first").await, blade("second").await);
        assert_eq!(first.1.storage().survey().0.homes, second.1.storage().survey().0.homes);

        let start = async |docker: &berth_docker::Docker, order: &CreateOrder| {
            docker.create_network(order.spec.user).await.unwrap();
            let id = docker.create(order).await.unwrap();
            docker.start(&id).await.unwrap();
            id
        };
        let order = with_home(&bench, RunAs::Account, HomeMount::Plain, &["sleep", "100"]);
        let here = start(&first.1, &order).await;
        let order = with_home(&bench, RunAs::Image, HomeMount::Mapped, &["sleep", "100"]);
        let there = start(&second.1, &order).await;
        assert_eq!(bench.exec(&here, "echo seen > ~/note").1, 0);
        assert_eq!(
            bench.exec(&there, "cat /home/alice/note; echo back > /home/alice/note").0,
            "seen"
        );
        assert_eq!(bench.exec(&here, "cat ~/note; stat -c %u ~/note").0, format!("back\n{UID}"));
        for (node, _) in [first, second] {
            berth_docker::cleanup(&bench.options, bench.identity.cluster, node).await.unwrap();
        }
        assert_eq!(owner(share.join("alice/note")), (UID, UID));
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn volumes_where_their_owner_wants_them() {
    with_bench(Options::default(), async |bench| {
        let volume = |number: u128, path: &str, access| EngineVolume {
            id: VolumeId::new(Uuid::from_u128(number)),
            scope: Scope::Local,
            path: path.to_owned(),
            access,
        };
        let with = |run_as, home, volumes| {
            let mut order = with_home(&bench, run_as, home, &["sleep", "100"]);
            order.spec.belongings.as_mut().unwrap().volumes = volumes;
            order
        };
        // In the home, outside of it, and one that may only be read.
        let writer = with(
            RunAs::Account,
            HomeMount::Plain,
            vec![
                volume(1, "/home/alice/data", Access::ReadWrite),
                volume(2, "/srv/deep/down", Access::ReadWrite),
            ],
        );
        let id = bench.run(&writer).await;
        assert_eq!(bench.exec(&id, "echo 1 > data/a && echo 2 > /srv/deep/down/b").1, 0);
        let reader = with(
            RunAs::Image,
            HomeMount::Mapped,
            vec![volume(1, "/one", Access::ReadOnly), volume(2, "/two", Access::ReadWrite)],
        );
        let other = bench.run(&reader).await;
        assert_eq!(
            bench.exec(&other, "id -u; cat /one/a /two/b; stat -c %u /two/b").0,
            "0\n1\n2\n0"
        );
        assert_ne!(bench.exec(&other, "echo x > /one/a").1, 0, "read only");
        assert_eq!(bench.exec(&other, "echo 3 > /two/c").1, 0);
        bench.remove(&id).await.unwrap();
        bench.remove(&other).await.unwrap();
        let at =
            |number: u128| bench.folder.join("volumes").join(Uuid::from_u128(number).to_string());
        assert_eq!(owner(at(2).join("c")), (UID, UID), "on disk all is the account's");
        assert_eq!(fs::read_dir(home(&bench).join("data")).unwrap().count(), 0, "not in the home");
        assert_eq!(bench.storage().keys().unwrap(), []);
    });
}
