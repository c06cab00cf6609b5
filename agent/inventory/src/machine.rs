//! CPU, memory, kernel and address.

use std::{
    net::{IpAddr, Ipv4Addr, UdpSocket},
    path::Path,
};

use berth_core::resources::Resources;
use procfs::{CpuInfo, FromRead, Meminfo};

/// Of the machine, not of this program's control group: containers do not run in that one.
pub(crate) fn total(proc: &Path) -> Resources {
    let cores = read::<CpuInfo>(&proc.join("cpuinfo")).map_or(0, |info| info.num_cores());
    let memory = read::<Meminfo>(&proc.join("meminfo")).map_or(0, |info| info.mem_total);
    Resources {
        cpu_millis: u32::try_from(cores).unwrap_or(0).saturating_mul(1000),
        memory_bytes: memory,
    }
}

pub(crate) fn kernel(proc: &Path) -> String {
    let release = std::fs::read_to_string(proc.join("sys/kernel/osrelease")).unwrap_or_default();
    release.trim().to_owned()
}

/// The address that this machine speaks to the world with; its name when it has no route to anywhere.
pub(crate) fn address(proc: &Path) -> String {
    outgoing().map_or_else(|| host_name(proc), |address| address.to_string())
}

/// Connecting a datagram socket sends nothing; it makes the kernel choose a route and thereby an address. The one asked
/// about is a documentation address (RFC 5737), which only a default route leads to.
fn outgoing() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_loopback())
}

fn host_name(proc: &Path) -> String {
    let name = std::fs::read_to_string(proc.join("sys/kernel/hostname")).unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}

fn read<T: FromRead>(path: &Path) -> Option<T> {
    T::from_file(path)
        .map_err(|error| tracing::warn!(path = %path.display(), error = %error, "cannot read"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded() {
        let proc = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = proc.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("cpuinfo", "processor\t: 0\nvendor_id\t: X\n\nprocessor\t: 1\nvendor_id\t: X\n\n");
        write(
            "meminfo",
            "MemTotal:        1024 kB\nMemFree:          512 kB\nBuffers:             0 kB\nCached:              0 kB\nSwapCached:          0 kB\nActive:              0 kB\nInactive:            0 kB\nSwapTotal:           0 kB\nSwapFree:            0 kB\nDirty:               0 kB\nWriteback:           0 kB\nMapped:              0 kB\nSlab:                0 kB\nCommitted_AS:        0 kB\nVmallocTotal:        0 kB\nVmallocUsed:         0 kB\nVmallocChunk:        0 kB\n",
        );
        write("sys/kernel/osrelease", "6.1.0-13-amd64\n");
        write("sys/kernel/hostname", "blade1\n");
        assert_eq!(total(proc.path()), Resources::new(2000, 1 << 20));
        assert_eq!(kernel(proc.path()), "6.1.0-13-amd64");
        assert_eq!(host_name(proc.path()), "blade1");
    }

    #[test]
    fn a_machine_that_says_nothing_offers_nothing() {
        assert_eq!(total(Path::new("/nonexistent")), Resources::default());
        assert_eq!(host_name(Path::new("/nonexistent")), "localhost");
    }
}
