//! Keeps containers away from the blade, from each other and from what the operator names; and keeps the rules in place.
//!
//! Flow: the rules are applied and read back; what was read is what they must stay. Whenever the kernel tells that somebody
//! touched our table, and every few seconds, they are read again and restored if they differ. While they are not confirmed,
//! no container is started; asking for that costs one atomic load.

mod changes;
mod rules;

use std::{
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ipnet::IpNet;
use tokio::{io::AsyncWriteExt, process::Command, task::AbortHandle};

use self::changes::Changes;
use crate::{options::Options, subnet};

/// One transaction of twenty rules takes 10 ms.
const LIMIT: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot run nft (package nftables): {0}")]
    Run(std::io::Error),
    #[error("nft did not end in {} s", LIMIT.as_secs())]
    Slow,
    #[error("nft: {0}")]
    Refused(String),
}

/// The state of the rules, shared between the one who keeps them and those who ask.
#[derive(Debug, Default)]
struct Shared {
    confirmed: AtomicBool,
    problem: Mutex<Option<String>>,
}

#[derive(Debug)]
pub(crate) struct Firewall {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

impl Drop for Firewall {
    fn drop(&mut self) {
        // The rules stay: so do the containers.
        self.keeper.abort();
    }
}

impl Firewall {
    /// Applies the rules and goes on keeping them. A failure is not the end: it is tried again, and nothing starts till then.
    pub(crate) async fn start(table: String, options: &Options) -> Self {
        let shared = Arc::new(Shared::default());
        let mut keeper = Keeper {
            changes: Changes::subscribe(&table),
            table,
            management: options.management_networks.clone(),
            uplinks: options.uplinks.clone(),
            interval: options.firewall_check,
            shared: shared.clone(),
            held: None,
        };
        keeper.look().await;
        let keeper = tokio::spawn(keeper.run()).abort_handle();
        Self { shared, keeper }
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.shared.confirmed.load(Ordering::Acquire)
    }

    pub(crate) fn problem(&self) -> Option<String> {
        if self.is_confirmed() {
            return None;
        }
        let problem = self.shared.problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(problem.unwrap_or_else(|| "the firewall's rules are being restored".to_owned()))
    }
}

struct Keeper {
    table: String,
    management: Vec<IpNet>,
    uplinks: Vec<String>,
    interval: Duration,
    shared: Arc<Shared>,
    changes: Changes,
    held: Option<Held>,
}

/// What was applied, and how it reads.
struct Held {
    script: String,
    listing: String,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            let pause =
                if self.shared.confirmed.load(Ordering::Acquire) { self.interval } else { RETRY };
            tokio::select! {
                // Both are cancel-safe: what one round does not hear, the look of the next round sees.
                () = self.changes.next() => self.shared.confirmed.store(false, Ordering::Release),
                () = tokio::time::sleep(pause) => {}
            }
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let outcome = self.ensure().await;
        let problem = outcome.as_ref().err().map(ToString::to_string);
        if let Some(problem) = &problem {
            tracing::error!(
                table = self.table,
                error = problem,
                "the firewall's rules are missing; nothing will be started"
            );
        }
        *self.shared.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
        self.shared.confirmed.store(outcome.is_ok(), Ordering::Release);
    }

    async fn ensure(&mut self) -> Result<(), Error> {
        let mut uplinks = subnet::uplinks();
        uplinks.extend(self.uplinks.iter().cloned());
        let script = rules::script(&self.table, &self.management, &uplinks);
        // Before reading: a change after the reading must be heard.
        self.changes.drain();
        if let Some(held) = self.held.as_ref().filter(|held| held.script == script) {
            match list(&self.table).await {
                Ok(listing) if listing == held.listing => return Ok(()),
                Ok(_) => tracing::warn!(
                    table = self.table,
                    "somebody changed the firewall's rules; restoring them"
                ),
                Err(Error::Refused(_)) => tracing::warn!(
                    table = self.table,
                    "somebody removed the firewall's rules; restoring them"
                ),
                Err(error) => return Err(error),
            }
            self.shared.confirmed.store(false, Ordering::Release);
        }
        nft(&["-f", "-"], &script).await?;
        self.changes.drain();
        let listing = list(&self.table).await?;
        tracing::info!(table = self.table, "the firewall's rules are in place");
        self.held = Some(Held { script, listing });
        Ok(())
    }
}

/// Gone already is success.
pub(crate) async fn remove(table: &str) -> Result<(), Error> {
    nft(&["-f", "-"], &format!("table inet {table}\ndelete table inet {table}\n")).await.map(drop)
}

async fn list(table: &str) -> Result<String, Error> {
    nft(&["--stateless", "list", "table", "inet", table], "").await
}

async fn nft(arguments: &[&str], input: &str) -> Result<String, Error> {
    let spawn = |program: &str| {
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    };
    // Not everybody has /usr/sbin in the path.
    let mut child = spawn("nft").or_else(|_| spawn("/usr/sbin/nft")).map_err(Error::Run)?;
    let mut stdin = child.stdin.take();
    let work = async {
        if let Some(stdin) = &mut stdin {
            stdin.write_all(input.as_bytes()).await?;
        }
        drop(stdin);
        child.wait_with_output().await
    };
    let output =
        tokio::time::timeout(LIMIT, work).await.map_err(|_| Error::Slow)?.map_err(Error::Run)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let message = String::from_utf8_lossy(&output.stderr);
        Err(Error::Refused(message.lines().next().unwrap_or("it failed").to_owned()))
    }
}
