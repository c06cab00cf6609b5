//! The whole controller: real port, real TLS, real database.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod process;

use std::{net::SocketAddr, path::Path, time::Duration};

use berth_controller::{
    accounts::{self, User},
    config::Config,
    healthcheck, new_epoch,
    serve::{self, Running},
};
use berth_proto::v1::{
    self, auth_service_client::AuthServiceClient, container_service_client::ContainerServiceClient,
    watch_containers_response::Kind,
};
use tonic::{
    Code, Request, Status,
    service::Interceptor,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

fn config(folder: &Path) -> Config {
    let mut config = Config::default();
    config.data.dir = folder.to_owned();
    config.listen.api = ([127, 0, 0, 1], 0).into();
    config.listen.agents = ([127, 0, 0, 1], 0).into();
    config
}

async fn user(config: &Config, arguments: &[&str]) -> String {
    use clap::{FromArgMatches as _, Subcommand as _};
    let command = User::augment_subcommands(clap::Command::new("user"));
    let matches = command.try_get_matches_from([&["user"], arguments].concat()).unwrap();
    let mut out = Vec::new();
    let user = User::from_arg_matches(&matches).unwrap();
    accounts::run(config, user, &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

fn password(said: &str) -> String {
    said.lines().find_map(|line| line.strip_prefix("password: ")).unwrap().to_owned()
}

async fn channel(folder: &Path, address: SocketAddr) -> Channel {
    let pem = std::fs::read(folder.join("ca.pem")).unwrap();
    let tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)).domain_name("localhost");
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
    endpoint.tls_config(tls).unwrap().connect().await.unwrap()
}

async fn sign_in(channel: &Channel, password: &str) -> Result<Bearer, Status> {
    let request = v1::SignInRequest {
        account: "ann".into(),
        password: password.into(),
        device: "test".into(),
    };
    let session = AuthServiceClient::new(channel.clone()).sign_in(request).await?.into_inner();
    Ok(Bearer(session.token))
}

#[derive(Clone)]
struct Bearer(String);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = format!("Bearer {}", self.0).parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

async fn stop(running: Running) {
    tokio::time::timeout(Duration::from_secs(10), running.stop()).await.expect("a bounded end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_serves_and_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    let secret = password(&user(&config, &["add", "ann", "--role", "student"]).await);

    let running = serve::start(config.clone()).await.unwrap();
    let channel_one = channel(folder.path(), running.api).await;
    assert_eq!(sign_in(&channel_one, "wrong").await.err().unwrap().code(), Code::Unauthenticated);
    let bearer = sign_in(&channel_one, &secret).await.unwrap();
    let mut containers =
        ContainerServiceClient::with_interceptor(channel_one.clone(), bearer.clone());
    let asked = v1::CreateContainerRequest {
        name: "box".into(),
        image: "busybox".into(),
        ..Default::default()
    };
    let made = containers.create_container(asked).await.unwrap().into_inner();
    assert_eq!(made.phase(), v1::Phase::Pending);
    assert_eq!(made.reason.unwrap().message, "There is no blade yet.");
    let watch = containers.watch_containers(v1::WatchContainersRequest::default()).await;
    let mut watch = watch.unwrap().into_inner();
    let snapshot = watch.message().await.unwrap().unwrap();
    assert_eq!((snapshot.kind(), snapshot.containers.len()), (Kind::Snapshot, 1));

    // It answers on its own port.
    config.listen.api = running.api;
    healthcheck::run(&config).await.unwrap();
    // A second one does not get that far.
    let taken = serve::start(config.clone()).await.err().unwrap().to_string();
    assert!(taken.contains("is taken by another program"), "{taken}");

    // An account that is added, disabled or changed while it runs.
    assert!(user(&config, &["list"]).await.contains("ann"));
    user(&config, &["disable", "ann"]).await;
    assert!(sign_in(&channel_one, &secret).await.is_err());
    user(&config, &["enable", "ann"]).await;
    let secret = password(&user(&config, &["password", "ann"]).await);
    sign_in(&channel_one, &secret).await.unwrap();

    stop(running).await;
    assert!(watch.message().await.map_or(true, |last| last.is_none()), "streams have ended");
    healthcheck::run(&config).await.unwrap_err();

    config.listen.api = ([127, 0, 0, 1], 0).into();
    let running = serve::start(config).await.unwrap();
    let channel_two = channel(folder.path(), running.api).await;
    let mut containers = ContainerServiceClient::with_interceptor(channel_two, bearer);
    let list = containers.list_containers(v1::ListContainersRequest::default()).await.unwrap();
    assert_eq!(list.into_inner().containers[0].id, made.id);
    stop(running).await;
}

async fn epoch(config: &Config) -> anyhow::Result<String> {
    let mut out = Vec::new();
    new_epoch::run(config, &mut out).await?;
    Ok(String::from_utf8(out)?.lines().next().unwrap_or_default().to_owned())
}

/// "epoch B follows A".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_epoch_is_begun_when_the_controller_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    let running = serve::start(config.clone()).await.unwrap();
    config.listen.api = running.api;
    let refused = format!("{:#}", epoch(&config).await.unwrap_err());
    assert!(refused.starts_with("stop the controller first: port "), "{refused}");
    stop(running).await;

    let first = epoch(&config).await.unwrap();
    let second = epoch(&config).await.unwrap();
    let begun = first.split(' ').nth(1).unwrap();
    assert!(second.ends_with(&format!("follows {begun}")), "{first}; {second}");
    assert!(!second.contains(&format!("epoch {begun}")), "{second}");
}

#[tokio::test]
async fn what_cannot_be_used_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    std::fs::write(folder.path().join("controller.db"), "this is no database, and never was one")
        .unwrap();
    let error = format!("{:#}", serve::start(config.clone()).await.err().unwrap());
    assert!(error.contains("database"), "{error}");
    config.database.url = "mysql://x".into();
    let error = format!("{:#}", serve::start(config.clone()).await.err().unwrap());
    assert!(error.contains("sqlite: or postgres:"), "{error}");
    config.data.dir = "/proc/berth".into();
    let error = format!("{:#}", serve::start(config).await.err().unwrap());
    assert!(error.contains("the data directory /proc/berth cannot be made"), "{error}");
}

/// Agents' port: another authority's certificate, or none, gets nobody in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_at_the_agents_port() {
    let folder = tempfile::tempdir().unwrap();
    let running = serve::start(config(folder.path())).await.unwrap();
    let channel = channel(folder.path(), running.agents).await;
    // The public services are not here, and the agents' are not for strangers.
    let status = sign_in(&channel, "x").await.err().unwrap();
    assert_eq!(status.code(), Code::Unimplemented);
    let mut agents = berth_proto::agent::v1::agent_service_client::AgentServiceClient::new(channel);
    let status = agents.renew(berth_proto::agent::v1::RenewRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    stop(running).await;
}
