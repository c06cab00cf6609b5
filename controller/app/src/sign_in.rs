//! Signing in and out.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use berth_core::{
    account::{Session, User},
    clock::{Clock, Timestamp},
    id::{IdSource, SessionId, UserId},
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use rand::TryRngCore as _;
use sha2::{Digest as _, Sha256};

use crate::{
    authz::Actor,
    error::Error,
    numbers,
    ports::{Directory, DirectoryError, Identity, Password},
    transaction::Transaction,
    writer::Handle,
};

/// Longer is nobody's account or password, and hashing it is work for nothing.
const ACCOUNT_MAXIMUM: usize = 64;
const PASSWORD_MAXIMUM: usize = 1024;
/// Accounts, or addresses, that the limiters keep in mind; some hundred bytes each.
const KEYS_MAXIMUM: usize = 10_000;

#[derive(Debug, Clone)]
pub struct Options {
    pub session_lifetime: Duration,
    /// Attempts a minute at one account, whoever makes them.
    pub attempts_per_account: NonZeroU32,
    /// Attempts a minute from one address. A class sits behind one address: larger than the class.
    pub attempts_per_address: NonZeroU32,
}

pub struct SignIn {
    options: Options,
    directory: Arc<dyn Directory>,
    writer: Handle,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    by_account: DefaultKeyedRateLimiter<String>,
    by_address: DefaultKeyedRateLimiter<IpAddr>,
}

/// A new session, with the one copy of its token.
pub struct NewSession {
    pub token: String,
    pub expires_at: Timestamp,
    pub user: Arc<User>,
}

impl SignIn {
    pub fn new(
        options: Options,
        directory: Arc<dyn Directory>,
        writer: Handle,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        let by_account = RateLimiter::keyed(Quota::per_minute(options.attempts_per_account));
        let by_address = RateLimiter::keyed(Quota::per_minute(options.attempts_per_address));
        Self { options, directory, writer, clock, ids, by_account, by_address }
    }

    pub async fn sign_in(
        &self,
        account: &str,
        password: Password,
        device: &str,
        address: IpAddr,
    ) -> Result<NewSession, Error> {
        if account.is_empty() || account.len() > ACCOUNT_MAXIMUM {
            return Err(Error::SignInRefused);
        }
        // RFC 4513: a bind with an empty password succeeds at many directories. None of them sees one from here.
        if password.reveal().is_empty() || password.reveal().len() > PASSWORD_MAXIMUM {
            return Err(Error::SignInRefused);
        }
        self.forget_idle_limits();
        let wait = Error::TooManyAttempts { retry_after: Duration::from_secs(60) };
        if self.by_address.check_key(&address).is_err() {
            return Err(wait);
        }
        if self.by_account.check_key(&account.to_lowercase()).is_err() {
            return Err(wait);
        }
        let identity = match self.directory.sign_in(account, &password).await {
            Ok(identity) => identity,
            Err(DirectoryError::Refused) => return Err(Error::SignInRefused),
            Err(error @ DirectoryError::Unavailable(_)) => {
                tracing::warn!(error = %crate::writer::chain(&error), "the directory does not answer");
                return Err(Error::Unavailable { retry_after: Duration::from_secs(10) });
            }
        };
        self.open(identity, device, address).await
    }

    /// Whoever guesses names fills these tables: what a minute has made idle again is dropped once there is much of it.
    fn forget_idle_limits(&self) {
        if self.by_account.len() > KEYS_MAXIMUM {
            self.by_account.retain_recent();
        }
        if self.by_address.len() > KEYS_MAXIMUM {
            self.by_address.retain_recent();
        }
    }

    async fn open(
        &self,
        identity: Identity,
        device: &str,
        address: IpAddr,
    ) -> Result<NewSession, Error> {
        let token = new_token("berth_s_")?;
        let expires_at = self.clock.now() + self.options.session_lifetime;
        let session = SessionId::new(self.ids.next());
        let new_user = UserId::new(self.ids.next());
        let token_sha256 = hash(&token);
        let device: String = device.chars().filter(|c| !c.is_control()).take(100).collect();
        let user = self
            .writer
            .apply(move |transaction| {
                let user = remember(transaction, new_user, identity)?;
                if user.suspended {
                    return Err(Error::SignInRefused);
                }
                transaction.put_session(Session {
                    id: session,
                    user: user.id,
                    token_sha256,
                    device,
                    address: address.to_string(),
                    created_at: transaction.now(),
                    expires_at,
                });
                Ok(Arc::new(user))
            })
            .await?;
        tracing::info!(user.account = %user.account, %address, "signed in");
        Ok(NewSession { token, expires_at, user })
    }

    pub async fn sign_out(&self, actor: &Actor) -> Result<(), Error> {
        let session = actor.session;
        self.writer
            .apply(move |transaction| {
                transaction.remove_session(session);
                Ok(())
            })
            .await
    }
}

/// The account as Berth keeps it, brought up to date with what the directory says.
fn remember(
    transaction: &mut Transaction,
    new_id: UserId,
    identity: Identity,
) -> Result<User, Error> {
    let state = transaction.state();
    let known = state.user_by_account(&identity.account).map(|user| User::clone(user));
    if let Some(posix) = identity.posix
        && let Some(other) = state
            .users
            .values()
            .find(|user| user.posix.uid == posix.uid && user.account != identity.account)
    {
        // Each would own the other's files.
        tracing::error!(
            user.account = %identity.account,
            uid = posix.uid,
            other = %other.account,
            "refused: the directory gives two accounts one number"
        );
        return Err(Error::SignInRefused);
    }
    let user = match known {
        Some(user) => User {
            display_name: identity.display_name,
            role: identity.role,
            posix: identity.posix.unwrap_or(user.posix),
            ..user
        },
        None => User {
            posix: identity.posix.unwrap_or_else(|| numbers::choose(&identity.account, state)),
            id: new_id,
            account: identity.account,
            display_name: identity.display_name,
            role: identity.role,
            suspended: false,
            created_at: transaction.now(),
        },
    };
    if transaction.state().users.get(&user.id).map(|known| &**known) != Some(&user) {
        transaction.put_user(user.clone());
    }
    Ok(user)
}

/// Sessions that have ended by themselves.
pub fn forget_expired_sessions(transaction: &mut Transaction) {
    let now = transaction.now();
    let expired: Vec<SessionId> = transaction
        .state()
        .sessions
        .values()
        .filter(|session| session.expires_at <= now)
        .map(|session| session.id)
        .collect();
    for id in expired {
        transaction.remove_session(id);
    }
}

/// 256 random bits behind a prefix that secret scanners can look for.
pub fn new_token(prefix: &str) -> Result<String, Error> {
    let mut bytes = [0; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(Error::internal)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// Tokens are random, so a plain hash keeps them as well as a slow one would.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
