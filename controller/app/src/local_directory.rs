//! The built-in directory: accounts in the controller's own store, argon2id. A site without LDAP needs nothing else, and a
//! site with LDAP keeps an administrator here for the day on which LDAP is down.

use std::sync::Arc;

use argon2::PasswordHash;
use async_trait::async_trait;
use berth_core::account::{AccountName, LocalAccount};
use tokio::sync::Semaphore;

use crate::{
    error::Error,
    password_hash,
    ports::{Directory, DirectoryError, Identity, LocalAccounts, Password},
};

/// argon2id with its defaults takes 19 MiB and one core for some 20 ms. Two at a time keep the memory bounded and leave the
/// writer its share of the machine; a class that signs in together waits a second, not a minute.
const HASHES_AT_ONCE: usize = 2;

pub struct LocalDirectory {
    accounts: Arc<dyn LocalAccounts>,
    hashing: Arc<Semaphore>,
    /// Verified when the account does not exist, so that the answer takes as long.
    decoy: String,
}

impl LocalDirectory {
    pub fn new(accounts: Arc<dyn LocalAccounts>) -> Result<Self, Error> {
        let decoy = hash_password(&Password::new("nobody has this password".to_owned()))?;
        Ok(Self { accounts, hashing: Arc::new(Semaphore::new(HASHES_AT_ONCE)), decoy })
    }

    async fn verify(&self, hash: String, password: &Password) -> Result<bool, DirectoryError> {
        let permit = Arc::clone(&self.hashing).acquire_owned().await.map_err(unavailable)?;
        let password = password.reveal().to_owned();
        let verified = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            PasswordHash::new(&hash)
                .map(|hash| password_hash::verify(password.as_bytes(), &hash).is_ok())
        });
        verified
            .await
            .map_err(unavailable)?
            .map_err(|error| DirectoryError::Unavailable(error.to_string().into()))
    }
}

#[async_trait]
impl Directory for LocalDirectory {
    async fn sign_in(
        &self,
        account: &str,
        password: &Password,
    ) -> Result<Identity, DirectoryError> {
        let known = match AccountName::parse(&account.to_lowercase()) {
            Some(account) => self.accounts.find(&account).await.map_err(unavailable)?,
            None => None,
        };
        let hash =
            known.as_ref().map_or_else(|| self.decoy.clone(), |known| known.password_hash.clone());
        let right = self.verify(hash, password).await?;
        match known {
            Some(known) if right && !known.disabled => Ok(identity(known)),
            _ => Err(DirectoryError::Refused),
        }
    }

    async fn look_up(&self, account: &AccountName) -> Result<Option<Identity>, DirectoryError> {
        let known = self.accounts.find(account).await.map_err(unavailable)?;
        Ok(known.filter(|known| !known.disabled).map(identity))
    }
}

fn identity(account: LocalAccount) -> Identity {
    Identity {
        account: account.account,
        display_name: account.display_name,
        role: account.role,
        posix: account.posix,
    }
}

fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DirectoryError {
    DirectoryError::Unavailable(error.into())
}

/// A PHC string, argon2id with the crate's (OWASP's) parameters.
pub fn hash_password(password: &Password) -> Result<String, Error> {
    password_hash::hash(password.reveal().as_bytes())
        .map_err(|error| Error::internal(error.to_string()))
}
