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
    app_host::below,
    create::{Limits as CreateLimits, MINIMUM_CPU_MILLIS, MINIMUM_LEASE},
    guest_port::RawPorts,
    preset::Preset,
    resources::{MIB, MINIMUM_MEMORY, Resources},
    share::MINIMUM_LIFETIME,
    space::SpaceLimits,
};
use figment::{
    Figment,
    providers::{Env, Format as _, Serialized, Toml},
};
use serde::{Deserialize, Serialize};

use crate::presets;

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
    pub apps: Apps,
    pub ports: Ports,
    /// Sizes that people choose by their names.
    pub presets: Vec<Preset>,
}

/// Containers' ports under https names of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apps {
    /// `apps.example.ac.jp`: every name below it leads here. Empty: there are none.
    pub domain: String,
    /// A certificate for `*.domain` (PEM, the chain after it), instead of one by our own authority.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// The port that browsers see, where it is not the one of `listen.api`.
    pub port: Option<u16>,
    /// `https://berth.example.ac.jp`: where browsers find the console; by default the first name, or the machine's, and the
    /// port.
    pub console_url: String,
    /// How long a link that says nothing of it lives.
    #[serde(with = "humantime_serde")]
    pub link_default: Duration,
    /// The longest that a link may live; 0s: nobody can make links.
    #[serde(with = "humantime_serde")]
    pub link_maximum: Duration,
}

/// Ports of the blades.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ports {
    /// "default": every guest port gets one; "opt-in": those that a request names; "forbidden": none does.
    pub raw: RawPorts,
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
    pub volumes_per_person: usize,
    /// How much may be stored in a home, a volume, and in a container beside them; 0 is without end. Looked at from time
    /// to time: one who is over starts nothing, and what is a tenth over is stopped.
    pub home_mib: u64,
    pub volume_mib: u64,
    pub layer_mib: u64,
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
            volumes_per_person: 20,
            home_mib: 0,
            volume_mib: 0,
            layer_mib: 0,
            default_cpu_millis: 1000,
            default_memory_mib: 2048,
            maximum_cpu_millis: 16_000,
            maximum_memory_mib: 65_536,
            maximum_gpus: 4,
        }
    }
}

impl Limits {
    fn space(&self) -> SpaceLimits {
        let bytes = |mib: u64| (mib > 0).then(|| mib.saturating_mul(MIB));
        SpaceLimits {
            home: bytes(self.home_mib),
            volume: bytes(self.volume_mib),
            layer: bytes(self.layer_mib),
        }
    }
}

impl Default for Nodes {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(5), unreachable_after: Duration::from_secs(20) }
    }
}

impl Default for Apps {
    fn default() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        Self {
            domain: String::new(),
            cert_file: None,
            key_file: None,
            port: None,
            console_url: String::new(),
            link_default: hours(24),
            link_maximum: hours(7 * 24),
        }
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
        presets::check(&self.presets, &self.limits())?;
        self.apps.check(&self.names())
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
            raw_ports: self.ports.raw,
        }
    }

    pub fn rules(&self) -> Rules {
        Rules {
            containers_per_person: self.limits.containers_per_person,
            volumes_per_person: self.limits.volumes_per_person,
            space: self.limits.space(),
            grace: self.leases.grace,
        }
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

    /// Where browsers find the console: an address without a path.
    pub fn console_url(&self, port: u16) -> String {
        if !self.apps.console_url.is_empty() {
            return self.apps.console_url.trim_end_matches('/').to_owned();
        }
        let address = self.listen.api.ip();
        let host = match self.public.names.first() {
            Some(name) => name.clone(),
            None if !address.is_unspecified() => address.to_string(),
            None => host_name().unwrap_or_else(|| "localhost".to_owned()),
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        match port {
            443 => format!("https://{host}"),
            port => format!("https://{host}:{port}"),
        }
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

impl Apps {
    pub fn is_on(&self) -> bool {
        !self.domain.is_empty()
    }

    fn check(&self, console: &[String]) -> Result<()> {
        let Self { domain, cert_file, key_file, link_default, link_maximum, .. } = self;
        if cert_file.is_some() != key_file.is_some() {
            bail!("apps.cert_file and apps.key_file go together: give both or neither");
        }
        if !link_maximum.is_zero() && (*link_maximum < MINIMUM_LIFETIME || link_default.is_zero()) {
            bail!("apps.link_maximum is 0s or at least a minute, and apps.link_default above zero");
        }
        if !self.console_url.is_empty() && !is_https_address(&self.console_url) {
            bail!("apps.console_url must look like https://HOST or https://HOST:PORT");
        }
        if !self.is_on() {
            return Ok(());
        }
        if !is_domain(domain) {
            bail!("apps.domain must be a domain's name in lower case, like apps.example.ac.jp");
        }
        let url = self.console_url.strip_prefix("https://").unwrap_or_default();
        let url = url.trim_end_matches('/').rsplit_once(':').map_or(url, |(host, _)| host);
        for name in console.iter().map(String::as_str).chain([url]) {
            let name = name.to_ascii_lowercase();
            if name.parse::<std::net::IpAddr>().is_ok() || name.is_empty() {
                continue;
            }
            // For a name of one label, such as localhost, browsers take no cookie of a name below it.
            let is_above = name.contains('.') && below(domain, &name).is_some();
            if below(&name, domain).is_some() || is_above {
                bail!(
                    "apps.domain is {domain} and the console is {name}: neither may be the other or lie below it, \
                     or containers' pages could set cookies for the console"
                );
            }
        }
        Ok(())
    }
}

/// At least two labels: a wildcard directly below the root is nobody's.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // With the longest label before it, it is still a name.
    text.len() <= 253 - 64
        && text.split('.').count() >= 2
        && text.split('.').all(is_label)
        && text.parse::<std::net::IpAddr>().is_err()
}

fn is_https_address(text: &str) -> bool {
    text.strip_prefix("https://").is_some_and(|rest| {
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let host = rest
            .rsplit_once(':')
            .map_or(rest, |(host, port)| if port.parse::<u16>().is_ok() { host } else { "" });
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b))
    })
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
            for value in values.as_array().into_iter().flatten() {
                writeln!(page, "[[{section}]]  # {}", self.source(section))?;
                for (key, value) in value.as_table().into_iter().flatten() {
                    writeln!(page, "{key} = {value}")?;
                }
                writeln!(page)?;
            }
            if values.is_array() {
                continue;
            }
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
            ("[apps]\ncert_file = '/x'\n", "apps.key_file"),
            ("[apps]\nlink_maximum = '1s'\n", "apps.link_maximum"),
            ("[apps]\nlink_default = '0s'\n", "apps.link_default"),
            ("[apps]\nconsole_url = 'http://berth.test'\n", "apps.console_url"),
            ("[apps]\nconsole_url = 'https://berth.test/x'\n", "apps.console_url"),
            ("[ports]\nraw = 'never'\n", "ports.raw"),
        ] {
            let (_folder, file) = written(text);
            let error = format!("{:#}", load(Some(&file)).err().expect(text));
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(load(Some(Path::new("/nonexistent"))).is_err());
    }

    #[test]
    fn a_domain_for_applications_is_apart_from_the_console() {
        let with = |domain: &str, more: &str| {
            let text = format!(
                "[public]\nnames = ['berth.example.ac.jp', '192.0.2.1']\n[apps]\ndomain = '{domain}'\n{more}"
            );
            let (_folder, file) = written(&text);
            load(Some(&file)).map(|loaded| loaded.config)
        };
        for good in
            ["apps.example.ac.jp", "berth-apps.jp", "xberth.example.ac.jp", "apps.localhost"]
        {
            assert!(with(good, "").unwrap().apps.is_on(), "{good}");
        }
        assert!(!with("", "").unwrap().apps.is_on());
        for bad in [
            "berth.example.ac.jp",
            "apps.berth.example.ac.jp",
            "example.ac.jp",
            "ac.jp",
            "localhost",
            "Apps.example.ac.jp",
            "*.apps.example.ac.jp",
            "apps.example.ac.jp.",
            ".apps.example.ac.jp",
            "apps..jp",
            "https://apps.example.ac.jp",
            "apps.example.ac.jp:8443",
            "192.0.2.1",
            "a_b.example.ac.jp",
            &format!("{}.example.ac.jp", "a.".repeat(100)),
        ] {
            let error = format!("{:#}", with(bad, "").map(drop).expect_err(bad));
            assert!(error.contains("apps.domain"), "{bad}: {error}");
        }
        // Under whatever name browsers are led to the console.
        let console = "console_url = 'https://console.apps.jp:1'\n";
        assert!(with("apps.jp", console).is_err());
        assert_eq!(with("apps.test", console).unwrap().console_url(9), "https://console.apps.jp:1");
        let config = with("apps.test", "").unwrap();
        assert_eq!(config.console_url(443), "https://berth.example.ac.jp");
        assert_eq!(config.console_url(8443), "https://berth.example.ac.jp:8443");
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
