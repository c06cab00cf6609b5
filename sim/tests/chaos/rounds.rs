//! What happens in a round, and what must be so after it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use berth_app::ports::{ChangeSet, Changes, Store as _};
use berth_core::id::{ClusterId, Epoch};
use berth_proto::v1::CreateContainerRequest;
use berth_store::SqlStore;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::process::Child;
use uuid::Uuid;

use crate::{
    api::Api,
    cluster::{ADMINISTRATOR, Cluster, PASSWORD, PEOPLE, ended, kill},
    engine::{self, IMAGE},
    registry::Registry,
    terminal::Seat,
};

/// Every point in the agent that has a name.
pub(crate) const POINTS: [&str; 9] = [
    "network-created",
    "created",
    "started",
    "pulled",
    "restart-begun",
    "stopped",
    "removed",
    "before-ledger",
    "after-ledger",
];

/// Ends when it is told to, and not before.
const PROGRAM: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";
/// Has a container only while the network's point is tried.
const RARE: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Break {
    Line,
    Controller,
    Agent,
    Both,
}

const BREAKS: [Break; 4] = [Break::Line, Break::Controller, Break::Agent, Break::Both];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Runs,
    Stopped,
}

pub(crate) struct Rounds {
    random: StdRng,
    people: Vec<Api>,
    pub(crate) administrator: Api,
    registry: Registry,
    controller: Option<Child>,
    agent: Option<Child>,
    /// What everybody wants, by owner and name.
    pub(crate) wishes: BTreeMap<(usize, String), Wish>,
    /// Of this round.
    pub(crate) touched: BTreeSet<(usize, String)>,
    pub(crate) started_at: BTreeMap<String, String>,
    made: u32,
    // Last: it purges when everything else is gone.
    pub(crate) cluster: Cluster,
}

impl Rounds {
    pub(crate) async fn begin(seed: u64, planted: Option<&'static str>) -> Self {
        let tar = engine::busybox();
        engine::import(&tar);
        let registry = Registry::serve(tar).await;
        let mut cluster = Cluster::new(planted);
        cluster.add_accounts();
        let controller = cluster.start_controller();
        let ca = cluster.authority();
        let administrator = Api::sign_in(cluster.api, &ca, ADMINISTRATOR, PASSWORD).await;
        let mut people = Vec::new();
        for account in PEOPLE {
            people.push(Api::sign_in(cluster.api, &ca, account, PASSWORD).await);
        }
        cluster.join(&administrator.join_string().await);
        let agent = cluster.start_agent(None);
        let mut rounds = Self {
            random: StdRng::seed_from_u64(seed),
            people,
            administrator,
            registry,
            controller: Some(controller),
            agent: Some(agent),
            wishes: BTreeMap::new(),
            touched: BTreeSet::new(),
            started_at: BTreeMap::new(),
            made: 0,
            cluster,
        };
        // Some are there from the beginning, and nobody asks anything of them.
        for owner in 0..2 {
            rounds.lend(owner, IMAGE.to_owned()).await;
        }
        rounds.settle().await;
        rounds.remember();
        rounds
    }

    // === what people do ===

    fn request(&mut self, image: String) -> CreateContainerRequest {
        self.made += 1;
        CreateContainerRequest {
            name: format!("c{}", self.made),
            image,
            command: ["sh", "-c", PROGRAM].map(ToOwned::to_owned).to_vec(),
            guest_ports: vec![80],
            cpu_millis: 10,
            memory_bytes: 16 << 20,
            request_id: Uuid::from_u128(self.random.random()).to_string(),
            ..CreateContainerRequest::default()
        }
    }

    async fn lend(&mut self, owner: usize, image: String) -> String {
        let request = self.request(image);
        let name = request.name.clone();
        self.people[owner].create(request).await;
        self.wish(owner, &name, Some(Wish::Runs));
        name
    }

    fn wish(&mut self, owner: usize, name: &str, wish: Option<Wish>) {
        let key = (owner, name.to_owned());
        self.touched.insert(key.clone());
        match wish {
            Some(wish) => self.wishes.insert(key, wish),
            None => self.wishes.remove(&key),
        };
    }

    async fn give_back(&mut self, owner: usize, name: &str) {
        self.people[owner].delete(name).await;
        self.wish(owner, name, None);
    }

    pub(crate) async fn lend_one(&mut self) {
        self.lend(0, IMAGE.to_owned()).await;
        self.settle().await;
    }

    // === rounds ===

    /// The agent dies at `point`; what leads it there is asked for after its start.
    pub(crate) async fn killed_at(&mut self, point: &'static str) {
        let prepared = match point {
            "stopped" | "removed" | "restart-begun" => {
                let name = self.lend(2, IMAGE.to_owned()).await;
                self.settle().await;
                Some(name)
            }
            _ => None,
        };
        self.restart_agent(Some(point)).await;
        let before = self.cluster.agent_log().matches("BERTH_DIE_AT reached").count();
        match (point, &prepared) {
            ("network-created", _) => {
                self.lend(RARE, IMAGE.to_owned()).await;
            }
            ("pulled", _) => {
                let image = format!("127.0.0.1:{}/chaos:{}", self.registry.port, self.made);
                self.lend(1, image).await;
            }
            ("restart-begun", Some(name)) => {
                self.people[2].restart(name).await;
                self.wish(2, name, Some(Wish::Runs));
            }
            ("stopped", Some(name)) => {
                self.people[2].stop(name).await;
                self.wish(2, name, Some(Wish::Stopped));
            }
            ("removed", Some(name)) => self.give_back(2, name).await,
            _ => {
                self.lend(2, IMAGE.to_owned()).await;
            }
        }
        let mut agent = self.agent.take().expect("it was started");
        ended(&mut agent).await;
        let log = self.cluster.agent_log();
        let said = format!("BERTH_DIE_AT reached: {point}");
        assert!(
            log.matches("BERTH_DIE_AT reached").count() > before && log.contains(&said),
            "the point {point:?} was not reached"
        );
        self.agent = Some(self.cluster.start_agent(None));
        self.settle().await;
        // Its network goes with its last container.
        let rare: Vec<_> =
            self.wishes.keys().filter(|(owner, _)| *owner == RARE).cloned().collect();
        for (owner, name) in rare {
            self.give_back(owner, &name).await;
        }
        self.settle().await;
    }

    /// Somebody works in a shell while the network, the controller, the agent, and both programs go and come back. What is
    /// printed meanwhile is there afterwards, each byte once, from the same shell.
    pub(crate) async fn at_a_terminal(&mut self) {
        let mut seat = Seat::new(self.people[0].exec.clone(), "c1");
        let shell = seat.shell_pid().await;
        let terminal = seat.terminal();
        for (number, break_it) in BREAKS.into_iter().enumerate() {
            // It prints while nobody can listen.
            let mark = format!("mark-{number}");
            seat.types(&format!("(sleep 1; echo {mark}-a; sleep 2; echo {mark}-b) &\n")).await;
            seat.reads("&").await;
            match break_it {
                Break::Line => seat.cut(),
                Break::Controller => {
                    kill(self.controller.take().expect("it runs")).await;
                    self.controller = Some(self.cluster.start_controller());
                }
                Break::Agent => self.restart_agent(None).await,
                Break::Both => {
                    kill(self.controller.take().expect("it runs")).await;
                    self.restart_agent(None).await;
                    self.controller = Some(self.cluster.start_controller());
                }
            }
            seat.reads(&format!("{mark}-b\r\n")).await;
            let seen = String::from_utf8_lossy(&seat.seen).into_owned();
            for part in ["a", "b"] {
                // The echo of what was typed has something else after it.
                let line = format!("{mark}-{part}\r\n");
                assert_eq!(seen.matches(&line).count(), 1, "{break_it:?}: {seen}");
            }
            assert_eq!(seat.shell_pid().await, shell, "after {break_it:?}");
            assert_eq!(seat.terminal(), terminal);
        }
    }

    async fn restart_agent(&mut self, die_at: Option<&str>) {
        if let Some(agent) = self.agent.take() {
            kill(agent).await;
        }
        self.agent = Some(self.cluster.start_agent(die_at));
    }

    /// People do several things at once, and meanwhile the controller, the agent or both are killed.
    pub(crate) async fn killed_at_random(&mut self) {
        let victims = self.random.random_range(0..3);
        let moments = [self.random.random_range(0..1500), self.random.random_range(0..600)];
        let [dies, comes] = moments.map(Duration::from_millis);
        let (mut controller, mut agent) = (self.controller.take(), self.agent.take());
        let work = self.work();
        let doing = futures::future::join_all(work.into_iter().map(|(api, job)| job.run(api)));
        let cluster = &self.cluster;
        let dying = async {
            tokio::time::sleep(dies).await;
            if victims != 1
                && let Some(victim) = controller.take()
            {
                kill(victim).await;
            }
            if victims != 0
                && let Some(victim) = agent.take()
            {
                kill(victim).await;
            }
            tokio::time::sleep(comes).await;
            let controller = controller.unwrap_or_else(|| cluster.start_controller());
            let agent = agent.unwrap_or_else(|| cluster.start_agent(None));
            (controller, agent)
        };
        let (_, (controller, agent)) = tokio::join!(doing, dying);
        (self.controller, self.agent) = (Some(controller), Some(agent));
        self.settle().await;
    }

    /// Two are lent, and one each is given back, stopped, started and restarted, where there is one.
    fn work(&mut self) -> Vec<(Api, Job)> {
        let mut work = Vec::new();
        for owner in 0..2 {
            let request = self.request(IMAGE.to_owned());
            self.wish(owner, &request.name, Some(Wish::Runs));
            work.push((self.people[owner].clone(), Job::Create(Box::new(request))));
        }
        // The first two of all are left alone.
        let mut others: Vec<_> = self
            .wishes
            .iter()
            .filter(|(key, _)| {
                !self.touched.contains(*key) && !["c1", "c2"].contains(&key.1.as_str())
            })
            .map(|(key, wish)| (key.clone(), *wish))
            .collect();
        let jobs = [
            (None, Wish::Runs),
            (Some(Wish::Stopped), Wish::Runs),
            (Some(Wish::Runs), Wish::Stopped),
            (Some(Wish::Runs), Wish::Runs),
        ];
        for (wish, now) in jobs {
            let fitting: Vec<usize> = (0..others.len())
                .filter(|index| wish.is_none() || others[*index].1 == now)
                .collect();
            if fitting.is_empty() || (wish.is_none() && others.len() < 3) {
                continue;
            }
            let ((owner, name), was) =
                others.remove(fitting[self.random.random_range(0..fitting.len())]);
            self.wish(owner, &name, wish);
            let job = match (wish, was) {
                (None, _) => Job::Delete(name),
                (Some(Wish::Stopped), _) => Job::Stop(name),
                (Some(Wish::Runs), Wish::Stopped) => Job::Start(name),
                (Some(Wish::Runs), Wish::Runs) => Job::Restart(name),
            };
            work.push((self.people[owner].clone(), job));
        }
        work
    }

    /// The engine fails to remove a container: its row must stay, which it does not when the removal is reported before it
    /// happened. Answers with what is wrong.
    pub(crate) async fn removal_fails(&mut self) -> Vec<String> {
        let name = self.lend(2, IMAGE.to_owned()).await;
        let rows = self.settle().await;
        let id = rows.values().find(|row| row.name == name).expect("it runs").id.clone();
        let held = engine::Held::new(&self.cluster.cluster_id(), &id);
        self.give_back(2, &name).await;
        let found = self.compare().await;
        drop(held);
        found
    }

    /// The operator's manual: a backup is copied, one is lent and one stopped after it, the backup is put back, a new epoch
    /// begun. Answers with what is wrong then.
    pub(crate) async fn database_put_back(&mut self) -> Vec<String> {
        kill(self.controller.take().expect("it runs")).await;
        let backup = self.database_files();
        self.controller = Some(self.cluster.start_controller());
        let later = self.lend(2, IMAGE.to_owned()).await;
        let stopped = "c1";
        self.people[0].stop(stopped).await;
        self.wish(0, stopped, Some(Wish::Stopped));
        let rows = self.settle().await;
        self.remember();
        let placed =
            |name: &str| rows.values().find(|row| row.name == name).map(|row| row.id.clone());
        let (later, stopped) = (placed(&later), placed(stopped));
        assert!(later.is_some() && stopped.is_some());

        kill(self.controller.take().expect("it runs")).await;
        for (path, content) in backup {
            match content {
                Some(content) => std::fs::write(path, content).unwrap(),
                None => drop(std::fs::remove_file(path)),
            }
        }
        self.cluster.begin_new_epoch();
        self.controller = Some(self.cluster.start_controller());
        // A new one: when it runs, the new set has been carried out. Everything else is as it was, the ids too.
        self.lend(2, IMAGE.to_owned()).await;
        let mut wrong = self.compare().await;
        let rows = self.settle().await;
        for id in [later, stopped].into_iter().flatten() {
            if !rows.contains_key(&id) {
                wrong.push(format!("{id} is not known any more"));
            }
        }
        wrong
    }

    /// The database as its files are, of a controller that was killed.
    fn database_files(&self) -> Vec<(std::path::PathBuf, Option<Vec<u8>>)> {
        ["controller.db", "controller.db-wal", "controller.db-shm"]
            .map(|name| self.cluster.controller_data().join(name))
            .map(|path| (path.clone(), std::fs::read(path).ok()))
            .into()
    }

    /// A row vanishes from the database, and its blade's count goes on: what no controller does. True if the container was
    /// destroyed for it.
    pub(crate) async fn row_lost(&mut self) -> bool {
        let name = self.lend(2, IMAGE.to_owned()).await;
        let rows = self.settle().await;
        let lost = rows.values().find(|row| row.name == name).expect("it runs").id.clone();
        kill(self.controller.take().expect("it runs")).await;
        let store = self.open().await;
        let nobody = (ClusterId::new(Uuid::nil()), Epoch::new(Uuid::nil()));
        let records = store.load(nobody.0, nobody.1).await.unwrap();
        let mut nodes = records.nodes;
        nodes.iter_mut().for_each(|node| node.desired_generation += 1);
        let changes = ChangeSet {
            revision: records.revision + 1,
            nodes: all(nodes),
            containers: Changes { upserts: Vec::new(), deletes: vec![lost.parse().unwrap()] },
            ..ChangeSet::default()
        };
        store.commit(&changes).await.unwrap();
        store.close().await.unwrap();
        self.controller = Some(self.cluster.start_controller());
        self.wishes.remove(&(2, name));
        // A new one: when it runs, the new set has been carried out.
        self.lend_one().await;
        let there = engine::containers(&self.cluster.cluster_id());
        !there.get(&lost).is_some_and(|found| found.running)
    }

    async fn open(&self) -> SqlStore {
        SqlStore::open(&format!("sqlite://{}", self.cluster.database().display())).await.unwrap()
    }

    /// Everything is given back, and then nothing is left.
    pub(crate) async fn end(mut self) {
        for (owner, name) in self.wishes.keys().cloned().collect::<Vec<_>>() {
            self.give_back(owner, &name).await;
        }
        assert_eq!(self.compare().await, Vec::<String>::new());
        let cluster = self.cluster.cluster_id();
        assert!(engine::containers(&cluster).is_empty());
    }
}

enum Job {
    Create(Box<CreateContainerRequest>),
    Delete(String),
    Stop(String),
    Start(String),
    Restart(String),
}

impl Job {
    async fn run(self, api: Api) {
        match self {
            Job::Create(request) => drop(api.create(*request).await),
            Job::Delete(name) => api.delete(&name).await,
            Job::Stop(name) => api.stop(&name).await,
            Job::Start(name) => api.start(&name).await,
            Job::Restart(name) => api.restart(&name).await,
        }
    }
}

fn all<K, V>(rows: Vec<V>) -> Changes<K, V> {
    Changes { upserts: rows.into_iter().map(Arc::new).collect(), deletes: Vec::new() }
}
