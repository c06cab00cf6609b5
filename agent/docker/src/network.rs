//! A network per user, each with a subnet of its own choosing: see [`subnet`].

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use berth_core::{clock::Timestamp, fault::FaultKind, id::UserId};
use berth_reconcile::runtime::{EngineId, Error};
use bollard::{
    models::{
        EndpointSettings, Ipam, IpamConfig, Network, NetworkConnectRequest, NetworkCreateRequest,
    },
    query_parameters::ListNetworksOptions,
};
use ipnet::Ipv4Net;

use crate::{
    container::timestamp,
    engine::{Engine, quick, work},
    names::{Identity, NetworkId, USER},
    subnet,
};

/// Subnets that the engine refused are marked as taken and the next is tried; beyond this many something else is wrong.
const ATTEMPTS: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// One creation or removal at a time for a user.
    users: Mutex<BTreeMap<UserId, Arc<tokio::sync::Mutex<()>>>>,
    /// Chosen by creations that are under way, and not listed by the engine yet.
    reserved: Arc<Mutex<Vec<Ipv4Net>>>,
}

/// Gives the subnet back when its creation ended, in whatever way.
struct Reservation {
    reserved: Arc<Mutex<Vec<Ipv4Net>>>,
    subnet: Ipv4Net,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.retain(|subnet| *subnet != self.subnet);
    }
}

impl Networks {
    pub(crate) async fn users(
        &self,
        engine: &Engine,
        identity: &Identity,
    ) -> Result<BTreeSet<UserId>, Error> {
        let networks = list(engine, identity.filters()).await?;
        Ok(networks.iter().filter_map(|network| owner(identity, network)).collect())
    }

    pub(crate) async fn create(
        &self,
        engine: &Engine,
        identity: &Identity,
        pool: Ipv4Net,
        user: UserId,
    ) -> Result<(), Error> {
        let lock = self.lock(user);
        let _guard = lock.lock().await;
        let mut refused = Vec::new();
        for _ in 0..ATTEMPTS {
            let all = list(engine, HashMap::new()).await?;
            if is_there(identity, &all, user)? {
                return Ok(());
            }
            let reservation = self.reserve(pool, &all, &refused)?;
            let request = request(identity, user, reservation.subnet);
            let Err(error) = work(engine.work.create_network(request)).await else {
                tracing::info!(user.id = %user, subnet = %reservation.subnet, "network made");
                return Ok(());
            };
            match reaction(&error) {
                Reaction::NextSubnet => {
                    tracing::debug!(subnet = %reservation.subnet, error = %error, "the engine refused a subnet");
                    refused.push(reservation.subnet);
                }
                // By a call whose answer was lost: the next round finds it.
                Reaction::LookAgain if refused.len() + 1 < ATTEMPTS => {
                    refused.push(reservation.subnet);
                }
                Reaction::LookAgain | Reaction::GiveUp => return Err(error),
            }
        }
        Err(no_subnet(pool))
    }

    pub(crate) async fn remove(
        &self,
        engine: &Engine,
        identity: &Identity,
        user: UserId,
    ) -> Result<(), Error> {
        let lock = self.lock(user);
        let _guard = lock.lock().await;
        let filter = format!("{USER}={user}");
        let ours = list(engine, identity.filters_with("label", &[&filter])).await?;
        for network in ours.iter().filter(|network| owner(identity, network) == Some(user)) {
            if let Some(id) = network.id.as_deref().and_then(NetworkId::parse) {
                remove_by_id(engine, &id).await?;
                tracing::info!(user.id = %user, "network removed");
            }
        }
        Ok(())
    }

    fn lock(&self, user: UserId) -> Arc<tokio::sync::Mutex<()>> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        // Locks that nobody holds are forgotten here, so that the map does not grow with every user there ever was.
        users.retain(|_, lock| Arc::strong_count(lock) > 1);
        users.entry(user).or_default().clone()
    }

    fn reserve(
        &self,
        pool: Ipv4Net,
        all: &[Network],
        refused: &[Ipv4Net],
    ) -> Result<Reservation, Error> {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = subnet::routes();
        taken.extend(all.iter().flat_map(subnets));
        taken.extend(refused);
        taken.extend(reserved.iter());
        let subnet = subnet::first_free(pool, &taken).ok_or_else(|| no_subnet(pool))?;
        reserved.push(subnet);
        Ok(Reservation { reserved: self.reserved.clone(), subnet })
    }
}

pub(crate) async fn list(
    engine: &Engine,
    filters: HashMap<String, Vec<String>>,
) -> Result<Vec<Network>, Error> {
    let options = ListNetworksOptions { filters: (!filters.is_empty()).then_some(filters) };
    quick(engine.quick.list_networks(Some(options))).await
}

/// The engine does not say when it was started, but it makes its default bridge anew then; with live-restore only if no
/// container ran on, which is just the difference that matters. 0 on an engine that was told to have no such bridge.
pub(crate) async fn bridge_made_at(engine: &Engine) -> Result<Timestamp, Error> {
    let filters = HashMap::from([("name".to_owned(), vec!["bridge".to_owned()])]);
    let networks = list(engine, filters).await?;
    let bridge = networks.iter().find(|network| network.name.as_deref() == Some("bridge"));
    Ok(timestamp(bridge.and_then(|bridge| bridge.created.as_deref())).unwrap_or_default())
}

/// Gone already is success.
pub(crate) async fn remove_by_id(engine: &Engine, id: &NetworkId) -> Result<(), Error> {
    match work(engine.work.remove_network(id.as_str())).await {
        Ok(()) | Err(Error::NetworkMissing) => Ok(()),
        Err(Error::Fault { detail, .. }) if detail.contains("not found") => Ok(()),
        Err(error) => Err(error),
    }
}

/// Joins a stopped container to its user's network, which must be there.
pub(crate) async fn join(
    engine: &Engine,
    identity: &Identity,
    user: UserId,
    container: &EngineId,
    hostname: String,
) -> Result<(), Error> {
    let ours = list(engine, identity.filters()).await?;
    let network = ours
        .iter()
        .find(|network| owner(identity, network) == Some(user))
        .and_then(|network| NetworkId::parse(network.id.as_deref()?))
        .ok_or(Error::NetworkMissing)?;
    let request = NetworkConnectRequest {
        container: container.as_str().to_owned(),
        endpoint_config: Some(EndpointSettings {
            aliases: Some(vec![hostname]),
            ..EndpointSettings::default()
        }),
    };
    work(engine.work.connect_network(network.as_str(), request)).await
}

/// `None`: not ours.
pub(crate) fn owner(identity: &Identity, network: &Network) -> Option<UserId> {
    let labels = network.labels.as_ref().filter(|labels| identity.owns(labels))?;
    labels.get(USER)?.parse().ok()
}

/// Somebody else's network under our name must not be joined.
fn is_there(identity: &Identity, all: &[Network], user: UserId) -> Result<bool, Error> {
    let name = identity.network_name(user);
    let mut named = all.iter().filter(|network| network.name.as_deref() == Some(&name)).peekable();
    if named.peek().is_none() {
        return Ok(false);
    }
    if named.all(|network| owner(identity, network) == Some(user)) {
        return Ok(true);
    }
    Err(Error::fault(FaultKind::Network, format!("a network named {name} is not ours")))
}

fn request(identity: &Identity, user: UserId, subnet: Ipv4Net) -> NetworkCreateRequest {
    let options = [
        ("com.docker.network.bridge.name", identity.bridge_name(user)),
        // A user's own containers may talk to each other.
        ("com.docker.network.bridge.enable_icc", "true".to_owned()),
    ];
    NetworkCreateRequest {
        name: identity.network_name(user),
        driver: Some("bridge".to_owned()),
        enable_ipv6: Some(false),
        ipam: Some(Ipam {
            config: Some(vec![IpamConfig {
                subnet: Some(subnet.to_string()),
                ..IpamConfig::default()
            }]),
            ..Ipam::default()
        }),
        options: Some(options.map(|(key, value)| (key.to_owned(), value)).into()),
        labels: Some(identity.network_labels(user)),
        ..NetworkCreateRequest::default()
    }
}

fn subnets(network: &Network) -> Vec<Ipv4Net> {
    let configs = network.ipam.as_ref().and_then(|ipam| ipam.config.as_deref()).unwrap_or_default();
    configs
        .iter()
        .filter_map(|config| config.subnet.as_deref()?.parse::<Ipv4Net>().ok())
        .map(|net| net.trunc())
        .collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Reaction {
    NextSubnet,
    LookAgain,
    GiveUp,
}

fn reaction(error: &Error) -> Reaction {
    let Error::Fault { detail, .. } = error else { return Reaction::GiveUp };
    let lower = detail.to_lowercase();
    if lower.contains("same bridge name") || lower.contains("already exists") {
        Reaction::LookAgain
    } else if lower.contains("overlap") || lower.contains("conflicts with network") {
        Reaction::NextSubnet
    } else {
        Reaction::GiveUp
    }
}

fn no_subnet(pool: Ipv4Net) -> Error {
    Error::fault(
        FaultKind::Network,
        format!(
            "no free /27 subnet in {pool} that lies outside the networks and routes of this machine"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_refusals() {
        for (message, expected) in [
            ("Pool overlaps with other one on this address space", Reaction::NextSubnet),
            (
                "cannot create network 1 (berth-1): conflicts with network 2 (br0): networks have overlapping IPv4",
                Reaction::NextSubnet,
            ),
            (
                "cannot create network 1 (berth-1): conflicts with network 2 (berth-1): networks have same bridge name",
                Reaction::LookAgain,
            ),
            ("network with name berth-u-1 already exists", Reaction::LookAgain),
            ("invalid pool request", Reaction::GiveUp),
        ] {
            assert_eq!(reaction(&Error::fault(FaultKind::Engine, message)), expected, "{message}");
        }
        assert_eq!(reaction(&Error::Unavailable(String::new())), Reaction::GiveUp);
    }
}
