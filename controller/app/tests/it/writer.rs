use std::sync::Arc;

use berth_app::{
    error::Error,
    ports::Store as _,
    state::State,
    watching::{Next, Watcher},
    writer::{self, Committed},
};
use berth_core::{
    account::Role,
    clock::Clock,
    id::{ClusterId, Epoch},
};
use berth_store::{FailWith, MemoryStore};
use uuid::Uuid;

use crate::world::{TestClock, World};

#[tokio::test]
async fn a_command_that_fails_changes_nothing() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let before = world.handle.committed().state.revision;
    let failed: Result<(), Error> = world
        .apply(move |transaction| {
            let mut user = berth_core::account::User::clone(&alice.user);
            user.suspended = true;
            transaction.put_user(user);
            Err(Error::PermissionDenied)
        })
        .await;
    assert!(failed.is_err());
    let committed = world.handle.committed();
    assert_eq!(committed.state.revision, before);
    assert!(committed.state.users.values().all(|user| !user.suspended));
}

#[tokio::test]
async fn a_commit_that_fails_changes_nothing_and_says_so() {
    let world = World::new().await;
    world.store.fail_next(FailWith::Refusal);
    let alice = world.person_or_error("alice").await;
    assert!(matches!(alice, Err(Error::Unavailable { .. })));
    assert!(world.handle.committed().state.users.is_empty());
    world.person("alice", Role::Student).await;
    assert_eq!(world.handle.committed().state.users.len(), 1);
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_ends_the_writer_before_anything_else_happens() {
    let store = MemoryStore::default();
    let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
    let records = store.load(ClusterId::new(Uuid::nil()), Epoch::new(Uuid::nil())).await.unwrap();
    let (handle, writer) = writer::new(State::restore(records), Arc::new(store.clone()), clock);
    let running = tokio::spawn(writer.run());
    let token = |byte: u8| {
        let handle = handle.clone();
        async move {
            handle
                .apply(move |transaction| {
                    let lifetime = std::time::Duration::from_secs(1);
                    Ok(berth_app::nodes::add_join_token(transaction, [byte; 32], lifetime))
                })
                .await
        }
    };
    store.fail_next(FailWith::LostAnswer);
    assert!(token(1).await.is_err());
    assert!(token(2).await.is_err());
    assert!(running.await.unwrap().is_err(), "it must read the truth again");
}

#[tokio::test]
async fn commands_that_gather_are_committed_together() {
    let world = World::new().await;
    let before = world.handle.committed().state.revision;
    let many: Vec<_> = (0u8..100)
        .map(|byte| {
            let handle = world.handle.clone();
            tokio::spawn(async move {
                handle
                    .apply(move |transaction| {
                        let lifetime = std::time::Duration::from_secs(1);
                        Ok(berth_app::nodes::add_join_token(transaction, [byte; 32], lifetime))
                    })
                    .await
                    .unwrap()
            })
        })
        .collect();
    for one in many {
        one.await.unwrap();
    }
    let committed = world.handle.committed();
    assert_eq!(committed.state.join_tokens.len(), 100);
    let commits = committed.state.revision - before;
    assert!(commits < 20, "{commits} commits for 100 commands");
}

#[tokio::test]
async fn a_watcher_resumes_and_one_of_another_life_begins_anew() {
    let world = World::new().await;
    let alice = world.person("alice", Role::Student).await;
    let watcher = |token: &str| Watcher::new(&world.handle, 7, token, Committed::containers_since);
    let mut first = watcher("");
    assert!(matches!(first.next().await.unwrap(), Next::Snapshot(_)));
    let token = first.token();
    let id = world.create(&alice, "web", 1).await.unwrap();
    let mut resumed = watcher(&token);
    let Next::Changed(_, touched) = resumed.next().await.unwrap() else { panic!("a snapshot") };
    assert!(touched.contains(&id));
    for strange in ["", "8-1", "7-999999", "nonsense", "7-"] {
        assert!(matches!(watcher(strange).next().await.unwrap(), Next::Snapshot(_)), "{strange}");
    }
}
