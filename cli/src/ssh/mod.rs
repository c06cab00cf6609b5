//! An ssh server on standard input and output, for ssh's `ProxyCommand`: its shells and commands are the container's, by the
//! service; its forwarded connections too.
//!
//! Nobody but the ssh program that started us can speak here, so nobody has to prove who they are; who may enter the
//! container is decided by the session that this program is signed in with.

mod channel;
mod sftp;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use russh::{
    Channel, ChannelId, Pty,
    keys::{PrivateKey, ssh_key::private::Ed25519Keypair},
    server::{self, Auth, ChannelOpenHandle, Handler, Msg, Session},
};

use self::channel::{Ask, Work};
use crate::client::Client;

/// Whose container, and which.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) owner: String,
    pub(crate) name: String,
}

/// Until ssh has hung up.
pub(crate) async fn serve(client: Client, target: Target) -> Result<()> {
    // Made for this one connection, and thrown away with it.
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&rand::random()));
    let config = server::Config {
        keys: vec![key],
        auth_rejection_time: Duration::ZERO,
        inactivity_timeout: None,
        keepalive_interval: Some(Duration::from_secs(30)),
        ..server::Config::default()
    };
    let stream = tokio::io::join(tokio::io::stdin(), tokio::io::stdout());
    let host = Host { client, target, asked: BTreeMap::new() };
    let running = server::run_stream(Arc::new(config), stream, host).await;
    let session = running.context("ssh does not greet")?;
    // How it ended is ssh's to say.
    drop(session.await);
    Ok(())
}

struct Host {
    client: Client,
    target: Target,
    /// Channels that are open and have not yet said what for.
    asked: BTreeMap<ChannelId, (Channel<Msg>, Ask)>,
}

impl Host {
    /// What was asked for up to now, and the channel to do it on.
    fn begin(
        &mut self,
        id: ChannelId,
        work: Work,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some((channel, ask)) = self.asked.remove(&id) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let (client, target) = (self.client.clone(), self.target.clone());
        tokio::spawn(channel::run(client, target, channel, ask, work));
        Ok(())
    }
}

impl Handler for Host {
    type Error = russh::Error;

    async fn auth_none(&mut self, _user: &str) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.asked.insert(channel.id(), (channel, Ask::default()));
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        // Dropped without an answer it is refused: the container's own ports are what is here.
        if !matches!(host, "localhost" | "127.0.0.1" | "::1") {
            return Ok(());
        }
        reply.accept().await;
        let (client, target) = (self.client.clone(), self.target.clone());
        tokio::spawn(channel::forward(client, target, channel, port));
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "the trait's")]
    async fn pty_request(
        &mut self,
        id: ChannelId,
        _term: &str,
        columns: u32,
        rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some((_, ask)) = self.asked.get_mut(&id) {
            ask.size = Some(channel::size(rows, columns));
        }
        session.channel_success(id)
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some((_, ask)) = self.asked.get_mut(&id) {
            ask.environment.insert(name.to_owned(), value.to_owned());
        }
        session.channel_success(id)
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.begin(id, Work::Shell, session)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match String::from_utf8(command.to_vec()) {
            Ok(command) => self.begin(id, Work::Command(command), session),
            Err(_) => session.channel_failure(id),
        }
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match name {
            "sftp" => {
                let Some((channel, _)) = self.asked.remove(&id) else {
                    return session.channel_failure(id);
                };
                session.channel_success(id)?;
                let (client, target) = (self.client.clone(), self.target.clone());
                tokio::spawn(channel::sftp(client, target, channel));
                Ok(())
            }
            _ => session.channel_failure(id),
        }
    }
}
