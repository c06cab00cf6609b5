//! A controller in a test: memory store, a clock that stands, a directory that knows three people, one blade.

use std::{
    collections::HashMap,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use berth_api::{Api, Apps, Join, Parts, Site};
use berth_app::{
    containers::Rules,
    figures::Figures,
    nodes::{self, Enrolment},
    observe,
    ports::{Directory, DirectoryError, Identity, Password, Store as _},
    sign_in::{self, SignIn},
    state::State,
    writer::{self, Handle},
};
use berth_core::{
    account::{AccountName, Role},
    app_host::AppDomain,
    clock::{Clock, Timestamp},
    container::RuntimeKind,
    create::Limits,
    guest_port::RawPorts,
    id::{ClusterId, ContainerId, Epoch, IdSource, NodeId, StoreId},
    node::{Gpu, Inventory},
    observed::{Observed, ObservedPhase},
    resources::{GIB, GpuId, Resources},
    share::Lifetimes,
    space::SpaceLimits,
    storage::{Enforcement, Mapping, Scope, Storage, Store},
};
use berth_proto::v1::{
    self, app_service_client::AppServiceClient, auth_service_client::AuthServiceClient,
    container_service_client::ContainerServiceClient, node_service_client::NodeServiceClient,
    volume_service_client::VolumeServiceClient,
};
use berth_store::MemoryStore;
use tokio::sync::watch;
use tonic::{
    Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use uuid::Uuid;

use crate::{blade::Blade, definitions::preset};

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

pub(crate) struct World {
    pub(crate) router: axum::Router,
    pub(crate) handle: Handle,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) node: NodeId,
    pub(crate) address: SocketAddr,
    pub(crate) figures: Figures,
    pub(crate) history: MemoryStore,
    /// Signed in once: attempts are limited.
    tokens: Mutex<HashMap<Who, String>>,
}

/// Whoever calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    Nobody,
    Ann,
    Ben,
    Root,
}

pub(crate) type Client = InterceptedService<Channel, Bearer>;

#[derive(Clone)]
pub(crate) struct Bearer(pub(crate) Option<String>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            let value = MetadataValue::try_from(format!("Bearer {token}")).unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        Self::with(
            Some(Apps {
                domain: AppDomain { domain: "apps.test".into(), port: 8443 },
                links: Lifetimes { default: hours(24), maximum: hours(48) },
                link_path: "/link/",
            }),
            SpaceLimits::default(),
        )
        .await
    }

    /// At a site where containers have no https names.
    pub(crate) async fn without_names() -> Self {
        Self::with(None, SpaceLimits::default()).await
    }

    /// A site on which a home may have so many bytes.
    pub(crate) async fn with_small_homes(home: u64) -> Self {
        Self::with(None, SpaceLimits { home: Some(home), ..SpaceLimits::default() }).await
    }

    async fn with(apps: Option<Apps>, space: SpaceLimits) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(NOW.0)));
        let ids: Arc<dyn IdSource> = Arc::new(TestIds(AtomicU64::new(1)));
        let (figures, history) = (Figures::default(), MemoryStore::new());
        let store = Arc::new(MemoryStore::new());
        let records = store.load(ClusterId::new(ids.next()), Epoch::new(ids.next())).await.unwrap();
        let as_clock: Arc<dyn Clock> = clock.clone();
        let (handle, writer) = writer::new(State::restore(records), store, as_clock.clone());
        tokio::spawn(writer.run());
        let node = add_blade(&handle, ids.as_ref()).await;

        let attempts = |number| NonZeroU32::new(number).unwrap();
        let options = sign_in::Options {
            session_lifetime: Duration::from_secs(3600),
            attempts_per_account: attempts(10),
            attempts_per_address: attempts(1000),
        };
        let sign_in = SignIn::new(
            options,
            Arc::new(ThreePeople),
            handle.clone(),
            as_clock.clone(),
            Arc::clone(&ids),
        );
        let (stopping, stopped) = watch::channel(false);
        let api = Api::new(Parts {
            writer: handle.clone(),
            relays: Arc::new(Blade),
            figures: figures.clone(),
            history: Arc::new(history.clone()),
            sign_in,
            clock: as_clock,
            ids,
            site: Site {
                name: "Test".into(),
                starter_image: "hello:1".into(),
                presets: vec![preset()],
                version: "0".into(),
            },
            limits: Limits {
                default_resources: Resources::new(1000, GIB),
                maximum_resources: Resources::new(8000, 32 * GIB),
                maximum_gpus: 4,
                default_lease: Duration::from_secs(8 * 3600),
                maximum_lease: Duration::from_secs(14 * 24 * 3600),
                raw_ports: RawPorts::OptIn,
            },
            rules: Rules {
                containers_per_person: 5,
                volumes_per_person: 3,
                space,
                grace: Duration::from_secs(72 * 3600),
            },
            join: Join { agents_address: "berth.example.edu:8444".into(), ca_sha256: [7; 32] },
            apps,
            life: 42,
            stopping: stopped,
        });
        let pages = axum::Router::new().fallback(|| async { "<!doctype html>" });
        let router = berth_api::router(api, pages).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = router.clone().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        let tokens = Mutex::default();
        Self { router, handle, clock, stopping, node, address, figures, history, tokens }
    }

    pub(crate) fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect_lazy()
    }

    pub(crate) async fn token(&self, who: Who) -> Option<String> {
        let account = match who {
            Who::Nobody => return None,
            Who::Ann => "ann",
            Who::Ben => "ben",
            Who::Root => "root",
        };
        let known = self.tokens.lock().unwrap().get(&who).cloned();
        if known.is_some() {
            return known;
        }
        let token = self.sign_in(account, PASSWORD).await.unwrap().token;
        self.tokens.lock().unwrap().insert(who, token.clone());
        Some(token)
    }

    pub(crate) fn forget_tokens(&self) {
        self.tokens.lock().unwrap().clear();
    }

    pub(crate) async fn sign_in(
        &self,
        account: &str,
        password: &str,
    ) -> Result<v1::SignInResponse, Status> {
        let request = v1::SignInRequest {
            account: account.into(),
            password: password.into(),
            device: String::new(),
        };
        self.auth(None).sign_in(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) fn auth(&self, token: Option<String>) -> AuthServiceClient<Client> {
        AuthServiceClient::with_interceptor(self.channel(), Bearer(token))
    }

    pub(crate) async fn containers(&self, who: Who) -> ContainerServiceClient<Client> {
        let token = self.token(who).await;
        ContainerServiceClient::with_interceptor(self.channel(), Bearer(token))
    }

    pub(crate) async fn apps(&self, who: Who) -> AppServiceClient<Client> {
        let token = self.token(who).await;
        AppServiceClient::with_interceptor(self.channel(), Bearer(token))
    }

    pub(crate) async fn volumes(&self, who: Who) -> VolumeServiceClient<Client> {
        let token = self.token(who).await;
        VolumeServiceClient::with_interceptor(self.channel(), Bearer(token))
    }

    pub(crate) async fn nodes(&self, who: Who) -> NodeServiceClient<Client> {
        let token = self.token(who).await;
        NodeServiceClient::with_interceptor(self.channel(), Bearer(token))
    }

    /// The blade says that the container runs.
    pub(crate) async fn report_running(&self, id: &str) {
        self.report(id, ObservedPhase::Running).await;
    }

    pub(crate) async fn report(&self, id: &str, phase: ObservedPhase) {
        let (node, id): (_, ContainerId) = (self.node, id.parse().unwrap());
        self.handle
            .apply(move |transaction| {
                let nonce = transaction.state().containers[&id].restart_nonce;
                let observed = Observed {
                    started_at: Some(NOW),
                    restart_nonce: nonce,
                    ..Observed::new(1, phase)
                };
                let containers = vec![(id, observed)];
                let report = observe::Report {
                    full: false,
                    held: u64::MAX,
                    reconciled_generation: 1,
                    containers,
                    orphans: None,
                };
                observe::report(transaction, node, report);
                Ok(())
            })
            .await
            .unwrap();
    }

    /// The blade says that the container is gone.
    pub(crate) async fn report_removed(&self, id: &str) {
        let (node, id): (_, ContainerId) = (self.node, id.parse().unwrap());
        self.handle
            .apply(move |transaction| {
                let observed = Observed::new(1, ObservedPhase::Removed);
                let containers = vec![(id, observed)];
                let report = observe::Report {
                    full: false,
                    held: u64::MAX,
                    reconciled_generation: 2,
                    containers,
                    orphans: None,
                };
                observe::report(transaction, node, report);
                Ok(())
            })
            .await
            .unwrap();
    }
}

pub(crate) fn request(name: &str) -> v1::CreateContainerRequest {
    v1::CreateContainerRequest {
        name: name.into(),
        image: "python:3.13".into(),
        guest_ports: vec![8888],
        published_ports: vec![8888],
        ..Default::default()
    }
}

fn store(ids: &dyn IdSource, scope: Scope) -> Store {
    Store { id: StoreId::new(ids.next()), scope, enforcement: Enforcement::Metered }
}

async fn add_blade(handle: &Handle, ids: &dyn IdSource) -> NodeId {
    let id = NodeId::new(ids.next());
    let gpu =
        Gpu { id: GpuId::parse("GPU-1").unwrap(), model: "H200".into(), memory_bytes: 139 * GIB };
    let inventory = Inventory {
        total: Resources::new(16_000, 64 * GIB),
        address: "192.0.2.1".into(),
        gpus: vec![gpu],
        runtimes: vec![RuntimeKind::Docker],
        storage: Storage {
            homes: Some(store(ids, Scope::Shared)),
            volumes: Some(store(ids, Scope::Local)),
            mapping: Mapping::Unsupported,
        },
        ..Inventory::default()
    };
    handle
        .apply(move |transaction| {
            nodes::add_join_token(transaction, [1; 32], Duration::from_secs(60));
            let enrolment = Enrolment {
                token_sha256: [1; 32],
                public_key_sha256: [2; 32],
                node_name: "blade-1".into(),
                id,
            };
            nodes::enrol(transaction, &enrolment).unwrap();
            let year = Duration::from_secs(365 * 24 * 3600);
            nodes::certificate_issued(transaction, id, NOW + year);
            observe::connected(transaction, id, "test", inventory);
            Ok(())
        })
        .await
        .unwrap();
    id
}

pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

struct TestIds(AtomicU64);

impl IdSource for TestIds {
    fn next(&self) -> Uuid {
        Uuid::from_u128(
            0x0190_0000_0000_7000_8000_0000_0000_0000
                + u128::from(self.0.fetch_add(1, Ordering::Relaxed)),
        )
    }
}

struct ThreePeople;

#[async_trait]
impl Directory for ThreePeople {
    async fn sign_in(
        &self,
        account: &str,
        password: &Password,
    ) -> Result<Identity, DirectoryError> {
        let account = AccountName::parse(account).ok_or(DirectoryError::Refused)?;
        match self.look_up(&account).await? {
            Some(identity) if password.reveal() == PASSWORD => Ok(identity),
            _ => Err(DirectoryError::Refused),
        }
    }

    async fn look_up(&self, account: &AccountName) -> Result<Option<Identity>, DirectoryError> {
        let role = match account.as_str() {
            "ann" | "ben" => Role::Student,
            "root" => Role::Administrator,
            _ => return Ok(None),
        };
        let display_name = account.to_string().to_uppercase();
        Ok(Some(Identity { account: account.clone(), display_name, role, posix: None }))
    }
}
