//! `berth-controller user ...`: the built-in directory, also while the controller runs.

use std::io::Read as _;

use anyhow::{Context as _, Result, bail};
use berth_app::{
    local_directory::hash_password,
    ports::{LocalAccounts, Password},
};
use berth_core::{
    account::{AccountName, LocalAccount, Role},
    storage::Posix,
};
use berth_store::SqlStore;
use clap::{Subcommand, ValueEnum};
use rand::{TryRngCore as _, rngs::OsRng};

use crate::{config::Config, serve};

const PASSWORD_MINIMUM: usize = 8;
const PASSWORD_MAXIMUM: usize = 1024;
/// Letters that do not look alike; a power of two, so that none is likelier. 20 of them are 100 bits.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const GENERATED: usize = 20;

#[derive(Debug, Subcommand)]
pub enum User {
    /// Adds an account; without --password-stdin a random password is made and printed
    Add {
        name: String,
        #[arg(long, value_enum)]
        role: RoleName,
        #[arg(long)]
        display_name: Option<String>,
        /// The number that the account's files carry, where it has files already; by default one is chosen for ever
        #[arg(long)]
        uid: Option<u32>,
        /// Its group's number; by default the same as --uid
        #[arg(long, requires = "uid")]
        gid: Option<u32>,
        /// Reads the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Shows all accounts of the built-in directory
    List,
    /// Sign-in is refused from now on; sessions end within a minute
    Disable { name: String },
    /// Lets a disabled account sign in again
    Enable { name: String },
    /// Sets another password
    Password {
        name: String,
        /// Reads the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleName {
    Student,
    Teacher,
    Administrator,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Role {
        match name {
            RoleName::Student => Role::Student,
            RoleName::Teacher => Role::Teacher,
            RoleName::Administrator => Role::Administrator,
        }
    }
}

/// Runs the command; what it says goes to `out`.
pub async fn run(config: &Config, command: User, out: &mut impl std::io::Write) -> Result<()> {
    serve::prepare(&config.data.dir)?;
    let store = serve::open_store(config).await?;
    let result = apply(&store, command, out).await;
    store.close().await?;
    result
}

async fn apply(store: &SqlStore, command: User, out: &mut impl std::io::Write) -> Result<()> {
    match command {
        User::Add { name, role, display_name, uid, gid, password_stdin } => {
            let account = parse(&name)?;
            let posix = uid.map(|uid| numbers(uid, gid.unwrap_or(uid))).transpose()?;
            if store.find(&account).await?.is_some() {
                bail!("there is already an account {account}");
            }
            if let Some(uid) = uid {
                let all = store.list().await?;
                let same = all.iter().find(|other| other.posix.is_some_and(|its| its.uid == uid));
                if let Some(other) = same {
                    bail!("the number {uid} is {}'s", other.account);
                }
            }
            let (password, made) = password(password_stdin)?;
            let display_name = display_name.unwrap_or_else(|| name.clone());
            let password_hash = hash_password(&password)?;
            let role = role.into();
            let local =
                LocalAccount { account, display_name, role, posix, password_hash, disabled: false };
            store.put(&local).await?;
            writeln!(out, "account {name} added")?;
            tell(&made, out)
        }
        User::List => {
            for LocalAccount { account, display_name, role, disabled, .. } in store.list().await? {
                let state = if disabled { "disabled" } else { "" };
                let role = format!("{role:?}").to_lowercase();
                let account = account.as_str();
                let line = format!("{account:<32} {role:<13} {display_name:<24} {state}");
                writeln!(out, "{}", line.trim_end())?;
            }
            Ok(())
        }
        User::Disable { name } => {
            change(store, &name, |account| account.disabled = true).await?;
            Ok(writeln!(out, "account {name} disabled")?)
        }
        User::Enable { name } => {
            change(store, &name, |account| account.disabled = false).await?;
            Ok(writeln!(out, "account {name} enabled")?)
        }
        User::Password { name, password_stdin } => {
            let (password, made) = password(password_stdin)?;
            let hash = hash_password(&password)?;
            change(store, &name, |account| account.password_hash = hash).await?;
            writeln!(out, "password of {name} changed")?;
            tell(&made, out)
        }
    }
}

async fn change(
    store: &SqlStore,
    name: &str,
    change: impl FnOnce(&mut LocalAccount),
) -> Result<()> {
    let account = parse(name)?;
    let Some(mut account) = store.find(&account).await? else {
        bail!("there is no account {account}");
    };
    change(&mut account);
    Ok(store.put(&account).await?)
}

fn parse(name: &str) -> Result<AccountName> {
    AccountName::parse(name).with_context(|| {
        format!("{name:?} is no account name: 1 to 32 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit")
    })
}

fn numbers(uid: u32, gid: u32) -> Result<Posix> {
    Posix::new(uid, gid).with_context(|| {
        format!(
            "{uid}:{gid} are no numbers of a person: a uid is at least 1000, and a gid at least 1"
        )
    })
}

/// The password, and its text when it was made here and must be shown.
fn password(stdin: bool) -> Result<(Password, Option<String>)> {
    if !stdin {
        let made = generate()?;
        return Ok((Password::new(made.clone()), Some(made)));
    }
    let mut text = String::new();
    let limit = u64::try_from(PASSWORD_MAXIMUM).unwrap_or(u64::MAX) + 2;
    std::io::stdin()
        .take(limit)
        .read_to_string(&mut text)
        .context("the password cannot be read from standard input")?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.len() < PASSWORD_MINIMUM || text.len() > PASSWORD_MAXIMUM {
        bail!("a password has {PASSWORD_MINIMUM} to {PASSWORD_MAXIMUM} bytes");
    }
    Ok((Password::new(text.to_owned()), None))
}

fn tell(made: &Option<String>, out: &mut impl std::io::Write) -> Result<()> {
    if let Some(made) = made {
        writeln!(out, "password: {made}")?;
    }
    Ok(())
}

fn generate() -> Result<String> {
    let mut random = [0; GENERATED];
    OsRng.try_fill_bytes(&mut random).context("the kernel gives no random numbers")?;
    Ok(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}
