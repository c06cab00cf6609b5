//! The host name under which a browser reaches one port of a container: one DNS label below the site's domain for
//! applications, `8888-jupyter-k3n5xq2mwz4a`.
//!
//! A label is a function of port, owner and name alone, so it stays what it is when the container is made anew. The digest
//! stands for (owner, name) together: `a-b`+`c` and `a`+`b-c` have different ones, and a label ends with a letter or a digit
//! whatever the name ends with. One level, because that is all that a wildcard certificate covers: 5 + 1 + 31 + 1 + 12 = 50
//! of the 63 letters that a label may have.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::{container::ContainerName, id::UserId};

/// Five bits each: 60 in all. Two people with containers of one name have one label by chance once in 2^60; the earlier one
/// then keeps it.
const DIGEST: usize = 12;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Stands in a label for a port, where somebody else is to fill it in.
pub const PORT_PLACEHOLDER: &str = "{port}";

/// Which container a label means: what is left of it without the port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppKey {
    name: ContainerName,
    digest: [u8; DIGEST],
}

impl AppKey {
    pub fn of(owner: UserId, name: &ContainerName) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"berth application host\0");
        hasher.update(owner.uuid().as_bytes());
        hasher.update(name.as_str());
        let hash: [u8; 32] = hasher.finalize().into();
        // Five bits of the first eight bytes each, from the highest on.
        let bits = hash[..8].iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let digest = std::array::from_fn(|at| {
            let five = bits >> (59 - 5 * at) & 31;
            ALPHABET[usize::try_from(five).unwrap_or_default()]
        });
        Self { name: name.clone(), digest }
    }

    pub fn name(&self) -> &ContainerName {
        &self.name
    }

    /// A label with [`PORT_PLACEHOLDER`] in place of the port.
    pub fn template(&self) -> String {
        format!("{PORT_PLACEHOLDER}-{self}")
    }

    fn parse(text: &str) -> Option<Self> {
        let (name, digest) = text.rsplit_once('-')?;
        let digest: [u8; DIGEST] = digest.as_bytes().try_into().ok()?;
        let ok = digest.iter().all(|letter| ALPHABET.contains(letter));
        ok.then(|| Some(Self { name: ContainerName::parse(name)?, digest }))?
    }
}

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.name)?;
        self.digest.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

/// One port of one container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AppLabel {
    pub port: u16,
    pub key: AppKey,
}

impl AppLabel {
    pub fn of(port: u16, owner: UserId, name: &ContainerName) -> Self {
        Self { port, key: AppKey::of(owner, name) }
    }

    /// One spelling alone: what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (port, key) = text.split_once('-')?;
        let written = port.bytes().all(|digit| digit.is_ascii_digit()) && !port.starts_with('0');
        let port = port.parse().ok().filter(|_| written)?;
        Some(Self { port, key: AppKey::parse(key)? })
    }
}

impl fmt::Display for AppLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.port, self.key)
    }
}

/// Where a site's applications are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppDomain {
    /// In lower case, without a dot at its end.
    pub domain: String,
    /// As browsers see it.
    pub port: u16,
}

impl AppDomain {
    /// `label.apps.example.ac.jp`, with the port where browsers want it said.
    pub fn authority(&self, label: impl fmt::Display) -> String {
        let Self { domain, port } = self;
        match port {
            443 => format!("{label}.{domain}"),
            port => format!("{label}.{domain}:{port}"),
        }
    }

    pub fn url(&self, label: impl fmt::Display) -> String {
        format!("https://{}/", self.authority(label))
    }
}

/// The name below `domain` that a host means, without its port, in lower case. `None` for a host that is neither the domain
/// nor below it. The final dot that a host may have changes nothing.
pub fn below<'a>(host: &'a str, domain: &str) -> Option<&'a str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let at = host.len().checked_sub(domain.len())?;
    // Hosts come from outside: the cut may lie in the middle of a letter.
    let (rest, tail) = host.split_at_checked(at)?;
    if !tail.eq_ignore_ascii_case(domain) {
        return None;
    }
    match rest {
        "" => Some(""),
        rest => rest.strip_suffix('.'),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn name() -> impl Strategy<Value = ContainerName> {
        "[a-z0-9][a-z0-9-]{0,30}".prop_map(|text| ContainerName::parse(&text).unwrap())
    }

    fn owner() -> impl Strategy<Value = UserId> {
        any::<u128>().prop_map(|bits| UserId::new(Uuid::from_u128(bits)))
    }

    proptest! {
        #[test]
        fn a_label_is_a_dns_label(port in 1..=u16::MAX, owner in owner(), name in name()) {
            let text = AppLabel::of(port, owner, &name).to_string();
            prop_assert!(text.len() <= 63);
            prop_assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(!text.starts_with('-') && !text.ends_with('-'));
            // `xn--` in the third place means something else to browsers.
            prop_assert!(text.as_bytes()[0].is_ascii_digit());
        }

        #[test]
        fn a_label_is_read_as_it_was_written(port in 1..=u16::MAX, owner in owner(), name in name()) {
            let label = AppLabel::of(port, owner, &name);
            prop_assert_eq!(AppLabel::parse(&label.to_string()), Some(label.clone()));
            prop_assert_eq!(label.key.template().replace(PORT_PLACEHOLDER, &port.to_string()), label.to_string());
        }

        #[test]
        fn different_things_have_different_labels(
            a in (1..=u16::MAX, owner(), name()), b in (1..=u16::MAX, owner(), name())
        ) {
            let text = |(port, owner, name): &(u16, UserId, ContainerName)| {
                AppLabel::of(*port, *owner, name).to_string()
            };
            prop_assert_eq!(a == b, text(&a) == text(&b));
        }

        #[test]
        fn whatever_is_read_has_that_one_spelling(text in "\\PC{0,70}|[0-9]{0,6}-[a-z0-9-]{0,50}") {
            if let Some(label) = AppLabel::parse(&text) {
                prop_assert_eq!(label.to_string(), text);
            }
        }

        #[test]
        fn no_host_breaks_it(host in "\\PC{0,80}", domain in "[a-z]{1,5}\\.[a-z]{1,5}") {
            if let Some(rest) = below(&host, &domain) {
                prop_assert!(host.len() >= rest.len() + domain.len());
            }
        }
    }

    /// Changing this changes every address that somebody has written down.
    #[test]
    fn labels_stay_what_they_are() {
        let owner = UserId::new(Uuid::from_u128(7));
        let label = |name| AppLabel::of(8888, owner, &ContainerName::parse(name).unwrap());
        assert_eq!(label("jupyter").to_string(), "8888-jupyter-vfhd6pipvo7d");
        assert_eq!(label("a--b-").to_string(), "8888-a--b--kfqkm2bhc3ya");
    }

    #[test]
    fn what_is_no_label() {
        let good = AppLabel::of(80, UserId::new(Uuid::nil()), &ContainerName::parse("a").unwrap());
        let good = good.to_string();
        assert!(AppLabel::parse(&good).is_some());
        for bad in [
            String::new(),
            "80".into(),
            format!("0{good}"),
            format!("+{good}"),
            format!("-{good}"),
            good.to_uppercase(),
            good.replace("80-", "0-"),
            good.replace("80-", "65536-"),
            good.replace("80-a", "80-"),
            good.replace("80-a", "80-A"),
            good.replace("80-a", "80--a"),
            format!("{good}a"),
            format!("{good}-"),
            format!("{good}."),
        ] {
            assert_eq!(AppLabel::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_below_a_domain() {
        let domain = "apps.example.ac.jp";
        for (host, expected) in [
            ("x.apps.example.ac.jp", Some("x")),
            ("X.Apps.EXAMPLE.ac.jp.", Some("X")),
            ("a.b.apps.example.ac.jp", Some("a.b")),
            ("apps.example.ac.jp", Some("")),
            (".apps.example.ac.jp", Some("")),
            ("xapps.example.ac.jp", None),
            ("apps.example.ac.jp.evil.example", None),
            ("example.ac.jp", None),
            ("日apps.example.ac.jp", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(below(host, domain), expected, "{host}");
        }
    }
}
