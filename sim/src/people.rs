//! Three people who lend, stop, start and return, and try again when they get no answer.

use std::{sync::Arc, time::Duration};

use berth_app::{
    authz::Actor,
    containers::{self, Selector},
    error::Error,
    transaction::Transaction,
    update::{self, Asked, Consent},
    writer::Handle,
};
use berth_core::{
    container::{ContainerName, ContainerSpec, RuntimeKind},
    create::{CreateRequest, Limits, NewContainer},
    definition::change::{Change, Field},
    guest_port::RawPorts,
    id::{ContainerId, RequestId, SessionId},
    image::ImageRef,
    resources::{MIB, Resources},
    storage::RunAs,
};
use uuid::Uuid;

use crate::{
    clock::Chance,
    controller::{PEOPLE, person},
    world::{World, rules},
};

/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
pub(crate) const IMAGES: [&str; 3] = ["busybox", "python:3.13", "jupyter"];

struct People {
    world: Arc<World>,
    chance: Chance,
    actors: Vec<Actor>,
    /// What was created, as far as its owner knows.
    mine: Vec<(usize, ContainerId)>,
    made: u64,
}

pub(crate) async fn run(world: Arc<World>, crowd: Crowd) -> turmoil::Result {
    let actors = PEOPLE.iter().enumerate().map(|(index, account)| Actor {
        user: Arc::new(person(index, account)),
        session: SessionId::new(Uuid::nil()),
    });
    let chance = Chance::new(world.seed, "people");
    let mut people = People { actors: actors.collect(), chance, mine: Vec::new(), made: 0, world };
    while !people.world.is_open() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    if crowd == Crowd::Class {
        people.class().await;
    }
    while !people.world.is_closed() {
        tokio::time::sleep(people.chance.millis(10, 500)).await;
        people.act().await;
    }
    Ok(())
}

/// How many come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crowd {
    Few,
    /// Enough on one blade that differences are sent.
    Class,
}

impl People {
    /// Forty small ones on the first blade.
    async fn class(&mut self) {
        for number in 0..40 {
            let mut new = self.request();
            new.spec.resources = Resources::new(50, 16 * MIB);
            new.spec.gpus = 0;
            new.spec.node_labels = [("blade".to_owned(), "blade-1".to_owned())].into();
            new.lease = Duration::from_secs(3600);
            self.create(number % PEOPLE.len(), new).await;
        }
    }

    async fn act(&mut self) {
        let choice = self.chance.between(0, 99);
        if choice < 35 || self.mine.is_empty() {
            let owner = usize::try_from(self.chance.between(0, 2)).unwrap_or(0);
            let new = self.request();
            self.create(owner, new).await;
            return;
        }
        let Some((owner, id)) = self.chance.pick(&self.mine).copied() else { return };
        if !self.is_known(owner) {
            return;
        }
        let (actor, rules) = (self.actors[owner].clone(), rules());
        let which = Selector { owner: String::new(), name: id.to_string() };
        let lease = self.chance.millis(5_000, 120_000);
        let Some(handle) = self.world.live() else { return };
        let (what, done) = match choice {
            35..48 => (
                "stop",
                answer(&handle, move |t| containers::stop(t, &actor, &which).map(drop)).await,
            ),
            48..62 => (
                "start",
                answer(&handle, move |t| containers::start(t, &actor, &which).map(drop)).await,
            ),
            62..74 => (
                "restart",
                answer(&handle, move |t| containers::restart(t, &actor, &which).map(drop)).await,
            ),
            74..78 => (
                "extend",
                answer(&handle, move |t| {
                    containers::extend_lease(t, &actor, &which, lease).map(drop)
                })
                .await,
            ),
            78..81 => (
                "shell",
                answer(&handle, move |t| containers::start_with_shell(t, &actor, &which).map(drop))
                    .await,
            ),
            81..84 => {
                // A program of theirs ends by itself.
                self.exit(id);
                return;
            }
            84..89 => {
                let asked = self.another_size();
                let change = move |transaction: &mut Transaction| {
                    update::update(transaction, &actor, &which, &asked, &limits()).map(drop)
                };
                ("change", answer(&handle, change).await)
            }
            _ => {
                self.world.journal.deleting(id);
                ("delete", answer(&handle, move |t| containers::delete(t, &actor, &which)).await)
            }
        };
        tracing::info!(container.id = %id, what, answer = ?done.as_ref().map_err(ToString::to_string), grace = ?rules.grace, "asked");
        if matches!(done, Err(Error::NotFound { .. })) {
            self.mine.retain(|(_, other)| *other != id);
        }
    }

    /// One that runs is made anew for it.
    fn another_size(&self) -> Asked {
        let chance = &self.chance;
        let wanted = CreateRequest {
            cpu_millis: u32::try_from(chance.between(200, 1500)).unwrap_or(200),
            gpus: u32::from(chance.one_in(3)),
            guest_ports: [8000, 8001, 8002].into_iter().filter(|_| chance.one_in(2)).collect(),
            ..CreateRequest::default()
        };
        let fields = [Field::Cpu, Field::Gpus, Field::GuestPorts].into();
        Asked { change: Change { fields, wanted }, consent: Consent::Recreation }
    }

    /// Somebody whom the database does not know cannot sign in.
    fn is_known(&self, who: usize) -> bool {
        let user = self.actors[who].user.id;
        self.world.live().is_some_and(|live| live.committed().state.users.contains_key(&user))
    }

    fn exit(&self, id: ContainerId) {
        let code = i32::try_from(self.chance.between(0, 3)).unwrap_or(0);
        tracing::info!(container.id = %id, code, "a program ends");
        self.world.blades.iter().for_each(|blade| blade.machine.exit(id, code));
    }

    fn request(&mut self) -> NewContainer {
        let chance = &self.chance;
        self.made += 1;
        // One in fifteen asks for more than there is anywhere.
        let cpu = if chance.one_in(15) { 64_000 } else { chance.between(200, 1500) };
        let lease =
            if chance.one_in(6) { chance.millis(5_000, 30_000) } else { Duration::from_secs(3600) };
        let image = chance.pick(&IMAGES).copied().unwrap_or(IMAGES[0]);
        NewContainer {
            name: ContainerName::parse(&format!("c{}", self.made)).expect("a name"),
            spec: ContainerSpec {
                image: ImageRef::parse(image).expect("an image"),
                command: vec![],
                environment: [("A".to_owned(), "1".to_owned())].into(),
                guest_ports: [8000, 8001].into_iter().filter(|_| chance.one_in(2)).collect(),
                gpus: u32::from(chance.one_in(4)),
                resources: Resources::new(u32::try_from(cpu).unwrap_or(u32::MAX), 64 * MIB),
                tty: false,
                stdin: false,
                node_labels: [].into(),
                runtime: RuntimeKind::Docker,
                unpublished: vec![],
                run_as: if chance.one_in(3) { RunAs::Image } else { RunAs::Account },
                holder: None,
                secrets: Default::default(),
                lease: None,
                volumes: vec![],
            },
            lease,
            request_id: Some(RequestId::new(chance.uuid())),
            volumes: vec![],
        }
    }

    /// Asks up to three times under one request id: it must come to one container.
    async fn create(&mut self, owner: usize, new: NewContainer) {
        let mut ids = Vec::new();
        for _ in 0..3 {
            if !self.is_known(owner) {
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            }
            let Some(handle) = self.world.live() else {
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            };
            let (actor, new) = (self.actors[owner].clone(), new.clone());
            let id = ContainerId::new(self.chance.uuid());
            ids.push(id);
            let made = answer(&handle, move |transaction| {
                containers::create(transaction, &actor, id, new, &rules())
            })
            .await;
            tracing::info!(name = %self.made, answer = ?made.as_ref().map_err(ToString::to_string), "asked to create");
            match made {
                Ok(id) => {
                    if !ids.contains(&id) {
                        self.world.journal.violation("a creation was answered with another's id");
                    }
                    self.world.journal.created(id);
                    self.mine.push((owner, id));
                    return;
                }
                Err(Error::Unavailable { .. }) => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                Err(_) => return,
            }
        }
        // No answer: any of them may be there.
        self.mine.extend(ids.into_iter().map(|id| (owner, id)));
    }
}

/// Nobody here asks for what a site would not allow.
fn limits() -> Limits {
    Limits {
        default_resources: Resources::new(1000, 64 * MIB),
        maximum_resources: Resources::new(64_000, 64 * MIB),
        maximum_gpus: 8,
        default_lease: Duration::from_secs(3600),
        maximum_lease: Duration::from_secs(24 * 3600),
        raw_ports: RawPorts::Default,
    }
}

async fn answer<T: Send + 'static>(
    handle: &Handle,
    command: impl FnOnce(&mut berth_app::transaction::Transaction) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::time::timeout(PATIENCE, handle.apply(command)).await {
        Ok(result) => result,
        Err(_) => Err(Error::Unavailable { retry_after: PATIENCE }),
    }
}
