//! Signing in and out.

use std::{io::Read as _, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use berth_proto::v1;
use clap::Args;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::{
    client::{Client, host_and_port, normalize},
    output::{ask, asks_nobody, is_yes, say},
    settings::{Credentials, Folder, Settings},
    text, trust,
};

#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The service, such as https://berth.example.edu:8443
    url: Option<String>,
    /// The account
    #[arg(short, long)]
    account: Option<String>,
    /// Reads the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// The certificate authority's SHA-256 fingerprint: trusts it without asking, and no other
    #[arg(long, conflicts_with = "ca_file")]
    ca_sha256: Option<String>,
    /// The certificate authority's certificate (PEM)
    #[arg(long)]
    ca_file: Option<PathBuf>,
}

impl Login {
    pub(crate) async fn run(self) -> Result<()> {
        let folder = Folder::find()?;
        let known = folder.settings()?;
        let url = match (&self.url, &known) {
            (Some(url), _) => normalize(url)?,
            (None, Some(known)) => known.url.clone(),
            (None, None) => normalize(&ask(text::ask_url(), "berth login URL")?)?,
        };
        let authority = self.authority(&folder, known.as_ref(), &url).await?;
        let account = match &self.account {
            Some(account) => account.clone(),
            None => ask(text::ask_account(), "--account")?,
        };
        let password = self.password()?;

        let settings = Settings { url, account: account.clone() };
        let client = Client::new(&settings, &authority, None)?;
        let device = format!("berth/{}", env!("CARGO_PKG_VERSION"));
        let request = v1::SignInRequest { account, password, device };
        let session = client.auth().sign_in(request).await?.into_inner();
        folder.remember(&settings, &authority, &Credentials { token: session.token })?;
        let name = session.user.map(|user| user.display_name).unwrap_or_default();
        say(&text::signed_in(&name, &settings.url))
    }

    /// PEM. Given, known from before for this very service, or shown and confirmed.
    async fn authority(
        &self,
        folder: &Folder,
        known: Option<&Settings>,
        url: &str,
    ) -> Result<String> {
        if let Some(file) = &self.ca_file {
            let pem = std::fs::read_to_string(file)
                .with_context(|| format!("{} cannot be read", file.display()))?;
            CertificateDer::from_pem_slice(pem.as_bytes())
                .with_context(|| format!("{} holds no certificate", file.display()))?;
            return Ok(pem);
        }
        let same_service = known.is_some_and(|known| known.url == url);
        if same_service
            && self.ca_sha256.is_none()
            && let Some(pinned) = folder.authority()?
        {
            return Ok(pinned);
        }
        let (host, port) = host_and_port(url)?;
        let shown = trust::authority(&host, port).await?;
        match &self.ca_sha256 {
            Some(wanted) if trust::is_fingerprint(&shown, wanted) => {}
            Some(_) => bail!(text::other_authority()),
            None => {
                let question = text::ask_trust(&host, &trust::fingerprint(&shown));
                if !is_yes(&ask(&question, "--ca-sha256")?) {
                    bail!(text::not_trusted());
                }
            }
        }
        Ok(trust::pem(&shown))
    }

    fn password(&self) -> Result<String> {
        if !self.password_stdin {
            // A password is asked for at the terminal, wherever standard input comes from.
            if asks_nobody() {
                bail!(text::nobody_to_ask("--password-stdin"));
            }
            return rpassword::prompt_password(text::ask_password())
                .with_context(|| text::nobody_to_ask("--password-stdin"));
        }
        let mut text = String::new();
        std::io::stdin().take(4096).read_to_string(&mut text)?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

pub(crate) async fn logout() -> Result<()> {
    let client = Client::signed_in()?;
    let ended = client.auth().sign_out(v1::SignOutRequest {}).await;
    // Here it is over in any case; that the session lives on over there is said.
    Folder::find()?.forget_credentials()?;
    match ended {
        Err(status) if status.code() != tonic::Code::Unauthenticated => Err(status.into()),
        Ok(_) | Err(_) => say(text::signed_out()),
    }
}

pub(crate) async fn whoami() -> Result<()> {
    let answer = Client::signed_in()?.auth().get_self(v1::GetSelfRequest {}).await?.into_inner();
    let user = answer.user.unwrap_or_default();
    let site = answer.site.unwrap_or_default();
    say(&format!("{} ({}, {})", user.account, text::role(user.role()), site.name))
}
