//! Hints from the engine. They may be lost, repeated or late; whoever hears one looks for itself.

use std::time::Duration;

use berth_reconcile::runtime::{EngineId, Event};
use bollard::query_parameters::EventsOptions;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};

use crate::{engine::Engine, names::Identity};

/// The engine restarts in about a second.
const PAUSE: Duration = Duration::from_millis(500);

struct State {
    engine: Engine,
    identity: Identity,
    stream:
        Option<BoxStream<'static, Result<bollard::models::EventMessage, bollard::errors::Error>>>,
    /// When the last event happened, in nanoseconds since 1970.
    since: Option<i64>,
}

pub(crate) fn events(engine: Engine, identity: Identity) -> BoxStream<'static, Event> {
    let state = State { engine, identity, stream: None, since: None };
    stream::unfold(state, |mut state| async move {
        let event = state.next().await;
        Some((event, state))
    })
    .boxed()
}

impl State {
    async fn next(&mut self) -> Event {
        loop {
            let Some(stream) = &mut self.stream else {
                self.stream = Some(self.open());
                return Event::Resync;
            };
            match stream.next().await {
                Some(Ok(message)) => {
                    self.since = message.time_nano.or(self.since);
                    let id = message.actor.and_then(|actor| actor.id);
                    if let Some(id) = id.as_deref().and_then(EngineId::parse) {
                        return Event::Changed(id);
                    }
                }
                broken @ (Some(Err(_)) | None) => {
                    let error = broken.and_then(Result::err).map(|error| error.to_string());
                    tracing::debug!(error, "the engine's events ended; beginning anew");
                    self.stream = None;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn open(
        &self,
    ) -> BoxStream<'static, Result<bollard::models::EventMessage, bollard::errors::Error>> {
        let mut filters = self.identity.filters_with("event", &["start", "die", "oom", "destroy"]);
        filters.insert("type".to_owned(), vec!["container".to_owned()]);
        let since = self.since.map(|nanos| format!("{}.{:09}", nanos / NANOS, nanos % NANOS));
        let options = EventsOptions { since, until: None, filters: Some(filters) };
        let client = self.engine.quick.clone();
        // The request borrows nothing of the client, but its type does not say so.
        stream::once(async move { client.events(Some(options)).boxed() }).flatten().boxed()
    }
}

const NANOS: i64 = 1_000_000_000;
