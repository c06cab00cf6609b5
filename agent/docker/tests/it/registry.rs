use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use berth_core::{fault::FaultKind, image::ImageRef, observed::PullProgress};
use berth_docker::Options;
use berth_reconcile::runtime::{EngineState, Error, Runtime};
use bollard::{
    auth::DockerCredentials,
    query_parameters::{PushImageOptions, RemoveImageOptions},
};
use futures::TryStreamExt;
use tokio::sync::watch;

use crate::support::{Bench, IMAGE, PATIENCE, fresh, user, with_bench};

/// Two layers that no compression makes smaller.
const LAYERS: [u64; 2] = [32 << 20, 12 << 20];

/// Debian's registry, on a free port of loopback: engines speak plain HTTP to registries there.
struct Registry {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Registry {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yml");
        fs::write(&config, configuration(&folder.path().join("storage"))).unwrap();
        let mut process = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry is installed");
        let log = BufReader::new(process.stderr.take().unwrap());
        let (sender, port) = mpsc::channel();
        // Read to the end: a full pipe would stop it.
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if let Some(port) = port_of(&line) {
                    let _ = sender.send(port);
                }
            }
        });
        let Ok(port) = port.recv_timeout(PATIENCE) else {
            process.kill().unwrap();
            panic!("the registry does not say its port ({:?})", process.wait());
        };
        Self { process, port, _folder: folder }
    }

    /// Nobody answers there afterwards.
    fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have been stopped already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// JSON is YAML.
fn configuration(storage: &Path) -> String {
    serde_json::json!({
        "version": 0.1,
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": storage}},
        "http": {"addr": "127.0.0.1:0"},
    })
    .to_string()
}

fn port_of(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("listening on 127.0.0.1:")?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// An image that is in the registry, and on the engine until it is forgotten.
struct Image {
    name: String,
}

impl Image {
    async fn push(bench: &Bench, registry: &Registry) -> Self {
        let image = Self { name: format!("127.0.0.1:{}/berth-test/{}", registry.port, fresh()) };
        let folder = tempfile::tempdir().unwrap();
        let mut recipe = format!("FROM {IMAGE}\n");
        for (number, size) in LAYERS.into_iter().enumerate() {
            let mut file = File::create(folder.path().join(number.to_string())).unwrap();
            let mut random = File::open("/dev/urandom").unwrap().take(size);
            std::io::copy(&mut random, &mut file).unwrap();
            recipe.push_str(&format!("COPY {number} /layer-{number}\n"));
        }
        fs::write(folder.path().join("Dockerfile"), recipe).unwrap();
        let built = Command::new("docker")
            .env("DOCKER_BUILDKIT", "0")
            .args(["build", "--quiet", "--tag", &image.tagged()])
            .arg(folder.path())
            .output()
            .expect("the docker client runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let options = PushImageOptions { tag: Some("1".to_owned()), ..Default::default() };
        let nobody = DockerCredentials::default();
        bench
            .client
            .push_image(&image.name, Some(options), Some(nobody))
            .try_collect::<Vec<_>>()
            .await
            .unwrap();
        image
    }

    fn tagged(&self) -> String {
        format!("{}:1", self.name)
    }

    fn reference(&self) -> ImageRef {
        ImageRef::parse(&self.tagged()).unwrap()
    }

    /// Away from the engine; the registry keeps it.
    async fn forget(&self, bench: &Bench) {
        let options = RemoveImageOptions { force: true, ..Default::default() };
        bench.client.remove_image(&self.tagged(), Some(options), None).await.unwrap();
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Containers of a test that failed are still there.
        let script = format!(
            "docker ps --all --quiet --filter ancestor={0} | xargs --no-run-if-empty docker rm --force; \
             docker image rm --force {0}",
            self.tagged()
        );
        let _ = Command::new("sh").args(["-c", &script]).output();
    }
}

fn kind(error: Error) -> FaultKind {
    error.to_fault().kind
}

/// Pulls, and returns every sum that was seen on the way.
async fn pull(bench: &Bench, image: &ImageRef) -> (Result<(), Error>, Vec<PullProgress>) {
    let (sender, mut receiver) = watch::channel(None);
    let collect = tokio::spawn(async move {
        let mut seen = Vec::new();
        while receiver.changed().await.is_ok() {
            seen.extend(*receiver.borrow_and_update());
        }
        seen
    });
    let outcome = bench.pull(image, &sender).await;
    drop(sender);
    (outcome, collect.await.unwrap())
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_pull_shows_how_far_it_is() {
    with_bench(Options::default(), async |bench| {
        let registry = Registry::start();
        let image = Image::push(&bench, &registry).await;
        image.forget(&bench).await;
        let mut order = bench.order(user(), &["sleep", "1000"]);
        order.spec.image = image.reference();
        bench.create_network(order.spec.user).await.unwrap();
        assert_eq!(bench.create(&order).await, Err(Error::ImageMissing));

        let (outcome, seen) = pull(&bench, &order.spec.image).await;
        outcome.unwrap();
        let last = seen.last().expect("progress is seen");
        assert_eq!(last.done_bytes, last.total_bytes, "{seen:?}");
        let size: u64 = LAYERS.iter().sum();
        assert!(last.total_bytes >= size && last.total_bytes < size + size / 50, "{seen:?}");
        assert!(seen.is_sorted_by_key(|sum| sum.done_bytes), "{seen:?}");
        assert!(seen.is_sorted_by_key(|sum| sum.total_bytes), "{seen:?}");
        assert!(seen.iter().all(|sum| sum.done_bytes <= sum.total_bytes), "{seen:?}");
        assert!(seen.iter().any(|sum| sum.done_bytes < sum.total_bytes), "{seen:?}");

        let id = bench.create(&order).await.unwrap();
        bench.start(&id).await.unwrap();
        let found = bench.until(&id, |state| matches!(state, EngineState::Running { .. })).await;
        assert!(found.image_digest.unwrap().starts_with("sha256:"));
        let (sizes, _) = bench.exec(&id, "stat -c %s /layer-0 /layer-1");
        assert_eq!(sizes, format!("{}\n{}", LAYERS[0], LAYERS[1]));

        // What is there is not fetched again.
        let (outcome, seen) = pull(&bench, &order.spec.image).await;
        outcome.unwrap();
        assert!(seen.iter().all(|sum| sum.total_bytes == 0), "{seen:?}");
        bench.remove(&id).await.unwrap();
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn what_a_registry_lacks_is_named() {
    with_bench(Options::default(), async |bench| {
        let registry = Registry::start();
        let image = Image::push(&bench, &registry).await;
        let unknown = [format!("{}:2", image.name), format!("{}-none:1", image.name)];
        for unknown in unknown {
            let unknown = ImageRef::parse(&unknown).unwrap();
            let (outcome, seen) = pull(&bench, &unknown).await;
            assert_eq!(kind(outcome.unwrap_err()), FaultKind::ImageNotFound, "{unknown}");
            assert_eq!(seen, []);
        }
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn without_the_registry_a_local_image_is_used() {
    with_bench(Options::default(), async |bench| {
        let mut registry = Registry::start();
        let image = Image::push(&bench, &registry).await;
        registry.stop();
        let mut order = bench.order(user(), &["sleep", "1000"]);
        order.spec.image = image.reference();
        let id = bench.run(&order).await;
        bench.until(&id, |state| matches!(state, EngineState::Running { .. })).await;
        bench.remove(&id).await.unwrap();

        image.forget(&bench).await;
        assert_eq!(bench.create(&order).await, Err(Error::ImageMissing));
        let (outcome, seen) = pull(&bench, &order.spec.image).await;
        assert_eq!(kind(outcome.unwrap_err()), FaultKind::RegistryUnreachable);
        assert_eq!(seen, []);
    });
}
