//! Programs in containers whose owner has died: a holder that was killed, an agent that ran single commands.

use std::collections::{BTreeMap, BTreeSet};

use berth_core::id::ContainerId;
use berth_docker::exec::{Error, ExecId, GRACE};
use berth_reconcile::runtime::EngineId;
use futures::{StreamExt as _, future::join_all, stream};

use super::{Holders, RUN_MARK, TERMINAL_MARK, numbers};

/// Containers at a time.
const AT_ONCE: usize = 8;

/// Of the terminals that some holder has; `None` when one of them said nothing, and so nobody knows.
type Held = Option<BTreeSet<(String, String)>>;

impl Holders {
    /// Hangs up what nobody owns in our containers. Once, when an agent starts and before it runs anything: single
    /// commands are taken to be another agent's. Returns how many there were.
    ///
    /// `containers` are all of ours, running or not: of others the terminals' numbers are forgotten.
    pub async fn sweep(&self, containers: &BTreeMap<ContainerId, EngineId>) -> usize {
        let (terminals, silent) = self.list_all().await;
        let held: Held = (silent == 0).then(|| {
            let live = terminals.into_iter().filter(|terminal| !terminal.ended);
            live.map(|terminal| (terminal.container_id, terminal.number.to_string())).collect()
        });
        // Owned: a borrow in here would not let the whole be a task.
        let (held, each) = (&held, containers.clone());
        let ended: Vec<usize> = stream::iter(each)
            .map(|(container, engine)| async move {
                self.sweep_container(container, &engine, held).await
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        if let Err(error) =
            numbers::keep(&self.inner.directory, &containers.keys().copied().collect())
        {
            tracing::warn!(%error, "the terminals' numbers of containers that have gone stay");
        }
        ended.into_iter().sum()
    }

    async fn sweep_container(
        &self,
        container: ContainerId,
        engine: &EngineId,
        held: &Held,
    ) -> usize {
        let execs = match self.inner.exec.container(engine).await {
            Ok(facts) if facts.is_running => facts.execs,
            Ok(_) | Err(Error::NoSuchContainer) => return 0,
            Err(error) => {
                tracing::warn!(%container, %error, "not looked at for programs that nobody owns");
                return 0;
            }
        };
        let mut count = 0;
        // At once: one that is deaf to a hang-up takes seconds, and somebody may be waiting for the agent.
        for swept in
            join_all(execs.iter().map(|id| self.sweep_exec(container, engine, id, held))).await
        {
            match swept {
                Ok(Swept::Ended) => count += 1,
                Ok(Swept::Left) => {}
                Err(error) => {
                    tracing::warn!(%container, %error, "a program that nobody owns may run on");
                }
            }
        }
        count
    }

    async fn sweep_exec(
        &self,
        container: ContainerId,
        engine: &EngineId,
        id: &ExecId,
        held: &Held,
    ) -> Result<Swept, Error> {
        let Some(process) = self.inner.exec.process(engine, id).await? else {
            return Ok(Swept::Left);
        };
        let owned = match process.environment(TERMINAL_MARK) {
            Some(number) => match held {
                Some(held) => held.contains(&(container.to_string(), number)),
                None => true,
            },
            // Without any mark it is not ours: an administrator's.
            None => process.environment(RUN_MARK).is_none(),
        };
        if owned {
            return Ok(Swept::Left);
        }
        tracing::info!(%container, pid = process.pid(), "ending a program that nobody owns");
        process.hang_up(GRACE).await.map_err(|error| Error::Process(error.to_string()))?;
        Ok(Swept::Ended)
    }
}

enum Swept {
    Ended,
    Left,
}
