//! Which subnet a user's network gets. Pure.
//!
//! The engine's own pools end at about 31 networks; /27 subnets of one /16 are enough for 2048 users on one blade, with 29
//! containers each.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// 32 addresses: network, gateway, broadcast, and 29 containers.
const PREFIX: u8 = 27;

/// The first subnet of the pool that overlaps nothing that is taken.
pub(crate) fn first_free(pool: Ipv4Net, taken: &[Ipv4Net]) -> Option<Ipv4Net> {
    pool.subnets(PREFIX)
        .ok()?
        .find(|candidate| !taken.iter().any(|taken| overlap(*candidate, *taken)))
}

pub(crate) fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

/// The blade's routes, except those to everywhere.
pub(crate) fn routes() -> Vec<Ipv4Net> {
    match procfs::net::route() {
        Ok(routes) => routes
            .iter()
            .filter_map(|route| Ipv4Net::with_netmask(route.destination, route.mask).ok())
            .filter(|net| net.prefix_len() > 0)
            .map(|net| net.trunc())
            .collect(),
        Err(error) => {
            // Without /proc the engine's own check for overlapping networks is what is left.
            tracing::warn!(error = %error, "cannot read the routes of this machine");
            Vec::new()
        }
    }
}

/// The interfaces with a default route: the way out.
pub(crate) fn uplinks() -> Vec<String> {
    let mut names: Vec<String> = procfs::net::route()
        .unwrap_or_default()
        .into_iter()
        .filter(|route| route.mask == Ipv4Addr::UNSPECIFIED && route.destination == route.mask)
        .map(|route| route.iface)
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    #[test]
    fn first_fit() {
        let pool = net("10.213.0.0/16");
        assert_eq!(first_free(pool, &[]), Some(net("10.213.0.0/27")));
        assert_eq!(
            first_free(pool, &[net("10.213.0.0/27"), net("10.213.0.64/27")]),
            Some(net("10.213.0.32/27"))
        );
        assert_eq!(first_free(pool, &[net("10.213.0.40/32")]), Some(net("10.213.0.0/27")));
        assert_eq!(first_free(pool, &[net("10.213.0.0/17")]), Some(net("10.213.128.0/27")));
        assert_eq!(first_free(pool, &[net("10.0.0.0/8")]), None);
        assert_eq!(first_free(net("10.213.0.0/28"), &[]), None);
        assert_eq!(first_free(net("10.213.0.0/27"), &[]), Some(net("10.213.0.0/27")));
    }

    fn any_net() -> impl Strategy<Value = Ipv4Net> {
        (0u32..1 << 16, 16u8..=32).prop_map(|(low, prefix)| {
            let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 213, 0, 0)) | low);
            Ipv4Net::new(address, prefix).unwrap().trunc()
        })
    }

    proptest! {
        #[test]
        fn free_in_the_pool_and_the_first(
            pool in any_net(),
            taken in proptest::collection::vec(any_net().prop_filter("not too large", |n| n.prefix_len() > 19), 0..40),
        ) {
            let is_free = |net: Ipv4Net| !taken.iter().any(|t| {
                // Ranges of numbers, to check the library's arithmetic by another way.
                let (a, b) = (u32::from(net.network()), u32::from(net.broadcast()));
                let (c, d) = (u32::from(t.network()), u32::from(t.broadcast()));
                a <= d && c <= b
            });
            let all: Vec<_> = pool.subnets(PREFIX).map(Iterator::collect).unwrap_or_default();
            prop_assert_eq!(first_free(pool, &taken), all.into_iter().find(|n| is_free(*n)));
        }

        #[test]
        fn as_many_as_fit(prefix in 20u8..=27) {
            let pool = Ipv4Net::new(Ipv4Addr::new(10, 213, 0, 0), prefix).unwrap();
            let mut taken = Vec::new();
            while let Some(next) = first_free(pool, &taken) {
                taken.push(next);
            }
            prop_assert_eq!(taken.len(), 1 << (PREFIX - prefix));
        }
    }
}
