//! Where containers' files are, while they run and while they do not.

use std::{
    fs,
    os::fd::{AsRawFd as _, OwnedFd},
    path::PathBuf,
    time::Duration,
};

use berth_docker::{
    Options,
    files::{Access, Place, PlaceError, User},
};
use berth_reconcile::runtime::Runtime;
use tokio::time::timeout;

use crate::support::{PATIENCE, user, with_bench};

/// A path below the descriptor of a root.
fn at(root: &OwnedFd, path: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{path}", root.as_raw_fd()))
}

fn overlays() -> usize {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    mounts.lines().filter(|line| line.contains(" - overlay ")).count()
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn the_same_files_whether_it_runs_or_not() {
    with_bench(Options::default(), async |bench| {
        let script = "echo inside > /note; exec sleep 1000";
        let id = bench.run(&bench.order(user(), &["sh", "-c", script])).await;
        let docker = bench.docker.clone();
        let running = docker.place(&id, Access::Write).await.unwrap();
        assert_eq!(running.user, User::Ids { uid: 0, gid: 0 });
        let read = async {
            loop {
                match fs::read_to_string(at(&running.root, "note")) {
                    Ok(text) if !text.is_empty() => return text,
                    // Its shell has not come so far.
                    Ok(_) | Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        assert_eq!(timeout(PATIENCE, read).await.unwrap(), "inside\n");
        fs::write(at(&running.root, "from-outside"), "x").unwrap();
        drop(running);

        bench.stop(&id, Duration::ZERO).await.unwrap();
        let before = overlays();
        let Place { root, user, lease } = docker.place(&id, Access::Read).await.unwrap();
        assert_eq!(user, User::Ids { uid: 0, gid: 0 });
        assert_eq!(fs::read_to_string(at(&root, "note")).unwrap(), "inside\n");
        assert_eq!(fs::read_to_string(at(&root, "from-outside")).unwrap(), "x");
        assert!(at(&root, "bin/busybox").exists(), "the image's own files");
        let refused = fs::write(at(&root, "note"), "changed").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
        drop((root, lease));

        let Place { root, lease, .. } = docker.place(&id, Access::Write).await.unwrap();
        fs::write(at(&root, "note"), "changed\n").unwrap();
        fs::remove_file(at(&root, "from-outside")).unwrap();
        drop((root, lease));
        assert_eq!(overlays(), before, "a mount is left");

        bench.start(&id).await.unwrap();
        let running = docker.place(&id, Access::Read).await.unwrap();
        assert!(!at(&running.root, "from-outside").exists());
        drop(running);
        bench.remove(&id).await.unwrap();
        assert!(matches!(docker.place(&id, Access::Read).await, Err(PlaceError::NoSuchContainer)));
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_start_waits_for_whoever_is_in_the_files() {
    with_bench(Options::default(), async |bench| {
        let id = bench.run(&bench.order(user(), &["sleep", "1000"])).await;
        bench.stop(&id, Duration::ZERO).await.unwrap();
        let docker = bench.docker.clone();
        let Place { root, lease, .. } = docker.place(&id, Access::Write).await.unwrap();
        let mut lease = lease.unwrap();
        let (starting, started) = (docker.clone(), id.clone());
        let start = tokio::spawn(async move { starting.start(&started).await });
        timeout(PATIENCE, lease.revoked()).await.expect("whoever is in is told");
        assert!(!start.is_finished(), "and waited for");
        fs::write(at(&root, "last-word"), "x").unwrap();
        drop((root, lease));
        timeout(PATIENCE, start).await.expect("it starts").unwrap().unwrap();
        let running = docker.place(&id, Access::Read).await.unwrap();
        assert!(at(&running.root, "last-word").exists());
        bench.remove(&id).await.unwrap();
    });
}
