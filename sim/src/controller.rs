//! The controller's host: what `berth-controller` composes, on the simulated network.

use std::{io, sync::Arc};

use berth_app::{
    background, nodes,
    nodes::Enrolment,
    numbers::first_choice,
    ports::Store as _,
    sign_in,
    state::State,
    writer::{self, Handle},
};
use berth_core::{
    account::{AccountName, Role, User},
    clock::{Clock, Timestamp},
    id::{IdSource, UserId},
};
use berth_session::{AgentServer, Registry, Rendezvous, listener};
use turmoil::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::{
    authority::authority,
    clock::Chance,
    store::WatchedStore,
    world::{CLUSTER, PORT, TIMING, World, rules},
};

pub(crate) const PEOPLE: [&str; 3] = ["ada", "bob", "cyd"];

pub(crate) async fn run(world: Arc<World>) -> turmoil::Result {
    let life = world.next_life();
    let clock: Arc<dyn Clock> = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let (memory, epoch) = world.store();
    let store = WatchedStore {
        inner: memory,
        chance: Chance::new(world.seed, &format!("store-{life}")),
        journal: Arc::clone(&world.journal),
        trouble: Arc::clone(&world.trouble),
    };
    let records = store.load(CLUSTER, epoch).await?;
    world.journal.started(&records, clock.now(), rules().grace);
    tracing::info!(life, revision = records.revision, "controller starts");
    let (handle, writer) =
        writer::new(State::restore(records), Arc::new(store), Arc::clone(&clock));
    let writing = tokio::spawn(writer.run());
    set_up(&world, &handle).await;
    world.set_live(Some(handle.clone()));
    world.open();

    let registry = Registry::new();
    tokio::spawn(registry.clone().watch_liveness(handle.clone(), TIMING));
    tokio::spawn(background::lease_expiry(handle.clone(), rules(), Arc::clone(&clock)));
    let ids: Arc<dyn IdSource> = Arc::new(Chance::new(world.seed, &format!("ids-{life}")));
    let authority = authority();
    let server = AgentServer {
        handle,
        relays: Rendezvous::new(registry.clone()),
        registry,
        timing: TIMING,
        authority: Arc::clone(authority) as Arc<dyn berth_session::CertificateAuthority>,
        clock,
        ids,
        figures: berth_app::figures::Figures::default(),
    };
    let tls =
        listener::tls(authority.server(), authority.der()).map_err(|error| error.to_string())?;
    let listening = TcpListener::bind(("0.0.0.0", PORT)).await?;
    tokio::spawn(listener::serve(
        server,
        tls,
        Box::pin(incoming(listening)),
        std::future::pending(),
    ));
    // The writer ends when the store is not its own any more: then the whole process does.
    let ended = writing.await;
    tracing::warn!(?ended, "the controller ends itself");
    world.set_live(None);
    world.end();
    std::future::pending().await
}

fn incoming(listener: TcpListener) -> impl futures::Stream<Item = io::Result<TcpStream>> {
    futures::stream::unfold(listener, |listener| async move {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        Some((accepted, listener))
    })
}

/// The accounts, and the blades as if they had joined. Done once; a controller that starts again finds them.
async fn set_up(world: &World, handle: &Handle) {
    if !handle.committed().state.users.is_empty() {
        return;
    }
    let blades: Vec<_> = world.blades.iter().map(|blade| (blade.node, blade.name)).collect();
    handle
        .apply(move |transaction| {
            for (index, account) in PEOPLE.iter().enumerate() {
                transaction.put_user(person(index, account));
            }
            for (node, name) in blades {
                let token_sha256 = sign_in::hash(name);
                nodes::add_join_token(
                    transaction,
                    token_sha256,
                    std::time::Duration::from_secs(60),
                );
                let enrolment = Enrolment {
                    token_sha256,
                    public_key_sha256: [0; 32],
                    node_name: name.to_owned(),
                    id: node,
                };
                nodes::enrol(transaction, &enrolment).map_err(berth_app::error::Error::internal)?;
            }
            Ok(())
        })
        .await
        .expect("nothing fails before the doors open");
}

pub(crate) fn person(index: usize, account: &str) -> User {
    let posix = first_choice(&AccountName::parse(account).expect("an account's name"));
    User {
        posix,
        id: UserId::new(Uuid::from_u128(0xa0 + index as u128)),
        account: AccountName::parse(account).expect("an account's name"),
        display_name: account.to_owned(),
        role: Role::Student,
        suspended: false,
        created_at: Timestamp(0),
    }
}
