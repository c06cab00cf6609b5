//! People at the API, who ask again until they are answered: the controller may be dead at any moment.

use std::{collections::BTreeMap, path::Path, time::Duration};

use berth_proto::v1::{
    Container, CreateContainerRequest, CreateJoinTokenRequest, DeleteContainerRequest,
    RestartContainerRequest, SignInRequest, StartContainerRequest, StopContainerRequest,
    WatchContainersRequest, auth_service_client::AuthServiceClient,
    container_service_client::ContainerServiceClient, exec_service_client::ExecServiceClient,
    node_service_client::NodeServiceClient, watch_containers_response::Kind,
};
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use crate::terminal::Exec;

/// Longer than any restart of both programs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
const AGAIN: Duration = Duration::from_millis(100);

#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

#[derive(Clone)]
pub(crate) struct Api {
    containers: ContainerServiceClient<InterceptedService<Channel, Bearer>>,
    nodes: NodeServiceClient<InterceptedService<Channel, Bearer>>,
    pub(crate) exec: Exec,
}

/// Asks until there is an answer that is one.
async fn insist<T, F: Future<Output = Result<T, Status>>>(
    mut ask: impl FnMut() -> F,
) -> Result<T, Status> {
    let insisting = async {
        loop {
            match ask().await {
                Err(status)
                    if matches!(
                        status.code(),
                        Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled
                    ) =>
                {
                    tokio::time::sleep(AGAIN).await;
                }
                answer => return answer,
            }
        }
    };
    tokio::time::timeout(PATIENCE, insisting).await.expect("the controller answers in the end")
}

impl Api {
    pub(crate) async fn sign_in(port: u16, ca: &Path, account: &str, password: &str) -> Self {
        let authority = until_there(ca).await;
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
        let channel = Endpoint::from_shared(format!("https://127.0.0.1:{port}"))
            .unwrap()
            .tls_config(tls)
            .unwrap()
            .connect_timeout(Duration::from_secs(2))
            .connect_lazy();
        let client = AuthServiceClient::new(channel.clone());
        let token = insist(|| {
            let mut client = client.clone();
            let request = SignInRequest {
                account: account.to_owned(),
                password: password.to_owned(),
                ..SignInRequest::default()
            };
            async move { client.sign_in(request).await }
        })
        .await
        .unwrap()
        .into_inner()
        .token;
        let bearer = Bearer(format!("Bearer {token}").parse().unwrap());
        Self {
            containers: ContainerServiceClient::with_interceptor(channel.clone(), bearer.clone()),
            nodes: NodeServiceClient::with_interceptor(channel.clone(), bearer.clone()),
            exec: ExecServiceClient::with_interceptor(channel, bearer),
        }
    }

    pub(crate) async fn join_string(&self) -> String {
        let answer = insist(|| {
            let mut nodes = self.nodes.clone();
            async move { nodes.create_join_token(CreateJoinTokenRequest::default()).await }
        });
        answer.await.unwrap().into_inner().join_string
    }

    pub(crate) async fn create(&self, request: CreateContainerRequest) -> String {
        let made = insist(|| {
            let (mut client, request) = (self.containers.clone(), request.clone());
            async move { client.create_container(request).await }
        });
        made.await.unwrap().into_inner().id
    }

    pub(crate) async fn delete(&self, name: &str) {
        let gone = insist(|| {
            let mut client = self.containers.clone();
            let request = DeleteContainerRequest { name: name.to_owned(), ..Default::default() };
            async move { client.delete_container(request).await }
        });
        match gone.await {
            Ok(_) => {}
            // An answer was lost, and by now it is gone.
            Err(status) => assert_eq!(status.code(), Code::NotFound, "{status}"),
        }
    }

    pub(crate) async fn stop(&self, name: &str) {
        let done = insist(|| {
            let mut client = self.containers.clone();
            let request = StopContainerRequest { name: name.to_owned(), ..Default::default() };
            async move { client.stop_container(request).await }
        });
        done.await.unwrap();
    }

    pub(crate) async fn start(&self, name: &str) {
        let done = insist(|| {
            let mut client = self.containers.clone();
            let request = StartContainerRequest { name: name.to_owned(), ..Default::default() };
            async move { client.start_container(request).await }
        });
        done.await.unwrap();
    }

    pub(crate) async fn restart(&self, name: &str) {
        let done = insist(|| {
            let mut client = self.containers.clone();
            let request = RestartContainerRequest { name: name.to_owned(), ..Default::default() };
            async move { client.restart_container(request).await }
        });
        done.await.unwrap();
    }

    /// Watches everybody's containers until `settled` is content with all of them.
    pub(crate) async fn until(
        &self,
        settled: impl Fn(&BTreeMap<String, Container>) -> bool,
    ) -> BTreeMap<String, Container> {
        let mut known = BTreeMap::new();
        let watching = async {
            loop {
                let mut client = self.containers.clone();
                let request =
                    WatchContainersRequest { owner: "-".to_owned(), ..Default::default() };
                if let Ok(response) = client.watch_containers(request).await {
                    let mut changes = response.into_inner();
                    let mut whole = false;
                    known.clear();
                    while let Ok(Some(change)) = changes.message().await {
                        whole |= change.kind() != Kind::Snapshot || change.last;
                        change.removed_ids.iter().for_each(|id| drop(known.remove(id)));
                        known.extend(change.containers.into_iter().map(|c| (c.id.clone(), c)));
                        if whole && settled(&known) {
                            return;
                        }
                    }
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, watching).await;
        let shown: Vec<_> = known
            .values()
            .map(|c| format!("{} {:?} {:?}", c.full_name, c.phase(), c.reason))
            .collect();
        assert!(done.is_ok(), "not settled: {shown:#?}");
        known
    }
}

async fn until_there(file: &Path) -> Vec<u8> {
    let reading = async {
        loop {
            match tokio::fs::read(file).await {
                Ok(bytes) => return bytes,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the authority's certificate appears")
}
