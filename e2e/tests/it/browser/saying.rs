//! A container that prints what a test tells it to.

use std::time::Duration;

use berth_e2e::{
    client::{self, Session},
    demo::Demo,
    lend,
};
use berth_proto::v1::{
    ExecEnd, GetContainerRequest, Phase, RunCommand, RunRequest, SignInRequest,
    StartContainerRequest, auth_service_client::AuthServiceClient,
    exec_service_client::ExecServiceClient, run_request::Message, run_response,
};
use tokio::time::Instant;
use tonic::{
    Request, Status,
    codegen::tokio_stream,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use super::driver::{PATIENCE, PAUSE};

/// Reads scripts and runs them; one that fails ends it.
const LISTEN: &str = "[ -p /tmp/say ] || mkfifo /tmp/say; while :; do sh /tmp/say || exit 3; done";

pub(super) struct Speaker {
    session: Session,
    exec: Exec,
    pub(super) name: String,
}

type Exec = ExecServiceClient<InterceptedService<Channel, Bearer>>;

#[derive(Clone)]
struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

impl Speaker {
    pub(super) async fn lend(demo: &Demo, account: &str, name: String) -> Self {
        let user = demo.user(account).unwrap();
        let mut session = client::sign_in(demo, user).await.unwrap();
        let mut request = lend::request(demo, &name);
        request.command = ["sh", "-c", LISTEN].map(str::to_owned).to_vec();
        lend::lend(&mut session, request, PATIENCE).await.unwrap();
        let exec = exec(demo, account).await;
        Self { session, exec, name }
    }

    /// Returns when the script is taken, not when it has run.
    pub(super) async fn say(&self, script: &str) {
        let words = ["sh", "-c", "printf '%s\\n' \"$0\" > /tmp/say", script];
        let command = RunCommand {
            name: self.name.clone(),
            command: words.map(str::to_owned).to_vec(),
            time_limit: Some(prost_types::Duration { seconds: 30, nanos: 0 }),
            ..RunCommand::default()
        };
        let request = RunRequest { message: Some(Message::Command(command)) };
        let mut exec = self.exec.clone();
        let mut answers = exec.run(tokio_stream::once(request)).await.unwrap().into_inner();
        while let Some(answer) = answers.message().await.unwrap() {
            if let Some(run_response::Message::Ended(ended)) = answer.message {
                assert_eq!((ended.end(), ended.exit_code), (ExecEnd::Exited, 0), "{ended:?}");
            }
        }
    }

    /// Once it has ended.
    pub(super) async fn start(&self) {
        let request = StartContainerRequest { name: self.name.clone(), ..Default::default() };
        let mut containers = self.session.containers.clone();
        containers.start_container(request).await.unwrap();
        let deadline = Instant::now() + PATIENCE;
        let request = GetContainerRequest { name: self.name.clone(), ..Default::default() };
        while containers.get_container(request.clone()).await.unwrap().into_inner().phase()
            != Phase::Running
        {
            assert!(Instant::now() < deadline, "{} does not start", self.name);
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) async fn give_back(mut self) {
        lend::give_back(&mut self.session, &self.name, Duration::from_secs(60)).await.unwrap();
    }
}

async fn exec(demo: &Demo, account: &str) -> Exec {
    let user = demo.user(account).unwrap();
    let channel = client::channel(demo).unwrap();
    let request = SignInRequest {
        account: user.name.clone(),
        password: user.password.clone(),
        device: "berth-e2e".to_owned(),
    };
    let answer = AuthServiceClient::new(channel.clone()).sign_in(request).await.unwrap();
    let bearer = Bearer(format!("Bearer {}", answer.into_inner().token).parse().unwrap());
    ExecServiceClient::with_interceptor(channel, bearer)
}
