//! What must be so after a round: what people want, what the API shows and what the engine has are one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use berth_agent::ledger::LedgerFile;
use berth_proto::v1::{Container, Phase};

use crate::{
    cluster::PEOPLE,
    engine::{self, Found},
    rounds::{Rounds, Wish},
};

/// Nobody is told when a network is gone.
const NETWORKS: Duration = Duration::from_secs(10);

impl Rounds {
    pub(crate) async fn settle(&self) -> BTreeMap<String, Container> {
        let wanted: BTreeMap<(String, String), Phase> = self
            .wishes
            .iter()
            .map(|((owner, name), wish)| {
                let phase = match wish {
                    Wish::Runs => Phase::Running,
                    Wish::Stopped => Phase::Stopped,
                };
                ((PEOPLE[*owner].to_owned(), name.clone()), phase)
            })
            .collect();
        self.administrator
            .until(|all| {
                let shown: BTreeMap<_, _> =
                    all.values().map(|c| ((c.owner.clone(), c.name.clone()), c.phase())).collect();
                shown == wanted
            })
            .await
    }

    pub(crate) fn remember(&mut self) {
        let engine = engine::containers(&self.cluster.cluster_id());
        self.started_at = engine
            .into_iter()
            .filter(|(_, f)| f.running)
            .map(|(id, f)| (id, f.started_at))
            .collect();
        self.touched.clear();
    }

    /// Everything on the engine that is not as it should be; a network's removal is given ten seconds.
    pub(crate) async fn compare(&mut self) -> Vec<String> {
        let rows = self.settle().await;
        let deadline = Instant::now() + NETWORKS;
        let found = loop {
            let found = self.differences(&rows);
            if found.is_empty() || Instant::now() > deadline {
                break found;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        self.remember();
        found
    }

    fn differences(&self, rows: &BTreeMap<String, Container>) -> Vec<String> {
        let cluster = self.cluster.cluster_id();
        let engine = engine::containers(&cluster);
        let mut wrong = Vec::new();
        for id in engine.keys().filter(|id| !rows.contains_key(*id)) {
            wrong.push(format!("{id} is there and is not wanted"));
        }
        for (id, row) in rows {
            match engine.get(id) {
                None => wrong.push(format!("{id} is not there")),
                Some(found) => wrong.extend(self.row_differences(id, row, found)),
            }
        }
        let users: BTreeSet<String> = engine.values().map(|found| found.user.clone()).collect();
        let networks = engine::networks(&cluster);
        if networks != users {
            wrong.push(format!("networks of {networks:?}, containers of {users:?}"));
        }
        wrong.extend(self.ledger_differences(rows));
        wrong
    }

    fn row_differences(&self, id: &str, row: &Container, found: &Found) -> Vec<String> {
        let mut wrong = Vec::new();
        let runs = row.phase() == Phase::Running;
        if runs != found.running {
            wrong.push(format!("{id} runs: {}, wanted: {runs}", found.running));
        }
        let ports: BTreeSet<u32> =
            row.endpoints.iter().map(|endpoint| endpoint.host_port).collect();
        if runs && ports != found.host_ports {
            wrong.push(format!("{id} has ports {:?}, not {ports:?}", found.host_ports));
        }
        let touched = self
            .touched
            .iter()
            .any(|(owner, name)| PEOPLE[*owner] == row.owner && *name == row.name);
        if let Some(before) = self.started_at.get(id)
            && !touched
            && *before != found.started_at
        {
            wrong.push(format!("{id} was started again, and nobody had asked"));
        }
        wrong
    }

    /// What the blade has acknowledged is on its disk.
    fn ledger_differences(&self, rows: &BTreeMap<String, Container>) -> Vec<String> {
        let content = LedgerFile::new(self.cluster.agent_data().join("ledger.pb")).load().unwrap();
        let held: BTreeSet<String> = content
            .set
            .iter()
            .flat_map(|set| set.containers.keys())
            .map(ToString::to_string)
            .collect();
        rows.keys()
            .filter(|id| !held.contains(*id))
            .map(|id| format!("{id} is not in the ledger"))
            .collect()
    }
}
