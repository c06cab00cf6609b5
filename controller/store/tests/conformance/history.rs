//! What every store does with what was used when.

use berth_core::{
    clock::Timestamp,
    figures::{Figures, GpuFigures, RollUp, Subject, Traffic, Width},
    id::{ContainerId, NodeId},
};
use uuid::Uuid;

use crate::{
    backend::{Database, load},
    cases::containers,
    records::plain_container,
};

const FINE: Width = Width::FiveMinutes;
const HOUR: Width = Width::Hour;

fn container(number: u128) -> Subject {
    Subject::Container(ContainerId::new(Uuid::from_u128(number)))
}

fn node(number: u128) -> Subject {
    Subject::Node(NodeId::new(Uuid::from_u128(number)))
}

fn row(begin: i64, cpu_millis: u32) -> RollUp {
    let mean = Figures { cpu_millis, ..Figures::default() };
    RollUp { begin: Timestamp(begin), looks: 60, mean, peak: mean }
}

/// Every number as large as it can be, and every absence.
fn extremes() -> Vec<RollUp> {
    let most = Traffic { r#in: u64::MAX, out: u64::MAX - 1 };
    let gpu = |percent, power_milliwatts| {
        Some(GpuFigures { percent, memory_bytes: u64::MAX, power_milliwatts })
    };
    let largest = Figures {
        cpu_millis: u32::MAX,
        memory_bytes: u64::MAX,
        network: most,
        disk: Traffic { r#in: 1, out: 2 },
        processes: u32::MAX,
        gpu: gpu(Some(100), Some(u32::MAX)),
    };
    let silent = Figures { gpu: gpu(None, None), ..largest };
    let all = [(largest, silent), (Figures::default(), largest), (silent, Figures::default())];
    (0..)
        .zip(all)
        .map(|(at, (mean, peak))| RollUp {
            begin: Timestamp(at * 300_000),
            looks: u32::MAX,
            mean,
            peak,
        })
        .collect()
}

pub(crate) async fn every_figure_comes_back(database: Database<'_>) {
    let store = database.open().await;
    let all: Vec<_> = extremes().into_iter().map(|row| (container(1), row)).collect();
    store.record(FINE, &all).await.unwrap();
    store.record(HOUR, &[(node(1), extremes()[0])]).await.unwrap();
    store.record(FINE, &[]).await.unwrap();

    let later = database.open().await;
    assert_eq!(later.read(container(1), FINE, Timestamp(i64::MIN)).await.unwrap(), extremes());
    assert_eq!(later.read(container(1), FINE, Timestamp(300_000)).await.unwrap(), extremes()[1..]);
    assert_eq!(later.read(node(1), HOUR, Timestamp(0)).await.unwrap(), extremes()[..1]);
    // Neither another width nor another kind of thing with the same number.
    assert_eq!(later.read(container(1), HOUR, Timestamp(0)).await.unwrap(), []);
    assert_eq!(later.read(node(1), FINE, Timestamp(0)).await.unwrap(), []);
    assert_eq!(later.read(container(1), FINE, Timestamp(i64::MAX)).await.unwrap(), []);
}

pub(crate) async fn a_row_is_written_anew(database: Database<'_>) {
    let store = database.open().await;
    store.record(HOUR, &[(container(1), row(0, 1)), (container(2), row(0, 2))]).await.unwrap();
    // Also within one call.
    let again = [(container(1), row(0, 3)), (container(1), row(0, 4))];
    store.record(HOUR, &again).await.unwrap();
    assert_eq!(store.read(container(1), HOUR, Timestamp(0)).await.unwrap(), [row(0, 4)]);
    assert_eq!(store.read(container(2), HOUR, Timestamp(0)).await.unwrap(), [row(0, 2)]);
}

pub(crate) async fn a_stretch_of_all(database: Database<'_>) {
    let store = database.open().await;
    // More than go into one statement.
    let mut rows = Vec::new();
    for subject in 0..700 {
        rows.extend([1, 0, 2].map(|at| (container(subject), row(at * 300_000, 7))));
    }
    rows.push((node(5), row(300_000, 8)));
    store.record(FINE, &rows).await.unwrap();
    store.record(HOUR, &[(node(5), row(300_000, 9))]).await.unwrap();

    rows.sort_by_key(|(subject, row)| (*subject, row.begin));
    let all = store.read_all(FINE, Timestamp(0), Timestamp(900_000)).await.unwrap();
    assert!(all == rows);
    rows.retain(|(_, row)| row.begin == Timestamp(300_000));
    let middle = store.read_all(FINE, Timestamp(1), Timestamp(600_000)).await.unwrap();
    assert!(middle == rows);
    assert_eq!(store.read_all(FINE, Timestamp(1), Timestamp(1)).await.unwrap(), []);
}

pub(crate) async fn what_is_old_is_forgotten(database: Database<'_>) {
    let store = database.open().await;
    let rows: Vec<_> = (0..9).map(|at| (node(1), row(at * 300_000, 1))).collect();
    store.record(FINE, &rows).await.unwrap();
    store.record(HOUR, &rows[..1]).await.unwrap();
    store.forget(FINE, Timestamp(0)).await.unwrap();
    assert_eq!(store.read(node(1), FINE, Timestamp(0)).await.unwrap().len(), 9);
    store.forget(FINE, Timestamp(7 * 300_000)).await.unwrap();
    let left = store.read(node(1), FINE, Timestamp(0)).await.unwrap();
    assert_eq!(left, [row(7 * 300_000, 1), row(8 * 300_000, 1)]);
    assert_eq!(store.read(node(1), HOUR, Timestamp(0)).await.unwrap().len(), 1);
    store.forget(HOUR, Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(database.open().await.read(node(1), HOUR, Timestamp(0)).await.unwrap(), []);
}

/// And takes no part in their order: a commit goes on from the revision that it knows.
pub(crate) async fn history_is_written_beside_commits(database: Database<'_>) {
    let store = database.open().await;
    load(&*store).await;
    let commits = async {
        for number in 1..=20 {
            let row = plain_container(u128::from(number));
            store.commit(&containers(number, vec![row], &[])).await.unwrap();
        }
    };
    let history = async {
        for at in 0..20 {
            let rows: Vec<_> = (0..100).map(|of| (container(of), row(at * 300_000, 1))).collect();
            store.record(FINE, &rows).await.unwrap();
            store.forget(FINE, Timestamp((at - 10) * 300_000)).await.unwrap();
        }
    };
    futures::join!(commits, history);
    assert_eq!(database.reload().await.revision, 20);
    assert_eq!(store.read(container(7), FINE, Timestamp(0)).await.unwrap().len(), 11);
}
