//! Power cuts, damaged rows and databases that are not ours to open. SQLite's files are at hand for that.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use berth_app::ports::{Store, StoreError};
use berth_store::{OpenError, SqlStore};
use sea_orm::{ConnectionTrait, Database};

use crate::{
    backend::{Backend, Sqlite, load},
    cases::containers,
    postgres::Postgres,
    records::plain_container,
};

/// The power goes in the middle of writing: what is on the disk is any beginning of the log.
#[tokio::test]
async fn a_power_cut_leaves_whole_commits() {
    let commits = 12;
    let files = Sqlite::new();
    let store = SqlStore::open(&files.url("live")).await.unwrap();
    load(&store).await;
    for revision in 1..=commits {
        let numbers = (0..u128::from(revision)).map(|n| n + 100 * u128::from(revision));
        let changes = containers(revision, numbers.map(plain_container).collect(), &[]);
        store.commit(&changes).await.unwrap();
    }

    let log = fs::read(beside(&files.file("live"), "-wal")).unwrap();
    assert!(log.len() > 100_000, "everything was still in the log");
    let mut seen = Vec::new();
    let rounds = 60;
    for round in 1..=rounds {
        let copy = files.file("copy");
        fs::copy(files.file("live"), &copy).unwrap();
        fs::write(beside(&copy, "-wal"), &log[..log.len() * round / rounds]).unwrap();

        let survivor = SqlStore::open(&files.url("copy")).await.unwrap();
        let found = load(&survivor).await;
        survivor.close().await.unwrap();
        // Commit n brought n containers.
        let brought = usize::try_from(found.revision * (found.revision + 1) / 2).unwrap();
        assert_eq!(found.containers.len(), brought, "after {} commits", found.revision);
        seen.push(found.revision);
        for file in [copy.clone(), beside(&copy, "-wal"), beside(&copy, "-shm")] {
            let _ = fs::remove_file(file);
        }
    }
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(seen.last(), Some(&commits), "what was answered is on the disk");
    seen.dedup();
    assert!(seen.len() > 6, "the cuts fell between different commits: {seen:?}");
}

#[tokio::test]
async fn nobody_else_reads_the_files() {
    let files = Sqlite::new();
    let store = SqlStore::open(&files.url("a")).await.unwrap();
    load(&store).await;
    for suffix in ["", "-wal", "-shm"] {
        let mode = fs::metadata(beside(&files.file("a"), suffix)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
}

#[tokio::test]
async fn a_damaged_row_is_named() {
    let files = Sqlite::new();
    let row = plain_container(7);
    let damages = [
        ("spec = '{'", "column spec"),
        ("spec = '{\"image\": 1}'", "column spec"),
        ("desired_phase = 'flying'", "column desired_phase"),
        ("owner_id = 'me'", "column owner_id"),
        ("name = '../x'", "column name"),
        ("incarnation = -1", "column incarnation"),
        ("node_id = 'x'", "column node_id"),
        ("observed_phase = 'running'", "column observed_phase"),
        ("stop_cause = 'x'", "column stop_cause"),
    ];
    for (number, (damage, column)) in damages.into_iter().enumerate() {
        let database = format!("damaged{number}");
        let store = SqlStore::open(&files.url(&database)).await.unwrap();
        load(&store).await;
        store.commit(&containers(1, vec![row.clone()], &[])).await.unwrap();
        execute(&files.url(&database), &format!("UPDATE container SET {damage}")).await;

        let what = corrupt(&store).await;
        let place = format!("container {}: {column}: ", row.id);
        assert!(what.starts_with(&place), "{what:?} does not begin with {place:?}");
    }
}

#[tokio::test]
async fn a_value_of_another_type_is_damage() {
    let files = Sqlite::new();
    let store = SqlStore::open(&files.url("a")).await.unwrap();
    load(&store).await;
    store.commit(&containers(1, vec![plain_container(1)], &[])).await.unwrap();
    execute(&files.url("a"), "UPDATE container SET created_at = 'yesterday'").await;
    let what = corrupt(&store).await;
    assert!(what.starts_with("container: ") && what.contains("created_at"), "{what}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let files = Sqlite::new();
    fs::write(files.file("a"), "not a database, ".repeat(500)).unwrap();
    let error = SqlStore::open(&files.url("a")).await.unwrap_err();
    assert!(matches!(error, OpenError::Connect(_) | OpenError::Migrate(_)), "{error:?}");
    assert!(fs::read(files.file("a")).unwrap().starts_with(b"not a database"));
}

#[tokio::test]
async fn a_newer_versions_database_is_refused() {
    let files = Sqlite::new();
    refuses_newer(&files, &files.url("a")).await;
}

#[tokio::test]
async fn a_newer_versions_postgresql_is_refused() {
    let server = Postgres::start();
    refuses_newer(&server, &server.url("a")).await;
}

async fn refuses_newer(backend: &dyn Backend, url: &str) {
    backend.create("a").await;
    drop(backend.open("a").await);
    execute(url, "INSERT INTO seaql_migrations VALUES ('m20990101_000001_later', 0)").await;
    match SqlStore::open(url).await {
        Err(OpenError::Newer { migration }) => assert_eq!(migration, "m20990101_000001_later"),
        other => panic!("{other:?}"),
    }
    // It was not our business to change anything.
    execute(url, "DELETE FROM seaql_migrations WHERE version = 'm20990101_000001_later'").await;
    assert_eq!(load(&SqlStore::open(url).await.unwrap()).await.revision, 0);
}

#[tokio::test]
async fn urls_that_are_refused() {
    let in_memory = ["sqlite::memory:", "sqlite:x.db?mode=memory"];
    for url in in_memory {
        let answer = SqlStore::open(url).await;
        assert!(matches!(answer, Err(OpenError::InMemory)), "{url}: {answer:?}");
    }
    for url in ["", "mysql://user:hunter2@host/berth", "/var/lib/berth.db"] {
        let error = SqlStore::open(url).await.unwrap_err();
        assert!(matches!(error, OpenError::Scheme), "{url}: {error:?}");
    }
    let error = SqlStore::open("sqlite:///no/such/directory/berth.db").await.unwrap_err();
    assert!(matches!(error, OpenError::File { .. }), "{error:?}");
    let error = SqlStore::open("postgres://u:hunter2@[::/x").await.unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

async fn corrupt(store: &SqlStore) -> String {
    match store.load(crate::backend::cluster(1), crate::backend::epoch(1)).await {
        Err(StoreError::Corrupt { what }) => what,
        other => panic!("{other:?}"),
    }
}

async fn execute(url: &str, sql: &str) {
    let database = Database::connect(url).await.unwrap();
    database.execute_unprepared(sql).await.unwrap();
    database.close().await.unwrap();
}

fn beside(file: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
