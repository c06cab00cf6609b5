//! What every store does.

use std::{fmt::Debug, sync::Arc};

use berth_app::ports::{ChangeSet, Changes, StoreError};
use berth_core::{
    clock::Timestamp,
    container::{Container, DesiredPhase},
    explanation::Explanation,
    id::{ContainerId, NodeId, UserId},
    node::{Liveness, Node, Trouble},
};
use futures::future::{BoxFuture, join_all};
use uuid::Uuid;

use crate::{
    backend::{Database, cluster, epoch, load},
    history::{
        a_row_is_written_anew, a_stretch_of_all, every_figure_comes_back,
        history_is_written_beside_commits, what_is_old_is_forgotten,
    },
    records::{self, plain_account, plain_container, some},
};

type Case = for<'a> fn(Database<'a>) -> BoxFuture<'a, ()>;

macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        &[$((stringify!($case), |database| Box::pin($case(database)))),+]
    };
}

pub(crate) const CASES: &[(&str, Case)] = cases![
    the_first_load_names_the_cluster,
    four_that_open_it_at_once_agree,
    every_field_comes_back,
    what_is_never_stored_does_not,
    the_last_value_wins,
    deleted_rows_are_gone,
    a_name_passes_on_within_a_commit,
    a_name_is_one_containers,
    only_the_next_revision_is_taken,
    nothing_is_committed_before_a_load,
    a_failed_commit_leaves_nothing,
    five_thousand_containers,
    the_second_of_two_writers_is_told,
    of_two_writers_at_once_one_wins,
    local_accounts,
    accounts_are_written_beside_commits,
    every_figure_comes_back,
    a_row_is_written_anew,
    a_stretch_of_all,
    what_is_old_is_forgotten,
    history_is_written_beside_commits,
];

async fn the_first_load_names_the_cluster(database: Database<'_>) {
    let first = database.open().await.load(cluster(1), epoch(2)).await.unwrap();
    assert_eq!((first.cluster, first.epoch, first.revision), (cluster(1), epoch(2), 0));
    assert!(first.users.is_empty() && first.sessions.is_empty() && first.join_tokens.is_empty());
    assert!(first.nodes.is_empty() && first.containers.is_empty());

    let second = database.open().await.load(cluster(3), epoch(4)).await.unwrap();
    assert_eq!((second.cluster, second.epoch, second.revision), (cluster(1), epoch(2), 0));
}

async fn four_that_open_it_at_once_agree(database: Database<'_>) {
    let loads = (1..=4).map(|number| async move {
        database.open().await.load(cluster(number), epoch(number)).await.unwrap()
    });
    let loads = join_all(loads).await;
    for records in &loads {
        assert_eq!((records.cluster, records.epoch), (loads[0].cluster, loads[0].epoch));
    }
}

async fn every_field_comes_back(database: Database<'_>) {
    let store = database.open().await;
    load(&*store).await;
    let changes = ChangeSet {
        revision: 1,
        users: upserts(some(records::user(), 80)),
        sessions: upserts(some(records::session(), 80)),
        join_tokens: upserts(some(records::join_token(), 80)),
        nodes: upserts(some(records::node(), 80)),
        containers: upserts(some(records::container(), 80)),
        share_links: upserts(some(records::share_link(), 80)),
        volumes: upserts(some(records::volume(), 80)),
    };
    store.commit(&changes).await.unwrap();

    let found = database.reload().await;
    assert_eq!(found.revision, 1);
    same(found.users, &changes.users.upserts, |user| user.id);
    same(found.sessions, &changes.sessions.upserts, |session| session.id);
    same(found.join_tokens, &changes.join_tokens.upserts, |token| token.token_sha256);
    same(found.nodes, &changes.nodes.upserts, |node| node.id);
    same(found.containers, &changes.containers.upserts, |container| container.id);
    same(found.share_links, &changes.share_links.upserts, |link| link.id);
    same(found.volumes, &changes.volumes.upserts, |volume| volume.id);
}

async fn what_is_never_stored_does_not(database: Database<'_>) {
    let store = database.open().await;
    load(&*store).await;
    let node = some(records::node(), 1).remove(0);
    let live = Node {
        liveness: Liveness::Ready,
        liveness_since: Timestamp(7),
        troubles: [Trouble::LedgerAhead].into(),
        ..node.clone()
    };
    let waiting = Some(Explanation { nodes: Vec::new() });
    let container = Container { waiting, ..plain_container(1) };
    let changes = ChangeSet {
        revision: 1,
        nodes: upserts(vec![live]),
        containers: upserts(vec![container]),
        ..ChangeSet::default()
    };
    store.commit(&changes).await.unwrap();

    let found = database.reload().await;
    assert_eq!(found.nodes, [node]);
    assert_eq!(found.containers, [plain_container(1)]);
}

async fn the_last_value_wins(database: Database<'_>) {
    let store = database.open().await;
    load(&*store).await;
    let at = |incarnation| Container { incarnation, ..plain_container(1) };
    store.commit(&containers(1, vec![at(1), at(2)], &[])).await.unwrap();
    assert_eq!(database.reload().await.containers, [at(2)]);

    // All columns, also from something to nothing.
    let all_else = some(records::container(), 20);
    for (revision, other) in (2..).zip(all_else) {
        let other = Container { id: at(1).id, ..other };
        store.commit(&containers(revision, vec![other.clone()], &[])).await.unwrap();
        assert_eq!(database.reload().await.containers, [other]);
    }
    let overwritten = |mut rows: Vec<_>, row| -> Vec<_> {
        rows.push(row);
        rows
    };
    let [first, second] = some(records::user(), 2).try_into().unwrap();
    let second = berth_core::account::User { id: first.id, ..second };
    let changes = ChangeSet {
        revision: 22,
        users: upserts(overwritten(vec![first], second.clone())),
        ..ChangeSet::default()
    };
    store.commit(&changes).await.unwrap();
    assert_eq!(database.reload().await.users, [second]);
}

async fn deleted_rows_are_gone(database: Database<'_>) {
    let store = database.open().await;
    load(&*store).await;
    let mut changes = ChangeSet {
        revision: 1,
        users: upserts(some(records::user(), 3)),
        sessions: upserts(some(records::session(), 3)),
        join_tokens: upserts(some(records::join_token(), 3)),
        nodes: upserts(some(records::node(), 3)),
        containers: upserts(some(records::container(), 3)),
        share_links: upserts(some(records::share_link(), 3)),
        volumes: upserts(some(records::volume(), 3)),
    };
    store.commit(&changes).await.unwrap();

    // The first of each goes, and something that never was.
    changes = ChangeSet {
        revision: 2,
        users: deletes([changes.users.upserts[0].id, UserId::new(Uuid::nil())]),
        sessions: deletes([changes.sessions.upserts[0].id]),
        join_tokens: deletes([changes.join_tokens.upserts[0].token_sha256, [9; 32]]),
        nodes: deletes([changes.nodes.upserts[0].id, NodeId::new(Uuid::nil())]),
        containers: deletes([changes.containers.upserts[0].id]),
        share_links: deletes([changes.share_links.upserts[0].id]),
        volumes: deletes([changes.volumes.upserts[0].id]),
    };
    store.commit(&changes).await.unwrap();

    let found = database.reload().await;
    let counts = [
        found.users.len(),
        found.sessions.len(),
        found.join_tokens.len(),
        found.nodes.len(),
        found.containers.len(),
        found.share_links.len(),
        found.volumes.len(),
    ];
    assert_eq!(counts, [2; 7]);
    assert!(found.users.iter().all(|user| !changes.users.deletes.contains(&user.id)));
    assert!(found.sessions.iter().all(|row| !changes.sessions.deletes.contains(&row.id)));
    assert!(found.nodes.iter().all(|node| !changes.nodes.deletes.contains(&node.id)));
    assert!(found.containers.iter().all(|row| !changes.containers.deletes.contains(&row.id)));
    let gone = &changes.join_tokens.deletes;
    assert!(found.join_tokens.iter().all(|token| !gone.contains(&token.token_sha256)));
}

async fn a_name_passes_on_within_a_commit(database: Database<'_>) {
    let store = database.open().await;
    load(&*store).await;
    let (old, new) = (plain_container(1), plain_container(2));
    let new = Container { owner: old.owner, name: old.name.clone(), ..new };
    store.commit(&containers(1, vec![old.clone()], &[])).await.unwrap();
    store.commit(&containers(2, vec![new.clone()], &[old.id])).await.unwrap();
    assert_eq!(database.reload().await.containers, std::slice::from_ref(&new));

    // And back, which an index that was not kept up would refuse.
    store.commit(&containers(3, vec![old.clone()], &[new.id])).await.unwrap();
    assert_eq!(database.reload().await.containers, [old]);
}

async fn a_name_is_one_containers(database: Database<'_>) {
    let store = database.open().await;
    load(&*store).await;
    let (first, second) = (plain_container(1), plain_container(2));
    store.commit(&containers(1, vec![first.clone()], &[])).await.unwrap();
    let namesake = Container { name: first.name.clone(), ..second.clone() };
    // Somebody else may use the name.
    store.commit(&containers(2, vec![namesake.clone()], &[])).await.unwrap();

    let rival = Container { owner: first.owner, ..namesake.clone() };
    let third = ContainerId::new(Uuid::from_u128(3));
    let twins = vec![
        Container { id: third, owner: UserId::new(Uuid::max()), ..rival.clone() },
        Container { owner: UserId::new(Uuid::max()), ..rival.clone() },
    ];
    for refused in [vec![rival.clone()], vec![Container { id: third, ..rival }], twins] {
        let answer = store.commit(&containers(3, refused, &[])).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    let found = database.reload().await;
    assert_eq!((found.revision, found.containers), (2, vec![first, namesake]));
}

async fn only_the_next_revision_is_taken(database: Database<'_>) {
    let store = database.open().await;
    load(&*store).await;
    store.commit(&containers(1, vec![plain_container(1)], &[])).await.unwrap();
    store.commit(&containers(2, Vec::new(), &[])).await.unwrap();
    for offered in [0, 1, 2, 4, u64::MAX] {
        let answer = store.commit(&containers(offered, vec![plain_container(2)], &[])).await;
        match answer {
            Err(StoreError::Conflict { held: 2, offered: said }) => assert_eq!(said, offered),
            other => panic!("{offered}: {other:?}"),
        }
    }
    let found = database.reload().await;
    assert_eq!((found.revision, found.containers), (2, vec![plain_container(1)]));
}

async fn nothing_is_committed_before_a_load(database: Database<'_>) {
    let store = database.open().await;
    let answer = store.commit(&containers(1, vec![plain_container(1)], &[])).await;
    assert!(matches!(answer, Err(StoreError::Corrupt { .. })), "{answer:?}");
    assert_eq!(database.reload().await.containers, []);
}

async fn a_failed_commit_leaves_nothing(database: Database<'_>) {
    let store = database.open().await;
    load(&*store).await;
    let kept = plain_container(1);
    let before = ChangeSet {
        revision: 1,
        users: upserts(some(records::user(), 2)),
        containers: upserts(vec![kept.clone()]),
        ..ChangeSet::default()
    };
    store.commit(&before).await.unwrap();

    // Good rows in every table, and the very last row is one that cannot be.
    let mut rows = (10..1_200).map(plain_container).collect::<Vec<_>>();
    let id = ContainerId::new(Uuid::max());
    rows.push(Container { id, ..kept.clone() });
    let changes = ChangeSet {
        revision: 2,
        users: deletes(before.users.upserts.iter().map(|user| user.id)),
        sessions: upserts(some(records::session(), 3)),
        join_tokens: upserts(some(records::join_token(), 3)),
        nodes: upserts(some(records::node(), 3)),
        containers: upserts(rows),
        share_links: upserts(some(records::share_link(), 3)),
        volumes: upserts(some(records::volume(), 3)),
    };
    let answer = store.commit(&changes).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");

    let found = database.reload().await;
    assert_eq!((found.revision, found.users.len(), found.sessions.len()), (1, 2, 0));
    assert_eq!((found.join_tokens.len(), found.nodes.len()), (0, 0));
    assert!(found.share_links.is_empty() && found.volumes.is_empty());
    assert_eq!(found.containers, [kept]);

    // The same handle goes on with the same number.
    store.commit(&containers(2, vec![plain_container(5)], &[])).await.unwrap();
    assert_eq!(database.reload().await.containers.len(), 2);
}

async fn five_thousand_containers(database: Database<'_>) {
    let store = database.open().await;
    load(&*store).await;
    let mut rows = (0..5_000).map(plain_container).collect::<Vec<_>>();
    store.commit(&containers(1, rows.clone(), &[])).await.unwrap();
    assert!(database.reload().await.containers == rows);

    for row in &mut rows {
        row.desired = DesiredPhase::Removed;
    }
    store.commit(&containers(2, rows.clone(), &[])).await.unwrap();
    assert!(database.reload().await.containers == rows);

    let ids = rows.iter().skip(1).map(|row| row.id).collect::<Vec<_>>();
    store.commit(&containers(3, Vec::new(), &ids)).await.unwrap();
    assert_eq!(database.reload().await.containers, rows[..1]);
}

async fn the_second_of_two_writers_is_told(database: Database<'_>) {
    let (one, two) = (database.open().await, database.open().await);
    load(&*one).await;
    load(&*two).await;
    one.commit(&containers(1, vec![plain_container(1)], &[])).await.unwrap();
    let answer = two.commit(&containers(1, vec![plain_container(2)], &[])).await;
    assert!(matches!(answer, Err(StoreError::Conflict { held: 1, offered: 1 })), "{answer:?}");
    assert_eq!(load(&*two).await.containers, [plain_container(1)]);
}

async fn of_two_writers_at_once_one_wins(database: Database<'_>) {
    let (one, two) = (database.open().await, database.open().await);
    load(&*one).await;
    load(&*two).await;
    for revision in 1..=20 {
        let (left, right) = (u128::from(revision) * 2, u128::from(revision) * 2 + 1);
        let (left, right) = (plain_container(left), plain_container(right));
        let (left, right) =
            (containers(revision, vec![left], &[]), containers(revision, vec![right], &[]));
        let answers = futures::join!(one.commit(&left), two.commit(&right));
        match answers {
            (Ok(()), Err(StoreError::Conflict { held, offered }))
            | (Err(StoreError::Conflict { held, offered }), Ok(())) => {
                assert_eq!((held, offered), (revision, revision));
            }
            other => panic!("{other:?}"),
        }
    }
    let found = database.reload().await;
    assert_eq!((found.revision, found.containers.len()), (20, 20));
}

async fn local_accounts(database: Database<'_>) {
    let store = database.open().await;
    let mut accounts = some(records::local_account(), 40);
    for account in &accounts {
        assert_eq!(store.find(&account.account).await.unwrap(), None);
        store.put(account).await.unwrap();
        assert_eq!(store.find(&account.account).await.unwrap().as_ref(), Some(account));
    }
    accounts.sort_by(|a, b| a.account.cmp(&b.account));
    assert_eq!(database.open().await.list().await.unwrap(), accounts);

    let changed = berth_core::account::LocalAccount { disabled: true, ..accounts[0].clone() };
    let changed = berth_core::account::LocalAccount { display_name: "新".to_owned(), ..changed };
    store.put(&changed).await.unwrap();
    accounts[0] = changed;
    assert_eq!(database.open().await.list().await.unwrap(), accounts);
}

async fn accounts_are_written_beside_commits(database: Database<'_>) {
    let (controller, command) = (database.open().await, database.open().await);
    load(&*controller).await;
    let commits = async {
        for number in 1..=30 {
            let row = plain_container(u128::from(number));
            controller.commit(&containers(number, vec![row], &[])).await.unwrap();
        }
    };
    let puts = async {
        for number in 1..=30 {
            let account = plain_account(&format!("user{number:02}"));
            command.put(&account).await.unwrap();
            assert_eq!(controller.find(&account.account).await.unwrap(), Some(account));
        }
    };
    futures::join!(commits, puts);
    assert_eq!(database.reload().await.revision, 30);
    assert_eq!(controller.list().await.unwrap().len(), 30);
}

pub(crate) fn containers(revision: u64, rows: Vec<Container>, gone: &[ContainerId]) -> ChangeSet {
    let containers = Changes { deletes: gone.to_vec(), ..upserts(rows) };
    ChangeSet { revision, containers, ..ChangeSet::default() }
}

fn upserts<K, V>(rows: Vec<V>) -> Changes<K, V> {
    Changes { upserts: rows.into_iter().map(Arc::new).collect(), deletes: Vec::new() }
}

fn deletes<K, V>(keys: impl IntoIterator<Item = K>) -> Changes<K, V> {
    Changes { upserts: Vec::new(), deletes: keys.into_iter().collect() }
}

/// In the order of their keys, one by one, so that a difference can be read.
fn same<V: PartialEq + Debug, K: Ord>(found: Vec<V>, expected: &[Arc<V>], key: impl Fn(&V) -> K) {
    let mut expected = expected.iter().map(AsRef::as_ref).collect::<Vec<_>>();
    expected.sort_by_key(|row| key(row));
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
}
