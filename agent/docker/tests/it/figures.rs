//! What containers use, beside what they do.

use std::{collections::BTreeMap, process::Command, thread::JoinHandle, time::Duration};

use berth_core::{figures::Figures, id::ContainerId};
use berth_docker::Options;
use berth_metrics::{Machine, Sampler, Target};
use berth_reconcile::runtime::{EngineId, Runtime};
use tokio::time::{Instant, sleep};

use crate::support::{Bench, PATIENCE, user, with_bench};

const MIB: u64 = 1 << 20;
/// Rates need time; it is what they are made of.
const BETWEEN: Duration = Duration::from_secs(1);

struct Looks {
    sampler: Sampler<Machine>,
    target: Target,
}

impl Looks {
    async fn at(bench: &Bench, container: ContainerId, engine: &EngineId) -> Self {
        let root = bench.data_root().await.unwrap().expect("the engine says where it keeps things");
        let init = bench.init_process(engine).await.unwrap().expect("it runs");
        let target =
            Target { container, engine: engine.as_str().to_owned(), init, gpus: Vec::new() };
        let mut looks = Self { sampler: Sampler::new(Machine, root), target };
        looks.look();
        looks
    }

    fn look(&mut self) -> Option<Figures> {
        let now = Instant::now().into_std();
        let report =
            self.sampler.look(now, std::slice::from_ref(&self.target), &BTreeMap::new())?;
        assert!(report.blade.storage.total_bytes > 0);
        report.containers.first().map(|(_, figures)| *figures)
    }

    /// Until the figures are as they should be: a machine that does other things is late.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Figures) -> bool) -> Figures {
        let deadline = Instant::now() + PATIENCE;
        loop {
            sleep(BETWEEN).await;
            let figures = self.look().expect("it runs");
            if is_so(&figures) {
                return figures;
            }
            assert!(Instant::now() < deadline, "{what}: {figures:?}");
        }
    }
}

/// Beside the test.
fn exec(id: &EngineId, script: &str) -> JoinHandle<()> {
    let arguments = ["exec", id.as_str(), "sh", "-c", script].map(str::to_owned);
    std::thread::spawn(move || {
        Command::new("docker").args(arguments).output().expect("the docker client runs");
    })
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn what_a_container_uses_is_seen() {
    with_bench(Options::default(), async |bench| {
        // Half a core and 64 MiB.
        let order = bench.order(user(), &["sh", "-c", "while :; do :; done"]);
        let id = bench.run(&order).await;
        let mut looks = Looks::at(&bench, order.container, &id).await;
        let busy = looks.until("near its limit", |seen| seen.cpu_millis >= 400).await;
        assert!(busy.cpu_millis <= 600, "{busy:?}");
        assert!(busy.processes >= 1 && busy.memory_bytes < 16 * MIB, "{busy:?}");
        assert_eq!(busy.gpu, None);

        bench.exec(&id, "dd if=/dev/zero of=/dev/shm/ballast bs=1M count=30");
        let full = looks.until("it grows", |seen| seen.memory_bytes >= 30 * MIB).await;
        assert!(full.memory_bytes < 64 * MIB, "{full:?}");
        bench.exec(&id, "rm /dev/shm/ballast");
        looks.until("it shrinks", |seen| seen.memory_bytes < 16 * MIB).await;

        // One that lives for some looks: the first version of control groups does not count those that are gone.
        let write = "(for i in 1 2 3 4 5 6 7 8; do head -c 4000000 /dev/zero; sleep 1; done) \
                     | dd of=/tmp/file bs=1M oflag=append";
        let writing = exec(&id, write);
        looks.until("it writes", |seen| seen.disk.out > MIB).await;

        let gateway = bench.gateway(&id).await;
        let flood = format!("while :; do echo x | busybox nc -w 1 {gateway} 9; done & sleep 30");
        let speaking = exec(&id, &flood);
        looks.until("it speaks", |seen| seen.network.out > 0).await;

        bench.stop(&id, Duration::ZERO).await.unwrap();
        assert_eq!(looks.look(), None);
        assert_eq!(bench.init_process(&id).await.unwrap(), None);
        writing.join().unwrap();
        speaking.join().unwrap();
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn one_that_idles_uses_nothing() {
    with_bench(Options::default(), async |bench| {
        let order = bench.order(user(), &["sleep", "1000"]);
        let id = bench.run(&order).await;
        let mut looks = Looks::at(&bench, order.container, &id).await;
        let idle = looks.until("it idles", |seen| seen.cpu_millis == 0).await;
        // The engine's own init, and the program.
        assert_eq!((idle.disk.r#in, idle.disk.out, idle.processes), (0, 0, 2), "{idle:?}");
    });
}
