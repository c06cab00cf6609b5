use std::collections::BTreeSet;

use berth_core::fault::FaultKind;
use berth_docker::Options;
use berth_reconcile::runtime::{Error, Runtime};
use futures::{StreamExt, stream};

use crate::support::{sh, user, with_bench};

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_hundred_users() {
    with_bench(Options::default(), async |bench| {
        let users: BTreeSet<_> = (0..100).map(|_| user()).collect();
        stream::iter(&users)
            .for_each_concurrent(8, async |user| bench.create_network(*user).await.unwrap())
            .await;
        assert_eq!(bench.networks().await.unwrap(), users);
        let prefix = format!("label=io.berth.cluster={}", bench.identity.cluster);
        let subnets = sh(&format!(
            "docker network inspect -f '{{{{(index .IPAM.Config 0).Subnet}}}}' $(docker network ls -q --filter {prefix})"
        ));
        let subnets: BTreeSet<_> = subnets.lines().collect();
        assert_eq!(subnets.len(), 100);
        assert!(subnets.iter().all(|subnet| subnet.ends_with("/27")));
        stream::iter(&users)
            .for_each_concurrent(8, async |user| bench.remove_network(*user).await.unwrap())
            .await;
        assert_eq!(bench.networks().await.unwrap(), BTreeSet::new());
        bench.remove_network(user()).await.unwrap();
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn one_network_however_often_it_is_asked_for() {
    with_bench(Options::default(), async |bench| {
        let user = user();
        // A second agent program for the same node, as during an upgrade: its lock is another one.
        let other = berth_docker::connect(
            bench.options.clone(),
            bench.docker.storage().clone(),
            bench.identity.cluster,
            bench.identity.node,
        )
        .await
        .unwrap();
        let calls = (0..8).map(|n| if n % 2 == 0 { bench.docker.clone() } else { other.clone() });
        stream::iter(calls)
            .for_each_concurrent(8, async |docker| docker.create_network(user).await.unwrap())
            .await;
        let name = bench.identity.network_name(user);
        assert_eq!(sh(&format!("docker network ls -q --filter name={name} | wc -l")), "1");
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn around_what_others_hold() {
    let options = Options { subnets: "10.214.0.0/26".parse().unwrap(), ..Options::default() };
    with_bench(options, async |bench| {
        let foreign = format!("foreign-{}", bench.identity.node);
        sh(&format!("docker network create --subnet 10.214.0.0/28 {foreign}"));
        let (first, second) = (user(), user());
        let made = bench.create_network(first).await;
        let full = bench.create_network(second).await;
        let name = bench.identity.network_name(first);
        let subnet = sh(&format!(
            "docker network inspect -f '{{{{(index .IPAM.Config 0).Subnet}}}}' {name}"
        ));
        let stayed = sh(&format!("docker network rm {foreign}"));
        made.unwrap();
        assert_eq!(subnet, "10.214.0.32/27");
        assert!(matches!(full, Err(Error::Fault { kind: FaultKind::Network, .. })), "{full:?}");
        assert_eq!(stayed, foreign);
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_foreign_network_with_our_name_is_not_joined() {
    with_bench(Options::default(), async |bench| {
        let user = user();
        let name = bench.identity.network_name(user);
        sh(&format!("docker network create --subnet 10.215.0.0/29 {name}"));
        let refused = bench.create_network(user).await;
        let removed = bench.remove_network(user).await;
        assert_eq!(sh(&format!("docker network rm {name}")), name);
        assert!(matches!(refused, Err(Error::Fault { kind: FaultKind::Network, .. })));
        removed.unwrap();
    });
}
