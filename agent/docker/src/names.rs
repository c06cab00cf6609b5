//! Names of engine objects and their labels. All are made of typed ids and nothing else, because some become paths on the
//! engine's socket.

use std::collections::HashMap;

use berth_core::id::{ClusterId, ContainerId, NodeId, UserId};
use berth_reconcile::runtime::CreateOrder;
use sha2::{Digest, Sha256};

pub const CLUSTER: &str = "io.berth.cluster";
pub const NODE: &str = "io.berth.node";
pub const CONTAINER: &str = "io.berth.container";
pub const INCARNATION: &str = "io.berth.incarnation";
pub const SPEC: &str = "io.berth.spec";
pub const USER: &str = "io.berth.user";
/// The restart_nonce of the order that the container was made by.
pub const NONCE: &str = "io.berth.nonce";

/// Every bridge of every agent begins so; the firewall's rules match on it.
pub const BRIDGE_PREFIX: &str = "berth-";

/// Whose objects these are. A disk that moved to another blade carries another node's labels, and is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub cluster: ClusterId,
    pub node: NodeId,
}

/// What our labels say of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub container: ContainerId,
    pub incarnation: u32,
    pub user: UserId,
    pub spec_digest: String,
    pub nonce: u64,
}

impl Identity {
    /// Deterministic, so that a repeated creation meets the first one instead of making a second.
    pub fn container_name(container: ContainerId, incarnation: u32) -> String {
        format!("berth-{container}.{incarnation}")
    }

    /// With a mark of the node, so that two agents on one engine do not meet in one network.
    pub fn network_name(&self, user: UserId) -> String {
        format!("berth-u-{user}-{}", &self.hash(None)[..8])
    }

    /// 15 characters, the most that Linux allows; 36 bits of hash. The engine refuses a second network with the same bridge,
    /// which also rules out two networks of one user.
    pub fn bridge_name(&self, user: UserId) -> String {
        format!("{BRIDGE_PREFIX}{}", &self.hash(Some(user))[..9])
    }

    /// The firewall's table.
    pub fn table_name(&self) -> String {
        format!("berth_{}", &self.hash(None)[..8])
    }

    fn hash(&self, user: Option<UserId>) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.cluster.uuid().as_bytes());
        hasher.update(self.node.uuid().as_bytes());
        if let Some(user) = user {
            hasher.update(user.uuid().as_bytes());
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The engine's filter for what is ours.
    pub fn filters(&self) -> HashMap<String, Vec<String>> {
        let labels = vec![format!("{CLUSTER}={}", self.cluster), format!("{NODE}={}", self.node)];
        HashMap::from([("label".to_owned(), labels)])
    }

    pub fn filters_with(&self, key: &str, values: &[&str]) -> HashMap<String, Vec<String>> {
        let mut filters = self.filters();
        filters.entry(key.to_owned()).or_default().extend(values.iter().map(|v| (*v).to_owned()));
        filters
    }

    pub fn owns(&self, labels: &HashMap<String, String>) -> bool {
        labels.get(CLUSTER) == Some(&self.cluster.to_string())
            && labels.get(NODE) == Some(&self.node.to_string())
    }

    pub fn container_labels(&self, order: &CreateOrder) -> HashMap<String, String> {
        let mut labels = self.network_labels(order.spec.user);
        labels.extend([
            (CONTAINER.to_owned(), order.container.to_string()),
            (INCARNATION.to_owned(), order.incarnation.to_string()),
            (SPEC.to_owned(), order.spec.digest()),
            (NONCE.to_owned(), order.restart_nonce.to_string()),
        ]);
        labels
    }

    pub fn network_labels(&self, user: UserId) -> HashMap<String, String> {
        HashMap::from([
            (CLUSTER.to_owned(), self.cluster.to_string()),
            (NODE.to_owned(), self.node.to_string()),
            (USER.to_owned(), user.to_string()),
        ])
    }

    /// `None` when it is not ours or a label is missing or not to be understood: such a thing is never touched.
    pub fn facts(&self, labels: &HashMap<String, String>) -> Option<Facts> {
        if !self.owns(labels) {
            return None;
        }
        let spec_digest = labels.get(SPEC)?;
        let is_digest =
            spec_digest.len() == 64 && spec_digest.bytes().all(|b| b.is_ascii_hexdigit());
        Some(Facts {
            container: labels.get(CONTAINER)?.parse().ok()?,
            incarnation: labels.get(INCARNATION)?.parse().ok()?,
            user: labels.get(USER)?.parse().ok()?,
            spec_digest: is_digest.then(|| spec_digest.clone())?,
            nonce: labels.get(NONCE)?.parse().ok()?,
        })
    }
}

/// The engine's id of a network: 64 hex digits and nothing else, for the same reason as
/// [`EngineId`](berth_reconcile::runtime::EngineId).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkId(String);

/// The engine's id of an image: `sha256:` and 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageId(String);

pub(crate) fn is_hex64(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl NetworkId {
    pub fn parse(text: &str) -> Option<Self> {
        is_hex64(text).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ImageId {
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix("sha256:").is_some_and(is_hex64).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use berth_reconcile::runtime::EngineId;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn identity(n: u128) -> Identity {
        Identity {
            cluster: ClusterId::new(Uuid::from_u128(n)),
            node: NodeId::new(Uuid::from_u128(n)),
        }
    }

    #[test]
    fn bridges_fit_and_differ() {
        let user = UserId::new(Uuid::from_u128(7));
        let name = identity(1).bridge_name(user);
        assert_eq!(name.len(), 15);
        assert!(name.starts_with(BRIDGE_PREFIX));
        assert_ne!(name, identity(2).bridge_name(user));
        assert_ne!(name, identity(1).bridge_name(UserId::new(Uuid::from_u128(8))));
        assert_ne!(identity(1).table_name(), identity(2).table_name());
    }

    #[test]
    fn labels_that_are_not_understood_are_not_ours() {
        let ours = identity(1);
        let mut labels = ours.network_labels(UserId::new(Uuid::nil()));
        assert!(ours.owns(&labels));
        assert!(!identity(2).owns(&labels));
        assert_eq!(ours.facts(&labels), None);
        labels.extend([
            (CONTAINER.to_owned(), Uuid::nil().to_string()),
            (INCARNATION.to_owned(), "3".to_owned()),
            (SPEC.to_owned(), "a".repeat(64)),
            (NONCE.to_owned(), "4".to_owned()),
        ]);
        let facts = ours.facts(&labels).unwrap();
        assert_eq!((facts.incarnation, facts.nonce), (3, 4));
        assert_eq!(identity(2).facts(&labels), None);
        for (key, bad) in [(CONTAINER, "../x"), (INCARNATION, "-1"), (SPEC, "x"), (USER, "bob")] {
            let mut broken = labels.clone();
            broken.insert(key.to_owned(), bad.to_owned());
            assert_eq!(ours.facts(&broken), None, "{key}");
        }
    }

    /// All that ever becomes part of a path on the engine's socket, from one text.
    fn paths(text: &str) -> Vec<String> {
        let mut paths = Vec::new();
        paths.extend(EngineId::parse(text).map(|id| id.as_str().to_owned()));
        paths.extend(NetworkId::parse(text).map(|id| id.as_str().to_owned()));
        paths.extend(ImageId::parse(text).map(|id| id.as_str().to_owned()));
        paths.extend(text.parse().map(|id| Identity::container_name(id, 1)));
        paths.extend(text.parse().map(|user| identity(1).network_name(user)));
        paths
    }

    fn is_inert(path: &str) -> bool {
        !path.contains("..")
            && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:".contains(&b))
    }

    #[test]
    fn known_smuggling_is_refused() {
        let id = "a".repeat(64);
        for bad in [
            "",
            "..",
            "mine/../victim",
            "../images/busybox:local",
            &format!("{id}/rename?name=pwned&x="),
            &format!("{id}/kill?signal=KILL#"),
            &format!("{id}\n"),
            &format!("{id} "),
            &id.to_uppercase(),
            &id[1..],
            &format!("sha256:{id}/../x"),
            "%2e%2e%2f",
        ] {
            assert_eq!(paths(bad), Vec::<String>::new(), "{bad:?}");
        }
        assert_eq!(paths(&id).len(), 2);
    }

    proptest! {
        #[test]
        fn no_text_becomes_a_path_that_leads_elsewhere(text in "\\PC{0,80}") {
            prop_assert!(paths(&text).iter().all(|path| is_inert(path)));
        }

        #[test]
        fn an_id_with_anything_beside_it_is_refused(
            id in "[0-9a-f]{64}", before in "[./?#%&a-z0-9\\\\ \n]{0,8}", after in "[./?#%&a-z0-9\\\\ \n]{0,8}",
        ) {
            prop_assume!(!before.is_empty() || !after.is_empty());
            prop_assert_eq!(paths(&format!("{before}{id}{after}")), Vec::<String>::new());
        }

        #[test]
        fn any_accepted_text_is_inert(text in "(sha256:)?[0-9a-f./?#-]{32,72}") {
            prop_assert!(paths(&text).iter().all(|path| is_inert(path)));
        }
    }
}
