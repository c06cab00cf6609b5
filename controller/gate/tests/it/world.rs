//! A site with two students, an administrator and containers, and a browser's way of asking.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use berth_app::{
    authz::Actor,
    containers::{self, Rules, Selector},
    nodes::{self, Enrolment},
    observe,
    ports::Store as _,
    shares::{self, NewLink},
    sign_in::hash,
    state::State,
    writer::{self, Handle},
};
use berth_core::{
    account::{AccountName, Role, Session, User},
    app_host::{AppDomain, AppLabel},
    clock::{Clock, Timestamp},
    container::{ContainerName, RuntimeKind},
    create::{self, CreateRequest, Limits},
    guest_port::RawPorts,
    id::{ClusterId, ContainerId, Epoch, IdSource, NodeId, SessionId, ShareLinkId, UserId},
    node::Inventory,
    observed::{Observed, ObservedPhase},
    resources::{GIB, Resources},
    storage::{Posix, RunAs},
};
use berth_gate::{Gate, Options, Parts};
use berth_store::MemoryStore;
use http_body_util::BodyExt as _;
use tokio::sync::watch;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::program::{Program, WEB};

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);
pub(crate) const DOMAIN: &str = "apps.test";
pub(crate) const CONSOLE: &str = "berth.test:8443";
pub(crate) const COOKIE: &str = "__Host-berth";
const RULES: Rules = Rules {
    containers_per_person: 5,
    volumes_per_person: 3,
    space: berth_core::space::SpaceLimits { home: None, volume: None, layer: None },
    grace: Duration::from_secs(3600),
};

pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) handle: Handle,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) program: Program,
    node: NodeId,
    ids: TestIds,
}

/// Somebody who is signed in at the console.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user: User,
    pub(crate) session: SessionId,
    pub(crate) token: String,
}

impl Person {
    pub(crate) fn actor(&self) -> Actor {
        Actor { user: Arc::new(self.user.clone()), session: self.session }
    }
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
        let number = u128::from(self.0.fetch_add(1, Ordering::Relaxed));
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let ids = TestIds(AtomicU64::new(1));
        let clock = Arc::new(TestClock(AtomicI64::new(NOW.0)));
        let store = Arc::new(MemoryStore::new());
        let records = store.load(ClusterId::new(ids.next()), Epoch::new(ids.next())).await.unwrap();
        let as_clock: Arc<dyn Clock> = clock.clone();
        let (handle, writer) = writer::new(State::restore(records), store, as_clock.clone());
        tokio::spawn(writer.run());
        let node = add_blade(&handle, &ids).await;
        let (stopping, stopped) = watch::channel(false);
        let program = Program::start().await;
        let gate = Gate::new(Parts {
            options: Options {
                domain: AppDomain { domain: DOMAIN.to_owned(), port: 8443 },
                console: format!("https://{CONSOLE}"),
                console_cookie: COOKIE,
                key: [9; 32],
            },
            writer: handle.clone(),
            relays: Arc::new(program.clone()),
            clock: as_clock,
            stopping: stopped,
        });
        let console = Router::new().fallback(|| async { "the console" });
        let router = gate.router(console);
        Self { router, handle, clock, stopping, program, node, ids }
    }

    pub(crate) async fn person(&self, account: &str, role: Role) -> Person {
        let number = self.handle.committed().state.users.len();
        let user = User {
            id: UserId::new(self.ids.next()),
            account: AccountName::parse(account).unwrap(),
            display_name: account.to_owned(),
            role,
            posix: Posix::new(50_000 + u32::try_from(number).unwrap(), 50_000).unwrap(),
            suspended: false,
            created_at: NOW,
        };
        self.sign_in(&user).await
    }

    pub(crate) async fn sign_in(&self, user: &User) -> Person {
        let session = SessionId::new(self.ids.next());
        let token = format!("berth_s_{session}");
        let (user, row) = (
            user.clone(),
            Session {
                id: session,
                user: user.id,
                token_sha256: hash(&token),
                device: String::new(),
                address: String::new(),
                created_at: NOW,
                expires_at: NOW + Duration::from_secs(3600),
            },
        );
        let person = Person { user: user.clone(), session, token };
        self.handle
            .apply(move |transaction| {
                transaction.put_user(user);
                transaction.put_session(row);
                Ok(())
            })
            .await
            .unwrap();
        person
    }

    /// A container of theirs that runs.
    pub(crate) async fn lend(&self, owner: &Person, name: &str) -> ContainerId {
        let id = ContainerId::new(self.ids.next());
        let request = CreateRequest {
            name: name.to_owned(),
            image: "python:3.13".to_owned(),
            guest_ports: vec![u32::from(WEB)],
            runtime: Some(RuntimeKind::Docker),
            run_as: Some(RunAs::Image),
            ..CreateRequest::default()
        };
        let limits = Limits {
            default_resources: Resources::new(100, GIB),
            maximum_resources: Resources::new(8000, 32 * GIB),
            maximum_gpus: 4,
            default_lease: Duration::from_secs(8 * 3600),
            maximum_lease: Duration::from_secs(24 * 3600),
            raw_ports: RawPorts::Default,
        };
        let new = create::check(&request, &limits).unwrap();
        let actor = owner.actor();
        self.handle
            .apply(move |transaction| containers::create(transaction, &actor, id, new, &RULES))
            .await
            .unwrap();
        self.report(id, ObservedPhase::Running).await;
        id
    }

    pub(crate) async fn report(&self, id: ContainerId, phase: ObservedPhase) {
        let node = self.node;
        self.handle
            .apply(move |transaction| {
                let report = observe::Report {
                    full: false,
                    held: u64::MAX,
                    reconciled_generation: 1,
                    containers: vec![(id, Observed::new(1, phase))],
                    orphans: None,
                };
                observe::report(transaction, node, report);
                Ok(())
            })
            .await
            .unwrap();
    }

    pub(crate) async fn delete(&self, owner: &Person, name: &str) {
        let (actor, selector) = (owner.actor(), named(name));
        let id = self
            .handle
            .apply(move |transaction| {
                let id = containers::find(transaction.state(), &actor, &selector)?.id;
                containers::delete(transaction, &actor, &selector).map(|()| id)
            })
            .await
            .unwrap();
        self.report(id, ObservedPhase::Removed).await;
    }

    pub(crate) async fn suspend(&self, person: &Person) {
        let user = User { suspended: true, ..person.user.clone() };
        self.handle
            .apply(move |transaction| {
                transaction.put_user(user);
                Ok(())
            })
            .await
            .unwrap();
    }

    pub(crate) async fn sign_out(&self, person: &Person) {
        let session = person.session;
        self.handle
            .apply(move |transaction| {
                transaction.remove_session(session);
                Ok(())
            })
            .await
            .unwrap();
    }

    /// A link's id and token.
    pub(crate) async fn share(
        &self,
        owner: &Person,
        name: &str,
        port: u16,
        lifetime: Duration,
    ) -> (ShareLinkId, String) {
        let id = ShareLinkId::new(self.ids.next());
        let token = format!("berth_l_{id}");
        let (actor, selector) = (owner.actor(), named(name));
        let new = NewLink { id, port, token_sha256: hash(&token), lifetime };
        self.handle
            .apply(move |transaction| shares::create(transaction, &actor, &selector, new))
            .await
            .unwrap();
        (id, token)
    }

    pub(crate) async fn unshare(&self, owner: &Person, name: &str, id: ShareLinkId) {
        let (actor, selector) = (owner.actor(), named(name));
        self.handle
            .apply(move |transaction| {
                shares::delete(transaction, &actor, &selector, &id.to_string())
            })
            .await
            .unwrap();
    }
}

pub(crate) fn named(name: &str) -> Selector {
    Selector { owner: String::new(), name: name.to_owned() }
}

pub(crate) fn host(owner: &Person, name: &str, port: u16) -> String {
    let label = AppLabel::of(port, owner.user.id, &ContainerName::parse(name).unwrap());
    format!("{label}.{DOMAIN}:8443")
}

async fn add_blade(handle: &Handle, ids: &TestIds) -> NodeId {
    let id = NodeId::new(ids.next());
    let inventory = Inventory {
        total: Resources::new(16_000, 64 * GIB),
        address: "192.0.2.1".into(),
        runtimes: vec![RuntimeKind::Docker],
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
            observe::connected(transaction, id, "test", inventory);
            Ok(())
        })
        .await
        .unwrap();
    id
}

/// A browser with its cookies, which does as browsers do with `Path=/` and host-only cookies.
#[derive(Default)]
pub(crate) struct Browser {
    cookies: Mutex<Vec<(String, String, String)>>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{self:?}");
        self.headers["location"].to_str().unwrap()
    }
}

pub(crate) type Pairs<'a> = &'a [(&'static str, &'a str)];

/// What a browser says when somebody types an address.
pub(crate) const TYPED: Pairs<'static> =
    &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
/// What a page's own script says.
pub(crate) const OWN_SCRIPT: Pairs<'static> =
    &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];

impl Browser {
    pub(crate) fn signed_in(person: &Person) -> Self {
        let browser = Self::default();
        browser.keep(CONSOLE, COOKIE, &person.token);
        browser
    }

    pub(crate) fn keep(&self, host: &str, name: &str, value: &str) {
        let mut cookies = self.cookies.lock().unwrap();
        cookies.retain(|(of, kept, _)| (of.as_str(), kept.as_str()) != (host, name));
        cookies.push((host.to_owned(), name.to_owned(), value.to_owned()));
    }

    pub(crate) fn cookie(&self, host: &str, name: &str) -> Option<String> {
        let cookies = self.cookies.lock().unwrap();
        let found = cookies.iter().find(|(of, kept, _)| of == host && kept == name);
        found.map(|(_, _, value)| value.clone())
    }

    pub(crate) fn cookies_for(&self, host: &str) -> String {
        let cookies = self.cookies.lock().unwrap();
        let of_host = cookies.iter().filter(|(of, _, _)| of == host);
        of_host.map(|(_, name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn learn(&self, host: &str, headers: &HeaderMap) {
        for cookie in headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap_or((rest, ""));
            if name.starts_with("__Host-berth") {
                for needed in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age="] {
                    assert!(attributes.contains(needed), "{cookie}");
                }
                assert!(!attributes.to_lowercase().contains("domain"), "{cookie}");
            }
            self.cookies
                .lock()
                .unwrap()
                .retain(|(of, kept, _)| (of.as_str(), kept.as_str()) != (host, name));
            if !attributes.contains("Max-Age=0") {
                self.keep(host, name, value);
            }
        }
    }

    pub(crate) async fn send(
        &self,
        world: &World,
        method: Method,
        url: &str,
        pairs: Pairs<'_>,
        body: Body,
    ) -> axum::response::Response {
        let rest = url.strip_prefix("https://").expect("only https");
        let (host, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
        let mut request =
            Request::builder().method(method).uri(format!("/{path}")).header("host", host);
        let cookies = self.cookies_for(host);
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        let peer: SocketAddr = "192.0.2.99:4711".parse().unwrap();
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        let response = world.router.clone().oneshot(request).await.unwrap();
        self.learn(host, response.headers());
        response
    }

    pub(crate) async fn ask(
        &self,
        world: &World,
        method: Method,
        url: &str,
        pairs: Pairs<'_>,
    ) -> Answer {
        let response = self.send(world, method, url, pairs, Body::empty()).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn get(&self, world: &World, url: &str) -> Answer {
        self.ask(world, Method::GET, url, OWN_SCRIPT).await
    }

    pub(crate) async fn go(&self, world: &World, url: &str) -> Answer {
        self.ask(world, Method::GET, url, TYPED).await
    }

    /// Goes on until there is a page.
    pub(crate) async fn follow(&self, world: &World, url: &str) -> (String, Answer) {
        let mut url = url.to_owned();
        for _ in 0..10 {
            let answer = self.go(world, &url).await;
            if answer.status != StatusCode::SEE_OTHER {
                return (url, answer);
            }
            url = answer.location().to_owned();
        }
        panic!("round and round: {url}");
    }
}
