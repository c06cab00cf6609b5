//! The controller's store: the one in memory, with a disk's delays and failures, and the journal looking on.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use berth_app::ports::{ChangeSet, Changes, Records, Store, StoreError};
use berth_core::id::{ClusterId, Epoch};
use berth_store::{FailWith, MemoryStore};

use crate::{
    clock::Chance,
    journal::Journal,
    world::{CLUSTER, Trouble},
};

pub(crate) struct WatchedStore {
    pub(crate) inner: MemoryStore,
    pub(crate) chance: Chance,
    pub(crate) journal: Arc<Journal>,
    pub(crate) trouble: Arc<Trouble>,
}

#[async_trait]
impl Store for WatchedStore {
    async fn load(&self, cluster: ClusterId, epoch: Epoch) -> Result<Records, StoreError> {
        self.inner.load(cluster, epoch).await
    }

    async fn commit(&self, changes: &ChangeSet) -> Result<(), StoreError> {
        tokio::time::sleep(self.chance.millis(1, 12)).await;
        let failure = self.trouble.take_commit_failure();
        if let Some(with) = failure {
            tracing::info!(?with, "a commit fails");
            self.inner.fail_next(with);
        }
        let result = self.inner.commit(changes).await;
        // One that conflicts was not written, whatever became of its answer.
        let unavailable = matches!(result, Err(StoreError::Unavailable(_)));
        if result.is_ok() || (unavailable && failure == Some(FailWith::LostAnswer)) {
            self.journal.committed(changes);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        result
    }
}

/// A database that was put back: what `records` hold, under a new epoch.
pub(crate) async fn restored(records: Records, epoch: Epoch) -> Result<MemoryStore, StoreError> {
    let store = MemoryStore::new();
    store.load(CLUSTER, epoch).await?;
    store
        .commit(&ChangeSet {
            revision: 1,
            users: all(records.users),
            sessions: all(records.sessions),
            join_tokens: all(records.join_tokens),
            nodes: all(records.nodes),
            containers: all(records.containers),
            share_links: all(records.share_links),
            volumes: all(records.volumes),
        })
        .await?;
    Ok(store)
}

fn all<K, V>(rows: Vec<V>) -> Changes<K, V> {
    Changes { upserts: rows.into_iter().map(Arc::new).collect(), deletes: Vec::new() }
}
