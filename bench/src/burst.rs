//! Forty at once: through Berth, and by the engine driven directly with eight at a time.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::{
    engine::Engine,
    figure::Figure,
    launch::{BURST, Bench, PEOPLE, RATIO},
    say,
    statistics::{median, median_interval},
};

/// Connections to the engine.
const AT_ONCE: usize = 8;
/// A burst leaves more behind than a single one.
const PAUSE: Duration = Duration::from_secs(2);

pub(crate) async fn run(bench: &mut Bench, rounds: usize) -> Result<Vec<Figure>> {
    let (mut berth, mut direct) = (Vec::new(), Vec::new());
    // The first one fills caches, of both sides.
    for round in 0..=rounds {
        say(format_args!("forty at once, {round} of {rounds}"));
        let (ours, engines) = if round % 2 == 0 {
            let ours = through_berth(bench, round).await?;
            (ours, by_engine(bench).await?)
        } else {
            let engines = by_engine(bench).await?;
            (through_berth(bench, round).await?, engines)
        };
        say(format_args!("Berth {ours:.2} s, the engine {engines:.2} s"));
        if round > 0 {
            berth.push(ours);
            direct.push(engines);
        }
    }
    let ratios: Vec<f64> = berth.iter().zip(&direct).map(|(ours, engine)| ours / engine).collect();
    let (_, high) = median_interval(&ratios);
    Ok(vec![
        Figure::told("burst40_berth_s", median(&berth), "s"),
        Figure::told("burst40_engine_s", median(&direct), "s"),
        Figure::at_most("burst40_ratio", median(&ratios), "x", RATIO),
        Figure::told("burst40_ratio_high", high, "x"),
    ])
}

/// Seconds until all of them were seen running.
async fn through_berth(bench: &mut Bench, round: usize) -> Result<f64> {
    let names: Vec<String> =
        (0..BURST / PEOPLE).map(|number| format!("burst-{round}-{number}")).collect();
    let requests = bench.requests.clone();
    // The agent may have seen the engine's forty, and holds their place until it looks the next time.
    bench.administrator.until_there_is_room(requests.burst_needs()).await?;
    tokio::time::sleep(PAUSE).await;
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for name in &names {
        for person in &bench.people {
            let mut containers = person.client();
            let request = requests.burst(name.clone());
            calls.spawn(async move { containers.create_container(request).await });
        }
    }
    let mut last = began;
    let mut lost = Vec::new();
    for person in &mut bench.people {
        let (seen, missing) = person.until_running(&names).await?;
        last = last.max(seen);
        lost.extend(missing);
    }
    while let Some(call) = calls.join_next().await {
        call??;
    }
    for person in &mut bench.people {
        person.remove(&names).await?;
    }
    ensure!(lost.is_empty(), "they do not run: {lost:?}");
    Ok(last.duration_since(began).as_secs_f64())
}

type Queue = Arc<Mutex<VecDeque<(String, Bytes)>>>;

/// Seconds until the last start was answered.
async fn by_engine(bench: &mut Bench) -> Result<f64> {
    tokio::time::sleep(PAUSE).await;
    let templates = bench.templates.burst.clone();
    let bodies = (0..BURST).map(|number| bench.engine_request(&templates[number % PEOPLE]));
    let queue: Queue = Arc::new(Mutex::new(bodies.collect()));
    let mut connections = Vec::new();
    for _ in 0..AT_ONCE {
        connections.push(Engine::connect(&bench.socket).await?);
    }
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for mut engine in connections {
        let queue = Arc::clone(&queue);
        workers.spawn(async move {
            let mut made = Vec::new();
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some((name, body)) = next else { return anyhow::Ok((engine, made)) };
                made.push(engine.launch(&name, body).await?.id);
            }
        });
    }
    let mut done = Vec::new();
    while let Some(worker) = workers.join_next().await {
        done.push(worker.context("a worker does not panic")??);
    }
    let took = began.elapsed();
    let mut removals = JoinSet::new();
    for (mut engine, made) in done {
        removals.spawn(async move {
            for id in made {
                engine.remove(&id).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(removal) = removals.join_next().await {
        removal.context("a worker does not panic")??;
    }
    Ok(took.as_secs_f64())
}
