//! A blade's host: what `berth-agent` composes, over the simulated machine and network.

use std::{sync::Arc, time::Duration};

use berth_agent::{
    connect::{self, Dial, Stream},
    relay::{Connect, NoOperator, Relays},
    session::Agent,
};
use berth_core::clock::Clock;
use berth_reconcile::reconciler::{Options, Reconciler};
use tokio::sync::watch;
use turmoil::net::TcpStream;

use crate::{
    authority::{CONTROLLER, authority},
    blade::Blade,
    clock::Chance,
    engine::Engine,
    world::{PORT, World},
};

/// How often an agent looks at its machine.
const LOOK: Duration = Duration::from_secs(5);

pub(crate) async fn run(world: Arc<World>, blade: Arc<Blade>) -> turmoil::Result {
    let life = world.next_life();
    tracing::info!(blade = blade.name, life, "agent starts");
    let clock: Arc<dyn Clock> = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let options = Options {
        stop_grace: Duration::from_secs(2),
        refresh: Duration::from_secs(12),
        booted_at: blade.booted_at(),
        planted: world.planted,
        ..Options::default()
    };
    let reconciler = Arc::new(Reconciler::new(
        Arc::new(Engine(Arc::clone(&blade))),
        Arc::new(Engine(Arc::clone(&blade))),
        blade.machine.ledger(),
        Arc::clone(&clock),
        options,
    ));
    blade.has_agent(&reconciler);
    tokio::spawn(Arc::clone(&reconciler).drive());

    let (publish, inventory) = watch::channel(blade.inventory());
    let looking = Arc::clone(&blade);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = looking.inventory();
            publish.send_if_modified(|before| {
                let changed = *before != now;
                *before = now;
                changed
            });
        }
    });

    let identity = Arc::new(authority().identity(blade.node)?);
    let dial = dial();
    let connect: Connect = Arc::new(move || {
        let (identity, dial) = (Arc::clone(&identity), Arc::clone(&dial));
        Box::pin(async move {
            let tls = connect::mutual_tls(&identity)?;
            Ok(connect::channel(&identity.membership.controller, tls, &dial).await?)
        })
    });
    let agent = Agent {
        relays: Relays::new(Arc::new(NoOperator), Arc::clone(&connect)),
        reconciler,
        inventory,
        // Nobody looks at what is used: there is no kernel.
        figures: watch::channel(None).1,
        clock,
        instance_id: format!("{}-{life}", blade.name),
        boot_id: format!("{}", blade.booted_at().0),
    };
    let chance = Chance::new(world.seed, &format!("{}-backoff-{life}", blade.name));
    agent.run(connect, move || chance.fraction()).await;
    Ok(())
}

fn dial() -> Dial {
    Arc::new(|_| {
        Box::pin(async {
            let stream = TcpStream::connect((CONTROLLER, PORT)).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    })
}
