//! One suite, three backends: whatever the controller does, it cannot tell them apart.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backend;
mod cases;
mod damage;
mod history;
mod postgres;
mod records;

use backend::{Backend, Database};

use crate::{
    backend::{Memory, Sqlite},
    cases::CASES,
    postgres::Postgres,
};

#[tokio::test]
async fn memory() {
    run(&Memory::default()).await;
}

#[tokio::test]
async fn sqlite() {
    run(&Sqlite::new()).await;
}

/// One server for all cases: nextest gives every test a process of its own.
#[tokio::test]
async fn postgresql() {
    run(&Postgres::start()).await;
}

async fn run(backend: &dyn Backend) {
    for (name, case) in CASES {
        eprintln!("{}: {name}", backend.name());
        backend.create(name).await;
        case(Database { backend, name }).await;
    }
}
