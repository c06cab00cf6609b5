//! A bench for one test: an agent's runtime with ids of its own, an image, and cleaning up whatever happens.

use std::{
    net::TcpListener,
    ops::Deref,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use berth_core::{
    container::{PortBinding, RuntimeKind},
    desired::EngineSpec,
    id::{ClusterId, ContainerId, NodeId, UserId},
    image::ImageRef,
    resources::Resources,
};
use berth_docker::{Docker, Options, names::Identity};
use berth_reconcile::runtime::{CreateOrder, EngineContainer, EngineId, EngineState, Runtime};
use berth_storage::Storage;
use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

pub(crate) const IMAGE: &str = "berth-test/busybox:1";
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Bench {
    pub(crate) docker: Docker,
    pub(crate) client: bollard::Docker,
    pub(crate) identity: Identity,
    pub(crate) options: Options,
    pub(crate) folder: PathBuf,
}

impl Deref for Bench {
    type Target = Docker;

    fn deref(&self) -> &Docker {
        &self.docker
    }
}

#[allow(clippy::disallowed_methods, reason = "every run has ids of its own")]
pub(crate) fn fresh() -> Uuid {
    Uuid::new_v4()
}

pub(crate) fn user() -> UserId {
    UserId::new(fresh())
}

/// Runs a test and takes everything of it away, also when it fails.
pub(crate) fn with_bench<F>(options: Options, test: impl FnOnce(Bench) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let identity = Identity { cluster: ClusterId::new(fresh()), node: NodeId::new(fresh()) };
        let client = bollard::Docker::connect_with_unix_defaults().unwrap();
        import_image(&client).await;
        let folder = tempfile::tempdir().unwrap();
        let storage = storage(folder.path());
        let docker =
            berth_docker::connect(options.clone(), storage, identity.cluster, identity.node)
                .await
                .unwrap();
        let bench = Bench {
            docker,
            client,
            identity,
            options: options.clone(),
            folder: folder.path().to_owned(),
        };
        let outcome = tokio::spawn(test(bench)).await;
        berth_docker::cleanup(&options, identity.cluster, identity.node).await.unwrap();
        unmount_below(folder.path());
        if let Err(error) = outcome {
            std::panic::resume_unwind(error.into_panic());
        }
        assert_eq!(
            sh(&format!("nft list tables | grep -c {} || true", identity.table_name())),
            "0"
        );
    });
}

/// Homes of one's own, below `folder`.
pub(crate) fn storage(folder: &Path) -> Storage {
    let options = berth_storage::Options {
        homes: Some(folder.join("homes")),
        shared: false,
        volumes: Some(folder.join("volumes")),
        ..Default::default()
    };
    std::fs::create_dir_all(folder.join("data")).unwrap();
    Storage::start(&options, &folder.join("data"), folder.join("run")).unwrap()
}

/// Before the folder is removed: what is mounted there must not be.
fn unmount_below(folder: &Path) {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    for point in points.filter(|point| Path::new(point).starts_with(folder)).rev() {
        rustix::mount::unmount(point, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
}

impl Bench {
    pub(crate) fn order(&self, user: UserId, command: &[&str]) -> CreateOrder {
        CreateOrder {
            container: ContainerId::new(fresh()),
            incarnation: 1,
            restart_nonce: 0,
            spec: EngineSpec {
                image: ImageRef::parse(IMAGE).unwrap(),
                command: command.iter().map(|word| (*word).to_owned()).collect(),
                environment: [("GREETING".to_owned(), "hello world".to_owned())].into(),
                ports: vec![],
                gpus: vec![],
                resources: Resources::new(500, 64 << 20),
                tty: false,
                stdin: false,
                user,
                hostname: "web".to_owned(),
                runtime: RuntimeKind::Docker,
                belongings: None,
            },
        }
    }

    pub(crate) async fn run(&self, order: &CreateOrder) -> EngineId {
        self.create_network(order.spec.user).await.unwrap();
        let id = self.create(order).await.unwrap();
        self.start(&id).await.unwrap();
        id
    }

    /// A container that answers `text` over HTTP on guest port 80.
    pub(crate) fn web(&self, user: UserId, text: &str, host_port: Option<u16>) -> CreateOrder {
        let script =
            format!("mkdir /www && echo {text} > /www/index.html && exec httpd -f -p 80 -h /www");
        let mut order = self.order(user, &["sh", "-c", &script]);
        order.spec.ports =
            host_port.map(|host| PortBinding { guest: 80, host }).into_iter().collect();
        order
    }

    pub(crate) async fn until(
        &self,
        id: &EngineId,
        condition: impl Fn(&EngineState) -> bool,
    ) -> EngineContainer {
        let mut events = self.events();
        tokio::time::timeout(PATIENCE, async {
            loop {
                events.next().await;
                match self.inspect(id).await.unwrap() {
                    Some(found) if condition(&found.state) => return found,
                    Some(_) | None => {}
                }
            }
        })
        .await
        .expect("the container gets into the state")
    }

    pub(crate) async fn address(&self, id: &EngineId) -> String {
        let answer = self.client.inspect_container(id.as_str(), None).await.unwrap();
        let networks = answer.network_settings.unwrap().networks.unwrap();
        networks.into_values().next().unwrap().ip_address.unwrap()
    }

    pub(crate) async fn gateway(&self, id: &EngineId) -> String {
        let answer = self.client.inspect_container(id.as_str(), None).await.unwrap();
        let networks = answer.network_settings.unwrap().networks.unwrap();
        networks.into_values().next().unwrap().gateway.unwrap()
    }

    /// What a shell in the container prints, and its exit code.
    pub(crate) fn exec(&self, id: &EngineId, script: &str) -> (String, i32) {
        let output = Command::new("docker")
            .args(["exec", id.as_str(), "sh", "-c", script])
            .output()
            .expect("the docker client runs");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (text, output.status.code().unwrap_or(-1))
    }

    /// What is read over HTTP from inside; empty when it cannot be reached within two seconds.
    pub(crate) fn get_from(&self, id: &EngineId, host: &str, port: u16) -> String {
        self.exec(id, &ask(host, port)).0
    }
}

/// Asks with nc: wget of a static busybox needs the C library's name service, which is not in the image.
pub(crate) fn ask(host: &str, port: u16) -> String {
    format!(
        "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 {host} {port} 2>/dev/null | tail -n 1"
    )
}

/// Until something answers, or patience ends.
pub(crate) async fn get(host: &str, port: u16) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect((host, port)).await?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        std::io::Result::Ok(text)
    };
    let answer = tokio::time::timeout(Duration::from_secs(5), ask).await;
    answer.map(Result::unwrap_or_default).unwrap_or_default()
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("0.0.0.0", 0)).unwrap().local_addr().unwrap().port()
}

pub(crate) fn sh(script: &str) -> String {
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Busybox of this machine as an image: no registry needed.
async fn import_image(client: &bollard::Docker) {
    if client.inspect_image(IMAGE).await.is_ok() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    for directory in ["bin", "tmp", "etc"] {
        std::fs::create_dir(root.path().join(directory)).unwrap();
    }
    std::fs::copy("/bin/busybox", root.path().join("bin/busybox"))
        .expect("busybox-static is installed");
    let applets = sh("/bin/busybox --list");
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        std::os::unix::fs::symlink("busybox", root.path().join("bin").join(applet)).unwrap();
    }
    let tar = Command::new("tar").arg("-C").arg(root.path()).args(["-c", "."]).output().unwrap();
    assert!(tar.status.success());
    let options = bollard::query_parameters::CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some("berth-test/busybox".to_owned()),
        tag: Some("1".to_owned()),
        ..Default::default()
    };
    let body = bollard::body_full(tar.stdout.into());
    client.create_image(Some(options), Some(body), None).try_collect::<Vec<_>>().await.unwrap();
}
