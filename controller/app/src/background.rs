//! What happens without anybody asking. Each takes no input but the state: a missed beat is made up for by the next.

use std::{sync::Arc, time::Duration};

use berth_core::account::AccountName;

use crate::{
    containers::{self, Rules},
    nodes,
    ports::Directory,
    sign_in,
    writer::{Handle, chain},
};

/// A lease ends on the second; agents stop on their own clocks, so this only has to be timely, not exact.
const LEASE_PERIOD: Duration = Duration::from_secs(1);
const SWEEP_PERIOD: Duration = Duration::from_secs(60);

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
