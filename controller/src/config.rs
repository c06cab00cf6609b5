//! Configuration: defaults, then one TOML file, then the environment (`BERTH_CONTROLLER__SECTION__KEY`), then flags.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use berth_app::{containers::Rules, sign_in};
use berth_core::{
    create::{Limits as CreateLimits, MINIMUM_CPU_MILLIS, MINIMUM_LEASE},
    resources::{MIB, MINIMUM_MEMORY, Resources},
};
use figment::{
    Figment,
    providers::{Env, Format as _, Serialized, Toml},
};
use serde::{Deserialize, Serialize};

/// Read when no other is named, and not missed when it is not there.
pub const DEFAULT_FILE: &str = "/etc/berth/controller.toml";
const ENVIRONMENT: &str = "BERTH_CONTROLLER__";

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: Listen,
    pub public: Public,
    pub data: Data,
    pub database: Database,
    pub sign_in: SignIn,
    pub leases: Leases,
    pub limits: Limits,
    pub nodes: Nodes,
    pub site: Site,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Console, gRPC-web and gRPC.
    pub api: SocketAddr,
    /// Agents.
    pub agents: SocketAddr,
}

/// How the controller is reached from outside.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Public {
    /// Names and addresses for the certificates, beside localhost and the machine's own name. Agents use the first.
    pub names: Vec<String>,
    /// host:port that join strings tell agents; by default the first name, or the machine's, with the agents' port.
    pub agents_address: String,
    /// A certificate of the site's own for the API port (PEM, the chain after it), instead of one by our own authority.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// Browsers then refuse plain HTTP from this *host name*, on all ports: also from containers' endpoints, where a blade has
    /// the same name. Hence off by default.
    pub strict_transport_security: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The database (by default) and the certificate authority.
    pub dir: PathBuf,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:///path` or `postgres://...`; empty means SQLite in the data directory.
    pub url: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    #[serde(with = "humantime_serde")]
    pub session_lifetime: Duration,
    /// Attempts a minute at one account.
    pub attempts_per_account: NonZeroU32,
    /// Attempts a minute from one address; a class sits behind one.
    pub attempts_per_address: NonZeroU32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leases {
    #[serde(with = "humantime_serde")]
    pub default: Duration,
    #[serde(with = "humantime_serde")]
    pub maximum: Duration,
    /// How long a container is kept, stopped, after its lease ended.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub containers_per_person: usize,
    pub default_cpu_millis: u32,
    pub default_memory_mib: u64,
    pub maximum_cpu_millis: u32,
    pub maximum_memory_mib: u64,
    pub maximum_gpus: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nodes {
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    #[serde(with = "humantime_serde")]
    pub unreachable_after: Duration,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    pub name: String,
    /// Offered in the form as a starting point; may be empty.
    pub starter_image: String,
}

impl Default for Listen {
    fn default() -> Self {
        Self { api: ([0, 0, 0, 0], 8443).into(), agents: ([0, 0, 0, 0], 8444).into() }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: "/var/lib/berth".into() }
    }
}

impl Default for SignIn {
    fn default() -> Self {
        let some = |number| NonZeroU32::new(number).expect("a number above zero");
        Self {
            session_lifetime: Duration::from_secs(12 * 3600),
            attempts_per_account: some(10),
            // Three classes of 200 behind one address, everybody at once.
            attempts_per_address: some(600),
        }
    }
}

impl Default for Leases {
    fn default() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        Self { default: hours(8), maximum: hours(14 * 24), grace: hours(72) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            containers_per_person: 5,
            default_cpu_millis: 1000,
            default_memory_mib: 2048,
            maximum_cpu_millis: 16_000,
            maximum_memory_mib: 65_536,
            maximum_gpus: 4,
        }
    }
}

impl Default for Nodes {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(5), unreachable_after: Duration::from_secs(20) }
    }
}

impl Default for Site {
    fn default() -> Self {
        Self { name: "Berth".into(), starter_image: String::new() }
    }
}

/// A configuration, and where each of its values came from.
pub struct Loaded {
    pub config: Config,
    figment: Figment,
}

/// `file`: the one that was named; it must exist then.
pub fn load(file: Option<&Path>) -> Result<Loaded> {
    let file = match file {
        Some(file) if !file.is_file() => bail!("there is no configuration file {}", file.display()),
        Some(file) => file,
        None => Path::new(DEFAULT_FILE),
    };
    let figment = Figment::from(Serialized::defaults(Config::default()))
        .merge(Toml::file_exact(file))
        .merge(Env::prefixed(ENVIRONMENT).split("__"));
    // figment's error names the key, what was found, and the file or variable that it stands in.
    let config: Config = figment
        .extract()
        .map_err(|error| anyhow::anyhow!("{error}"))
        .context("the configuration is wrong")?;
    config.check()?;
    Ok(Loaded { config, figment })
}

impl Config {
    fn check(&self) -> Result<()> {
        let Config { public, leases, limits, nodes, .. } = self;
        if public.cert_file.is_some() != public.key_file.is_some() {
            bail!("public.cert_file and public.key_file go together: give both or neither");
        }
        if leases.default < MINIMUM_LEASE || leases.default > leases.maximum {
            bail!("leases.default must be at least a minute and at most leases.maximum");
        }
        if limits.default_cpu_millis < MINIMUM_CPU_MILLIS
            || limits.default_cpu_millis > limits.maximum_cpu_millis
        {
            bail!(
                "limits.default_cpu_millis must be at least {MINIMUM_CPU_MILLIS} and at most limits.maximum_cpu_millis"
            );
        }
        if limits.default_memory_mib < MINIMUM_MEMORY / MIB
            || limits.default_memory_mib > limits.maximum_memory_mib
        {
            bail!(
                "limits.default_memory_mib must be at least {} and at most limits.maximum_memory_mib",
                MINIMUM_MEMORY / MIB
            );
        }
        if nodes.heartbeat.is_zero() || nodes.unreachable_after < 2 * nodes.heartbeat {
            bail!("nodes.unreachable_after must be at least two heartbeats");
        }
        if !public.agents_address.is_empty() && !is_host_and_port(&public.agents_address) {
            bail!("public.agents_address must look like HOST:PORT");
        }
        Ok(())
    }

    pub fn database_url(&self) -> String {
        match self.database.url.as_str() {
            "" => format!("sqlite://{}", self.data.dir.join("controller.db").display()),
            url => url.to_owned(),
        }
    }

    pub fn limits(&self) -> CreateLimits {
        let Limits { default_cpu_millis, maximum_cpu_millis, maximum_gpus, .. } = self.limits;
        let bytes = |mib: u64| mib.saturating_mul(MIB);
        CreateLimits {
            default_resources: Resources::new(
                default_cpu_millis,
                bytes(self.limits.default_memory_mib),
            ),
            maximum_resources: Resources::new(
                maximum_cpu_millis,
                bytes(self.limits.maximum_memory_mib),
            ),
            maximum_gpus,
            default_lease: self.leases.default,
            maximum_lease: self.leases.maximum,
        }
    }

    pub fn rules(&self) -> Rules {
        Rules { containers_per_person: self.limits.containers_per_person, grace: self.leases.grace }
    }

    pub fn sign_in(&self) -> sign_in::Options {
        sign_in::Options {
            session_lifetime: self.sign_in.session_lifetime,
            attempts_per_account: self.sign_in.attempts_per_account,
            attempts_per_address: self.sign_in.attempts_per_address,
        }
    }

    /// Names for the certificates: what was configured, and what always leads here.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.public.names.clone();
        names.extend(["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()]);
        names.extend(host_name());
        for address in [self.listen.api, self.listen.agents] {
            if !address.ip().is_unspecified() {
                names.push(address.ip().to_string());
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    /// What join strings say.
    pub fn agents_address(&self) -> String {
        if !self.public.agents_address.is_empty() {
            return self.public.agents_address.clone();
        }
        let address = self.listen.agents;
        let named = self.public.names.first().cloned();
        let host = match named {
            Some(name) => name,
            None if !address.ip().is_unspecified() => address.ip().to_string(),
            None => host_name().unwrap_or_else(|| "localhost".to_owned()),
        };
        match host.contains(':') {
            true => format!("[{host}]:{}", address.port()),
            false => format!("{host}:{}", address.port()),
        }
    }
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_ascii_lowercase();
    let ok = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    ok.then_some(name)
}

impl Loaded {
    /// The merged configuration as TOML, with the source of each value; a password in the database's URL is not shown.
    pub fn print(&self) -> Result<String> {
        let mut shown = self.config.clone();
        shown.database.url = hide_password(&shown.database.url);
        let sections = toml::Table::try_from(&shown).context("a configuration is TOML")?;
        let mut page = String::new();
        for (section, values) in &sections {
            writeln!(page, "[{section}]")?;
            for (key, value) in values.as_table().into_iter().flatten() {
                let source = self.source(&format!("{section}.{key}"));
                writeln!(page, "{key} = {value}  # {source}")?;
            }
            writeln!(page)?;
        }
        Ok(page)
    }

    fn source(&self, key: &str) -> String {
        let Some(metadata) = self.figment.find_metadata(key) else { return "default".to_owned() };
        match &metadata.source {
            Some(figment::Source::File(path)) => path.display().to_string(),
            _ if metadata.name.contains("environment") => {
                format!("{ENVIRONMENT}{}", key.replace('.', "__").to_uppercase())
            }
            _ => "default".to_owned(),
        }
    }
}

fn hide_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
        Some((user, host)) => format!("{scheme}://{user}:(hidden)@{host}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("controller.toml");
        std::fs::write(&file, text).unwrap();
        (folder, file)
    }

    #[test]
    fn the_file_overrides_the_defaults_and_sources_are_shown() {
        let (_folder, file) = written("[listen]\napi = '127.0.0.1:1'\n[leases]\ndefault = '2h'\n");
        let loaded = load(Some(&file)).unwrap();
        assert_eq!(loaded.config.listen.api, ([127, 0, 0, 1], 1).into());
        assert_eq!(loaded.config.listen.agents.port(), 8444);
        assert_eq!(loaded.config.limits().default_lease, Duration::from_secs(7200));
        let page = loaded.print().unwrap();
        assert!(page.contains(&format!("api = \"127.0.0.1:1\"  # {}", file.display())), "{page}");
        assert!(page.contains("agents = \"0.0.0.0:8444\"  # default"), "{page}");
        // What is printed can be read again.
        let (_folder, again) = written(&page);
        assert_eq!(load(Some(&again)).unwrap().config.leases.default, Duration::from_secs(7200));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("[listen]\nport = 1\n", "port"),
            ("[lisen]\napi = '127.0.0.1:1'\n", "lisen"),
            ("[listen]\napi = 'here'\n", "listen.api"),
            ("[leases]\ndefault = '20d'\n", "leases.default"),
            ("[leases]\ngrace = 'soon'\n", "leases.grace"),
            ("[limits]\ndefault_memory_mib = 1\n", "limits.default_memory_mib"),
            ("[nodes]\nunreachable_after = '1s'\n", "nodes.unreachable_after"),
            ("[public]\ncert_file = '/x'\n", "public.key_file"),
            ("[public]\nagents_address = 'berth'\n", "public.agents_address"),
            ("[sign_in]\nattempts_per_account = 0\n", "sign_in.attempts_per_account"),
        ] {
            let (_folder, file) = written(text);
            let error = format!("{:#}", load(Some(&file)).err().expect(text));
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(load(Some(Path::new("/nonexistent"))).is_err());
    }

    #[test]
    fn passwords_in_urls_are_hidden() {
        for (url, shown) in [
            ("postgres://berth:s@cret@db/berth", "postgres://berth:(hidden)@db/berth"),
            ("postgres://berth@db/berth", "postgres://berth@db/berth"),
            ("sqlite:///var/lib/berth/controller.db", "sqlite:///var/lib/berth/controller.db"),
            ("", ""),
        ] {
            assert_eq!(hide_password(url), shown);
        }
    }
}
