//! What happens without anybody asking. Each takes no input but the state: a missed beat is made up for by the next.

use std::{sync::Arc, time::Duration};

use berth_core::{
    account::AccountName,
    id::NodeId,
    relay::{EndReason, Frame, Operation, OperationKind, Target},
    volume::Volume,
};

use crate::{
    containers::{self, Rules},
    figures::Figures,
    nodes,
    ports::{Directory, Relays},
    shares, sign_in, space, volumes,
    writer::{Handle, chain},
};

/// A lease ends on the second; agents stop on their own clocks, so this only has to be timely, not exact.
const LEASE_PERIOD: Duration = Duration::from_secs(1);
const SWEEP_PERIOD: Duration = Duration::from_secs(60);
const SPACE_PERIOD: Duration = Duration::from_secs(5);
const VOLUME_PERIOD: Duration = Duration::from_secs(5);
const VOLUME_PATIENCE: Duration = Duration::from_secs(600);

/// Stops what has ended, removes what was kept long enough, for ever.
pub async fn lease_expiry(handle: Handle, rules: Rules, clock: Arc<dyn berth_core::clock::Clock>) {
    let mut ticks = tokio::time::interval(LEASE_PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A look without a command first: most seconds end no lease.
        if handle.committed().state.leases_ended(clock.now()).next().is_none() {
            continue;
        }
        let rules = rules.clone();
        let done = handle
            .apply(move |transaction| {
                containers::expire_leases(transaction, &rules);
                Ok(())
            })
            .await;
        if let Err(error) = done {
            tracing::warn!(error = %chain(&error), "leases were not looked at");
        }
    }
}

/// Has volumes that nobody wants taken away, one after the other, until their blades say that nothing is left. A blade that
/// does not answer is asked again; asked twice is no harm.
pub async fn volume_removal(handle: Handle, relays: Arc<dyn Relays>) {
    let mut ticks = tokio::time::interval(VOLUME_PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for (volume, node) in volumes::to_delete(&handle.committed().state) {
            let Some(node) = node else { continue };
            match remove_volume(relays.as_ref(), &volume, node).await {
                Ok(()) => {
                    let id = volume.id;
                    let done = handle
                        .apply(move |transaction| {
                            volumes::deleted(transaction, id);
                            Ok(())
                        })
                        .await;
                    if let Err(error) = done {
                        tracing::warn!(error = %chain(&error), "a volume's end was not noted");
                    }
                }
                Err(why) => {
                    tracing::warn!(volume.id = %volume.id, node.id = %node, why, "a volume stays");
                }
            }
        }
    }
}

async fn remove_volume(relays: &dyn Relays, volume: &Volume, node: NodeId) -> Result<(), String> {
    let Volume { id, scope, holder, .. } = volume.clone();
    let target = Target::Volume { id, scope, holder };
    let operation = Operation { target, kind: OperationKind::RemoveVolume };
    let asked = async {
        let mut relay = relays.open(node, operation).await.map_err(|error| error.to_string())?;
        while let Some(frame) = relay.from.recv().await {
            if let Frame::End(end) = frame {
                return match end.reason == EndReason::Exited {
                    true => Ok(()),
                    false => Err(format!("{:?}: {}", end.reason, end.detail)),
                };
            }
        }
        Err("the connection broke".to_owned())
    };
    // A large one takes long; asked again, its blade goes on with what is left.
    tokio::time::timeout(VOLUME_PATIENCE, asked)
        .await
        .unwrap_or_else(|_| Err("it takes long".to_owned()))
}

/// Stops what has filled far more than the site allows, where no file system does that.
pub async fn space_limits(handle: Handle, figures: Figures, rules: Rules) {
    let mut ticks = tokio::time::interval(SPACE_PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let counted = |taker| figures.space(taker);
        let over = space::far_over(&handle.committed().state, &counted, &rules.space);
        for id in over {
            tracing::info!(container.id = %id, "stopped: more is stored than the site allows");
            let done = handle
                .apply(move |transaction| {
                    space::stop(transaction, id);
                    Ok(())
                })
                .await;
            if let Err(error) = done {
                tracing::warn!(error = %chain(&error), "a container over its limit was not stopped");
            }
        }
    }
}

/// Forgets sessions and join tokens that have expired, and ends the sessions of people who may no longer sign in.
pub async fn sweep(handle: Handle, directory: Arc<dyn Directory>) {
    let mut ticks = tokio::time::interval(SWEEP_PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let gone = people_gone(&handle, directory.as_ref()).await;
        let done = handle
            .apply(move |transaction| {
                sign_in::forget_expired_sessions(transaction);
                nodes::forget_expired_tokens(transaction);
                shares::forget_expired_links(transaction);
                let ended: Vec<_> = transaction
                    .state()
                    .sessions
                    .values()
                    .filter(|session| {
                        let user = transaction.state().users.get(&session.user);
                        user.is_none_or(|user| gone.contains(&user.account))
                    })
                    .map(|session| session.id)
                    .collect();
                ended.into_iter().for_each(|session| transaction.remove_session(session));
                Ok(())
            })
            .await;
        if let Err(error) = done {
            tracing::warn!(error = %chain(&error), "the sweep was not done");
        }
    }
}

/// Accounts with sessions which the directory says are gone or disabled. A directory that does not answer says nothing:
/// sessions go on.
async fn people_gone(handle: &Handle, directory: &dyn Directory) -> Vec<AccountName> {
    let state = &handle.committed().state;
    let mut accounts: Vec<AccountName> = state
        .sessions
        .values()
        .filter_map(|session| state.users.get(&session.user))
        .map(|user| user.account.clone())
        .collect();
    accounts.sort();
    accounts.dedup();
    let mut gone = Vec::new();
    for account in accounts {
        match directory.look_up(&account).await {
            Ok(Some(_)) => {}
            Ok(None) => gone.push(account),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the directory does not answer");
                return Vec::new();
            }
        }
    }
    gone
}
