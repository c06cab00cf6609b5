//! The rules, as text for `nft`. Pure.
//!
//! One table of our own: a drop in one base chain is final whatever other tables say, so the rules hold beside the
//! engine's, and survive `iptables -F` and a reload of firewalld. They match the bridges by their name alone and never
//! change with the networks, so a launch touches no rule.

use std::{collections::BTreeSet, fmt::Write};

use ipnet::{IpNet, Ipv4Net};

use crate::names::BRIDGE_PREFIX;

/// Interfaces that lead to something on this machine: other people's containers and guests. A bridge may also be the way
/// out, with a network card as its port; that one is among the uplinks.
const LOCAL_KINDS: &str = "\"bridge\", \"veth\", \"tun\", \"ipvlan\", \"macvlan\", \"macvtap\", \"ipvtap\", \"vxlan\", \"openvswitch\"";

/// Replaces the table, or makes it, in one transaction: there is no moment without rules.
pub(crate) fn script(table: &str, management: &[IpNet], uplinks: &[String]) -> String {
    format!("table inet {table}\ndelete table inet {table}\n{}", body(table, management, uplinks))
}

fn body(table: &str, management: &[IpNet], uplinks: &[String]) -> String {
    let ours = format!("\"{BRIDGE_PREFIX}*\"");
    let mut text = format!("table inet {table} {{\n");
    // --- to the blade itself, on any of its addresses; also other containers' published ports, which the engine's proxy
    // serves on the blade. Answers must pass: those to the proxy and to whoever connects from the blade.
    write_chain(
        &mut text,
        "input",
        &[
            format!("iifname != {ours} accept"),
            "ct state established,related accept".to_owned(),
            "drop".to_owned(),
        ],
    );
    // --- through the blade
    let mut forward = vec![
        format!("iifname != {ours} oifname != {ours} accept"),
        "ct state established,related accept".to_owned(),
        // From outside only through a published port.
        format!("iifname != {ours} ct status dnat accept"),
        format!("iifname != {ours} drop"),
        // Frames between two ports of one bridge come by here too (br_netfilter). "The destination lies on the interface
        // it came from" is the one test for that which needs no list of bridges.
        "fib daddr . iif oif exists accept".to_owned(),
        // These are never routed, so whoever sees them here is on the same bridge: neighbour discovery, mDNS.
        "ip6 daddr ff02::/16 accept".to_owned(),
        "ip daddr { 224.0.0.0/24, 255.255.255.255 } accept".to_owned(),
        "meta nfproto ipv6 drop".to_owned(),
        // Another container's published port, already rewritten.
        "ct status dnat drop".to_owned(),
        "ip daddr { 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4 } drop".to_owned(),
    ];
    let v4 = v4_of(management);
    if !v4.is_empty() {
        forward.push(format!("ip daddr {{ {} }} drop", v4.join(", ")));
    }
    forward.push(format!("oifname {ours} drop"));
    // Names come from the kernel and from the configuration; one that could not be an interface's would end the quotes.
    let names: BTreeSet<String> = uplinks
        .iter()
        .filter(|name| is_interface(name))
        .map(|name| format!("\"{name}\""))
        .collect();
    if !names.is_empty() {
        let names: Vec<String> = names.into_iter().collect();
        forward.push(format!("oifname {{ {} }} accept", names.join(", ")));
    }
    forward.push(format!("meta oifkind {{ {LOCAL_KINDS} }} drop"));
    write_chain(&mut text, "forward", &forward);
    // --- from the blade itself: people who are logged in have a published port like everybody, and no other way in. The
    // agent and the engine's proxy are root. What the kernel sends by itself has no user, and is no connection of theirs.
    let output = [
        format!("oifname != {ours} accept"),
        "ct state established,related accept".to_owned(),
        "ct status dnat accept".to_owned(),
        "meta skuid != 0 drop".to_owned(),
    ];
    write_chain(&mut text, "output", &output);
    text.push_str("}\n");
    text
}

fn write_chain(text: &mut String, hook: &str, rules: &[String]) {
    // Before the engine's chains, which are at priority 0.
    let _ = writeln!(text, "  chain {hook} {{");
    let _ = writeln!(text, "    type filter hook {hook} priority filter - 10; policy accept;");
    for rule in rules {
        let _ = writeln!(text, "    {rule}");
    }
    text.push_str("  }\n");
}

fn is_interface(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@:".contains(&b))
}

/// Overlapping elements are an error for nft, so they are merged. Of IPv6 nothing is let through anyway.
fn v4_of(management: &[IpNet]) -> Vec<String> {
    let v4 = management.iter().filter_map(|net| match net {
        IpNet::V4(net) => Some(*net),
        IpNet::V6(_) => None,
    });
    Ipv4Net::aggregate(&v4.collect()).iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn management_networks_are_merged() {
        let nets: Vec<IpNet> = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7/24", "fd00::/8"]
            .map(|text| text.parse().unwrap())
            .to_vec();
        let text = script("t", &nets, &["eth0".to_owned()]);
        assert!(text.contains("ip daddr { 10.0.0.0/8, 192.0.2.0/24 } drop"), "{text}");
        assert!(text.contains("oifname { \"eth0\" } accept"));
    }

    #[test]
    fn without_management_or_uplinks_there_are_no_empty_sets() {
        let text = script("t", &[], &[]);
        assert!(!text.contains("{  }"), "{text}");
    }

    #[test]
    fn names_cannot_end_the_quotes() {
        let names = ["eth0", "eth0", "x\" } accept #", "", "br-1.5"].map(str::to_owned);
        let text = script("t", &[], &names);
        assert!(text.contains("oifname { \"br-1.5\", \"eth0\" } accept"), "{text}");
    }

    #[test]
    fn users_of_the_blade_come_last() {
        let text = script("t", &[], &[]);
        let (_, output) = text.split_once("chain output").unwrap();
        let at = |needle: &str| output.find(needle).unwrap_or_else(|| panic!("{needle}"));
        assert!(at("hook output") < at("oifname !="));
        assert!(at("oifname !=") < at("meta skuid != 0 drop"));
        assert!(at("established,related accept") < at("meta skuid != 0 drop"));
        assert!(at("ct status dnat accept") < at("meta skuid != 0 drop"));
    }

    #[test]
    fn drops_come_before_the_way_out() {
        let text = script("t", &["10.0.0.0/8".parse().unwrap()], &["eth0".to_owned()]);
        let at = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("{needle}"));
        assert!(at("169.254.0.0/16") < at("oifname { \"eth0\" } accept"));
        assert!(at("10.0.0.0/8") < at("oifname { \"eth0\" } accept"));
        assert!(at("meta nfproto ipv6 drop") < at("oifname { \"eth0\" } accept"));
        assert!(at("ct status dnat drop") < at("oifname { \"eth0\" } accept"));
    }
}
