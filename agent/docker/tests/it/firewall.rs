use std::{
    collections::BTreeSet,
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use berth_core::{fault::FaultKind, node::PortRange};
use berth_docker::Options;
use berth_reconcile::runtime::{EngineId, Error, Runtime};

use crate::support::{Bench, IMAGE, PATIENCE, ask, free_port, fresh, get, sh, user, with_bench};

/// Something outside the engine, taken away at the end.
struct Outside {
    remove: String,
}

impl Outside {
    fn make(script: &str, remove: &str) -> Self {
        let made = Command::new("sh").args(["-ec", script]).output().unwrap();
        let outside = Self { remove: remove.to_owned() };
        assert!(made.status.success(), "{script}: {}", String::from_utf8_lossy(&made.stderr));
        outside
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        sh(&self.remove);
    }
}

const LOCAL: &str = "127.0.0.1";

/// Answers "blade" to everybody who reaches this machine on the port.
fn serve_on_the_blade() -> u16 {
    use std::io::{Read, Write};
    let listener = TcpListener::bind(("::", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nblade\n");
        }
    });
    port
}

async fn until_it_answers(host: &str, port: u16, text: &str) {
    let answers = async {
        while !get(host, port).await.contains(text) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, answers).await.expect("the published port answers");
}

fn blade_address() -> String {
    sh(
        "ip -4 -o address show scope global | awk '$2 !~ /^(docker|br-|berth-|veth)/ {print $4}' | cut -d/ -f1 | head -1",
    )
}

fn docker_run(name: &str, options: &str) -> String {
    format!(
        "docker run -d --name {name} {options} {IMAGE} sh -c 'mkdir /www; echo {name} > /www/index.html; exec httpd -f -p 80 -h /www'"
    )
}

/// Waits inside the container, so that "closed" later cannot mean "not yet started".
fn until_served(bench: &Bench, id: &EngineId) {
    let ask = ask("127.0.0.1", 80);
    let script = format!(
        "i=0; until [ -n \"$({ask})\" ] || [ $i -gt 200 ]; do i=$((i+1)); usleep 50000; done; {ask}"
    );
    assert_ne!(bench.exec(id, &script).0, "", "the program in the container serves");
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn who_reaches_whom() {
    with_bench(Options::default(), async |bench| {
        let mark = bench.identity.table_name();
        let (one, two) = (user(), user());
        let published = free_port();
        let a = bench.run(&bench.web(one, "a", None)).await;
        let mut friend = bench.web(one, "friend", None);
        friend.spec.hostname = "friend".to_owned();
        let friend = bench.run(&friend).await;
        let other = bench.run(&bench.web(two, "other", Some(published))).await;

        // Other people's things on the same machine.
        let foreign_port = free_port();
        let _foreign = Outside::make(
            &docker_run(&mark, &format!("-p {foreign_port}:80 --memory 32m --cpus 0.5")),
            &format!("docker rm -f {mark}"),
        );
        let foreign_id =
            EngineId::parse(&sh(&format!("docker inspect -f '{{{{.Id}}}}' {mark}"))).unwrap();
        let _network = Outside::make(
            &format!("docker network create --subnet 10.217.0.0/29 {mark}"),
            &format!("docker network rm {mark}"),
        );
        let rule = "INPUT -s 203.0.113.7/32 -m comment --comment foreign -j DROP";
        let _rule = Outside::make(&format!("iptables -A {rule}"), &format!("iptables -D {rule}"));
        let look = || {
            (
                sh(&format!(
                    "docker inspect -f '{{{{.State.Pid}}}} {{{{.State.StartedAt}}}} {{{{.RestartCount}}}}' {mark}"
                )),
                sh(&format!("docker network inspect {mark}")),
                sh(
                    "iptables -S INPUT; iptables -S DOCKER-USER; sysctl net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables",
                ),
            )
        };
        let before = look();

        for id in [&a, &friend, &other, &foreign_id] {
            until_served(&bench, id);
        }
        until_it_answers(LOCAL, published, "other").await;
        until_it_answers(LOCAL, foreign_port, &mark).await;

        let service = serve_on_the_blade();
        until_it_answers(LOCAL, service, "blade").await;
        let gateway = bench.gateway(&a).await;
        let docker0 = sh("ip -4 -o address show docker0 | awk '{print $4}' | cut -d/ -f1");
        let blade = blade_address();
        assert!(!docker0.is_empty() && !blade.is_empty());

        // The blade's own services, and published ports by way of the blade.
        for host in [&gateway, &docker0, &blade] {
            for port in [service, published, foreign_port] {
                assert_eq!(bench.get_from(&a, host, port), "", "{host}:{port} must be closed");
            }
            assert_ne!(bench.exec(&a, &format!("ping -c 1 -W 1 {host}")).1, 0, "{host}");
        }
        // Others, directly.
        let other_address = bench.address(&other).await;
        let foreign_address = bench.address(&foreign_id).await;
        assert_eq!(bench.get_from(&a, &other_address, 80), "");
        assert_eq!(bench.get_from(&a, &foreign_address, 80), "");
        assert_eq!(bench.get_from(&foreign_id, &other_address, 80), "");
        // One's own: by address and by name, through the engine's DNS.
        assert_eq!(bench.get_from(&a, &bench.address(&friend).await, 80), "friend");
        assert_eq!(bench.get_from(&a, "friend", 80), "friend");
        // Other people are not cut off: from a foreign container, the blade and the published port are as before.
        assert_eq!(bench.get_from(&foreign_id, &blade, service), "blade");
        assert_eq!(bench.get_from(&foreign_id, &blade, published), "other");
        until_it_answers(LOCAL, published, "other").await;

        let range = PortRange { start: foreign_port, end: foreign_port };
        let listed = bench.list().await.unwrap();
        let ours: BTreeSet<_> = listed.iter().map(|container| container.container).collect();
        let foreign = bench.foreign(range, &ours).await.unwrap();
        // In no set, they have their place all the same.
        let with_orphans = bench.foreign(range, &BTreeSet::new()).await.unwrap();
        assert!(with_orphans.containers >= foreign.containers + ours.len());
        assert!(foreign.ports.contains(&foreign_port));
        assert!(foreign.containers >= 1 && foreign.resources.cpu_millis >= 500);
        assert!(foreign.resources.memory_bytes >= 32 << 20);

        for id in [a, friend, other] {
            bench.remove(&id).await.unwrap();
        }
        bench.remove_network(one).await.unwrap();
        bench.remove_network(two).await.unwrap();
        assert_eq!(look(), before, "what is not ours is unchanged");
    });
}

/// Asks as somebody who is logged in on the blade.
fn ask_as(uid: u32, host: &str, port: u16) -> String {
    sh(&format!("setpriv --reuid {uid} --regid {uid} --clear-groups sh -c \"{}\"", ask(host, port)))
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn users_of_the_blade_have_no_other_way_in() {
    with_bench(Options::default(), async |bench| {
        let (published, foreign_port) = (free_port(), free_port());
        let open = bench.run(&bench.web(user(), "open", Some(published))).await;
        let closed = bench.run(&bench.web(user(), "closed", None)).await;
        let mark = bench.identity.table_name();
        let _foreign = Outside::make(
            &docker_run(&mark, &format!("-p {foreign_port}:80")),
            &format!("docker rm -f {mark}"),
        );
        let foreign =
            EngineId::parse(&sh(&format!("docker inspect -f '{{{{.Id}}}}' {mark}"))).unwrap();
        for id in [&open, &closed, &foreign] {
            until_served(&bench, id);
        }
        until_it_answers(LOCAL, published, "open").await;
        let blade = blade_address();
        for uid in [1000, 65534] {
            for id in [&open, &closed] {
                let address = bench.address(id).await;
                assert_eq!(ask_as(uid, &address, 80), "", "{address} as {uid}");
            }
            // By the published port like everybody: through the engine's proxy and through its rewriting.
            assert_eq!(ask_as(uid, LOCAL, published), "open");
            assert_eq!(ask_as(uid, &blade, published), "open");
            // What is not ours is as it was.
            assert_eq!(ask_as(uid, &bench.address(&foreign).await, 80), mark);
        }
        // The agent itself comes in.
        assert_eq!(ask_as(0, &bench.address(&closed).await, 80), "closed");
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn the_world_outside() {
    // A machine on a network that the blade is connected to: a network namespace behind a pair of interfaces.
    let mark = format!("bt{}", &fresh().simple().to_string()[..8]);
    let options = Options {
        uplinks: vec![mark.clone()],
        management_networks: vec!["198.18.6.0/24".parse().unwrap()],
        ..Options::default()
    };
    with_bench(options, async move |bench| {
        let _world = Outside::make(
            &format!(
                "ip netns add {mark}
                 ip link add {mark} type veth peer name eth0 netns {mark}
                 ip address add 198.18.5.1/24 dev {mark}
                 ip address add 198.18.6.1/24 dev {mark}
                 ip link set {mark} up
                 ip -n {mark} address add 198.18.5.2/24 dev eth0
                 ip -n {mark} address add 198.18.6.2/24 dev eth0
                 ip -n {mark} address add 169.254.169.254/32 dev eth0
                 ip -n {mark} link set eth0 up
                 ip -n {mark} link set lo up
                 ip -n {mark} route add default via 198.18.5.1
                 ip route add 169.254.169.254/32 via 198.18.5.2
                 mkdir -p /run/{mark}; echo world > /run/{mark}/index.html
                 ip netns exec {mark} busybox httpd -p 80 -h /run/{mark}"
            ),
            &format!(
                "ip netns pids {mark} | xargs -r kill; ip netns del {mark}; ip link del {mark}; rm -r /run/{mark}"
            ),
        );
        let published = free_port();
        let id = bench.run(&bench.web(user(), "inside", Some(published))).await;
        until_served(&bench, &id);
        assert_eq!(bench.get_from(&id, "198.18.5.2", 80), "world");
        assert_eq!(bench.get_from(&id, "198.18.6.2", 80), "", "a management network");
        assert_eq!(bench.get_from(&id, "169.254.169.254", 80), "", "link-local");

        let from_world = |host: &str, port: u16| {
            sh(&format!("ip netns exec {mark} sh -c \"{}\"", ask(host, port)))
        };
        assert_eq!(from_world("198.18.5.1", published), "inside");
        assert_eq!(from_world(&bench.address(&id).await, 80), "", "only by the published port");
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn the_same_holds_for_ipv6() {
    with_bench(Options::default(), async |bench| {
        // Our networks have no IPv6; the rules go by the bridge's name, so a bridge with IPv6 shows that they would hold.
        let mark = format!("berth-{}", &bench.identity.table_name()[6..]);
        let _network = Outside::make(
            &format!(
                "docker network create --ipv6 --subnet fd00:bea7::/64 --subnet 10.216.0.0/27 -o com.docker.network.bridge.name={mark} {mark}"
            ),
            &format!("docker network rm {mark}"),
        );
        let names = [format!("{mark}-a"), format!("{mark}-b")];
        let script: Vec<_> =
            names.iter().map(|name| docker_run(name, &format!("--network {mark}"))).collect();
        let _containers =
            Outside::make(&script.join("\n"), &format!("docker rm -f {}", names.join(" ")));
        let id = |name: &str| {
            EngineId::parse(&sh(&format!("docker inspect -f '{{{{.Id}}}}' {name}"))).unwrap()
        };
        let (a, b) = (id(&names[0]), id(&names[1]));
        let address = |id: &EngineId| {
            sh(&format!(
                "docker inspect -f '{{{{range .NetworkSettings.Networks}}}}{{{{.GlobalIPv6Address}}}}{{{{end}}}}' {}",
                id.as_str()
            ))
        };
        until_served(&bench, &b);
        assert_eq!(bench.get_from(&a, &address(&b), 80), names[1]);
        let service = serve_on_the_blade();
        until_it_answers(LOCAL, service, "blade").await;
        // From the blade itself it is open, once the address is ready (the kernel looks for duplicates first).
        until_it_answers("fd00:bea7::1", service, "blade").await;
        assert_eq!(bench.get_from(&a, "fd00:bea7::1", service), "");
        let outside = sh(
            "ip -6 -o address show scope global | awk '$2 !~ /^(docker|br-|berth-|veth)/ {print $4}' | cut -d/ -f1 | head -1",
        );
        if !outside.is_empty() {
            assert_eq!(bench.get_from(&a, &outside, service), "");
        }
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn rules_come_back_and_nothing_starts_without_them() {
    with_bench(
        Options { firewall_check: Duration::from_secs(3600), ..Options::default() },
        async |bench| {
            let table = bench.identity.table_name();
            let list = || sh(&format!("nft --stateless list table inet {table} 2>/dev/null"));
            let rules = list();
            assert!(rules.contains("chain forward"));

            // Removed, or changed by a single rule: heard of at once, not at the next look in an hour.
            for harm in [
                format!("nft delete table inet {table}"),
                format!("nft insert rule inet {table} forward accept"),
                format!("nft flush chain inet {table} input"),
            ] {
                sh(&harm);
                tokio::time::timeout(PATIENCE, async {
                    while list() != rules || !bench.problems().is_empty() {
                        tokio::task::yield_now().await;
                    }
                })
                .await
                .expect("the rules come back");
            }

            // Held by somebody who does not give it back: `nft -i` owns the table till it ends.
            let order = bench.order(user(), &["sleep", "1000"]);
            bench.create_network(order.spec.user).await.unwrap();
            let id = bench.create(&order).await.unwrap();
            let mut holder = Command::new("nft")
                .arg("-i")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            {
                use std::io::Write;
                let commands = format!(
                    "delete table inet {table}; add table inet {table} {{ flags owner; }}\n"
                );
                holder.stdin.as_mut().unwrap().write_all(commands.as_bytes()).unwrap();
            }
            tokio::time::timeout(PATIENCE, async {
                while bench.problems().is_empty() {
                    tokio::task::yield_now().await;
                }
            })
            .await
            .expect("the loss is noticed");
            match bench.start(&id).await {
                Err(Error::Fault { kind: FaultKind::FirewallMissing, .. }) => {}
                other => panic!("{other:?}"),
            }
            drop(holder.stdin.take());
            holder.wait().unwrap();
            tokio::time::timeout(PATIENCE, async {
                while list() != rules || !bench.problems().is_empty() {
                    tokio::task::yield_now().await;
                }
            })
            .await
            .expect("the rules come back");
            bench.start(&id).await.unwrap();
        },
    );
}
