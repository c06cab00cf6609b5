//! `berth ssh-config` and `berth ssh-proxy`: ssh, scp, rsync and editors, without an ssh server in the image.

use anyhow::Result;
use clap::Args;

use crate::{client::Client, output::say, ssh};

/// What `Host` patterns end with, so that they meet no other host of the person's.
const SUFFIX: &str = ".berth";

#[derive(Debug, Args)]
pub(crate) struct Config;

#[derive(Debug, Args)]
pub(crate) struct Proxy {
    /// NAME.berth, or OWNER+NAME.berth for somebody else's (administrators)
    host: String,
}

impl Config {
    /// The connection is a pipe to this very program, made by ssh itself: there is no host whose key could be another's,
    /// and who may come in is decided where the program signs in.
    pub(crate) fn run() -> Result<()> {
        let program = std::env::current_exe()?;
        say(&format!(
            "# Put this into ~/.ssh/config (berth ssh-config >> ~/.ssh/config), then: ssh NAME{SUFFIX}\n\
             Host *{SUFFIX}\n  \
               ProxyCommand \"{}\" ssh-proxy %n\n  \
               User root\n  \
               StrictHostKeyChecking no\n  \
               UserKnownHostsFile /dev/null\n  \
               LogLevel ERROR",
            program.display()
        ))
    }
}

impl Proxy {
    pub(crate) async fn run(self) -> Result<()> {
        let (owner, name) = target(&self.host);
        let target = ssh::Target { owner: owner.to_owned(), name: name.to_owned() };
        ssh::serve(Client::signed_in()?, target).await
    }
}

fn target(host: &str) -> (&str, &str) {
    let host = host.strip_suffix(SUFFIX).unwrap_or(host);
    host.split_once('+').unwrap_or(("", host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        assert_eq!(target("web.berth"), ("", "web"));
        assert_eq!(target("alice+web.berth"), ("alice", "web"));
        assert_eq!(target("web"), ("", "web"));
    }
}
