//! Any order of requests and reports: nothing is over-committed, lent twice or forgotten.

use berth_app::{containers, error::Error, update};
use berth_core::{
    account::Role,
    container::{DesiredPhase, PortBinding},
    id::ContainerId,
    observed::ObservedPhase,
};
use proptest::prelude::*;

use crate::{
    update::{limits, resize},
    world::{World, named, new_container},
};

#[derive(Debug, Clone)]
enum Act {
    Create {
        cores: u32,
        gpus: u32,
        ports: u16,
    },
    Start(usize),
    Stop(usize),
    Restart(usize),
    Shell(usize),
    Delete(usize),
    Update {
        index: usize,
        cores: u32,
        gpus: u32,
        ports: u16,
    },
    /// The blade carries out what it was told.
    Obey(usize),
    Exit(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (1u32..4, 0u32..2, 0u16..3).prop_map(|(cores, gpus, ports)| Act::Create {
            cores,
            gpus,
            ports
        }),
        (0usize..8).prop_map(Act::Start),
        (0usize..8).prop_map(Act::Stop),
        (0usize..8).prop_map(Act::Restart),
        (0usize..8).prop_map(Act::Shell),
        (0usize..8).prop_map(Act::Delete),
        (0usize..8, 1u32..4, 0u32..2, 0u16..4)
            .prop_map(|(index, cores, gpus, ports)| { Act::Update { index, cores, gpus, ports } }),
        (0usize..8).prop_map(Act::Obey),
        (0usize..8).prop_map(Act::Obey),
        (0usize..8).prop_map(Act::Exit),
    ];
    proptest::collection::vec(act, 1..60)
}

async fn obey(world: &World, id: ContainerId) {
    let Some(container) = world.handle.committed().state.containers.get(&id).cloned() else {
        return;
    };
    let Some(placement) = &container.placement else { return };
    let desired = &world.handle.committed().state.desired_set(placement.node).containers[&id];
    let phase = match desired.phase {
        DesiredPhase::Running => ObservedPhase::Running,
        DesiredPhase::Stopped => ObservedPhase::Exited,
        DesiredPhase::Removed => ObservedPhase::Removed,
    };
    world.says_phase(id, phase).await;
}

/// Where a container's guest ports are, if it has a blade.
fn bindings(world: &World, id: ContainerId) -> Option<Vec<PortBinding>> {
    let committed = world.handle.committed();
    let placement = committed.state.containers.get(&id)?.placement.as_ref()?;
    Some(placement.ports.clone())
}

async fn run(acts: Vec<Act>) {
    let world = World::new().await;
    let alice = world.person("alice", Role::Administrator).await;
    world.blade(4, 8, 1).await;
    world.blade(3, 4, 1).await;
    let mut made = Vec::new();
    for act in acts {
        let pick = |index: usize| made.get(index).copied();
        let actor = alice.clone();
        let result = match act {
            Act::Create { cores, gpus, ports } => {
                let guests: Vec<u16> = (1..=ports).collect();
                let name = format!("c{}", made.len());
                let result =
                    world.create_with(&alice, new_container(&name, cores, gpus, &guests)).await;
                if let Ok(id) = &result {
                    made.push(*id);
                }
                result.map(drop)
            }
            Act::Obey(index) => {
                if let Some(id) = pick(index) {
                    obey(&world, id).await;
                }
                Ok(())
            }
            Act::Exit(index) => {
                let running = pick(index).filter(|id| {
                    let committed = world.handle.committed();
                    let container = committed.state.containers.get(id);
                    container.is_some_and(|container| container.admitted)
                });
                if let Some(id) = running {
                    world.says_phase(id, ObservedPhase::Exited).await;
                }
                Ok(())
            }
            Act::Start(i) => {
                world
                    .apply(move |t| {
                        containers::start(t, &actor, &named(&format!("c{i}"))).map(drop)
                    })
                    .await
            }
            Act::Stop(i) => {
                world
                    .apply(move |t| containers::stop(t, &actor, &named(&format!("c{i}"))).map(drop))
                    .await
            }
            Act::Restart(i) => {
                world
                    .apply(move |t| {
                        containers::restart(t, &actor, &named(&format!("c{i}"))).map(drop)
                    })
                    .await
            }
            Act::Shell(i) => {
                world
                    .apply(move |t| {
                        containers::start_with_shell(t, &actor, &named(&format!("c{i}"))).map(drop)
                    })
                    .await
            }
            Act::Update { index, cores, gpus, ports } => {
                let before = pick(index).and_then(|id| bindings(&world, id));
                let guests: Vec<u32> = (1..=ports).map(u32::from).collect();
                let asked = resize(cores, gpus, guests.clone());
                let name = named(&format!("c{index}"));
                let result = world
                    .apply(move |t| update::update(t, &actor, &name, &asked, &limits()).map(drop))
                    .await;
                if let (Ok(()), Some(before)) = (&result, before) {
                    let after = bindings(&world, made[index]).expect("it has its blade");
                    for stays in before.iter().filter(|port| guests.contains(&port.guest.into())) {
                        assert!(after.contains(stays), "{stays:?} of {before:?}: {after:?}");
                    }
                }
                result
            }
            Act::Delete(i) => {
                world.apply(move |t| containers::delete(t, &actor, &named(&format!("c{i}")))).await
            }
        };
        match result {
            Ok(())
            | Err(
                Error::NotFound { .. }
                | Error::AlreadyExists { .. }
                | Error::QuotaExceeded { .. }
                | Error::FailedPrecondition(_)
                | Error::DoesNotFit(_),
            ) => {}
            Err(other) => panic!("{other}"),
        }
        world.check();
    }
    // Everything can be given back, from whatever state: every state has a way out.
    for (index, id) in made.iter().enumerate() {
        let actor = alice.clone();
        drop(
            world.apply(move |t| containers::delete(t, &actor, &named(&format!("c{index}")))).await,
        );
        obey(&world, *id).await;
    }
    let committed = world.handle.committed();
    assert!(committed.state.containers.is_empty());
    for node in committed.state.nodes.values() {
        assert_eq!(committed.state.usage(node.id), Default::default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn nothing_is_over_committed_lent_twice_or_forgotten(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(acts));
    }
}
