//! The machine as a whole.

use std::path::Path;

use berth_core::figures::Figures;

use crate::{counters::Counters, files::Files, parse};

/// Devices that are made of others, or of memory: what passes through them is counted there, or is no disk's.
const NO_DISKS: [&str; 7] = ["loop", "ram", "zram", "dm-", "md", "sr", "nbd"];
/// Where no interface is a device, as inside of a virtual machine's container: what is a bridge's or a container's end.
const NO_WIRES: [&str; 9] =
    ["lo", "veth", "docker", "br-", "berth", "virbr", "vnet", "ifb", "dummy"];

/// Counters, and the levels; the rates are still to be made.
pub(crate) fn read(files: &impl Files, text: &mut String) -> (Counters, Figures) {
    let mut counters = Counters::default();
    let mut levels = Figures::default();
    let mut with = |path: &str, take: &mut dyn FnMut(&str)| {
        if files.read(Path::new(path), text).is_ok() {
            take(text);
        }
    };
    let nanos = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
    with("/proc/stat", &mut |text| {
        counters.cpu_nanos = parse::busy_ticks(text).saturating_mul(nanos);
    });
    with("/proc/meminfo", &mut |text| levels.memory_bytes = parse::memory_used(text));
    with("/proc/loadavg", &mut |text| levels.processes = parse::tasks(text));
    with("/proc/net/dev", &mut |text| {
        let is_device =
            |name: &str| files.exists(&Path::new("/sys/class/net").join(name).join("device"));
        let is_wire = |name: &str| !NO_WIRES.iter().any(|prefix| name.starts_with(prefix));
        counters.network = if parse::interfaces(text).any(is_device) {
            parse::net_dev(text, is_device)
        } else {
            parse::net_dev(text, is_wire)
        };
    });
    // Partitions are not listed here.
    let whole = files.list(Path::new("/sys/block"));
    with("/proc/diskstats", &mut |text| {
        counters.disk = parse::diskstats(text, |name| {
            whole.iter().any(|whole| whole == name)
                && !NO_DISKS.iter().any(|prefix| name.starts_with(prefix))
        });
    });
    (counters, levels)
}
