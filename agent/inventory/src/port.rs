//! Ports that somebody listens on.

use std::{collections::BTreeSet, path::Path};

use berth_core::node::PortRange;
use procfs::{
    FromBufReadSI, current_system_info,
    net::{TcpNetEntries, TcpState},
};

/// In the range, on whatever address: publishing on another address of the same port would work, and confuse everybody.
pub(crate) fn listening(proc: &Path, range: PortRange) -> BTreeSet<u16> {
    ["net/tcp", "net/tcp6"]
        .iter()
        .filter_map(|name| entries(&proc.join(name)))
        .flat_map(|entries| entries.0)
        .filter(|entry| entry.state == TcpState::Listen)
        .map(|entry| entry.local_address.port())
        .filter(|port| (range.start..=range.end).contains(port))
        .collect()
}

/// A kernel without IPv6 has no tcp6.
fn entries(path: &Path) -> Option<TcpNetEntries> {
    let file = std::fs::File::open(path).ok()?;
    TcpNetEntries::from_buf_read(std::io::BufReader::new(file), current_system_info())
        .map_err(|error| tracing::warn!(path = %path.display(), error = %error, "cannot read"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded() {
        let proc = tempfile::tempdir().unwrap();
        std::fs::create_dir(proc.path().join("net")).unwrap();
        // 20000 listening, 20001 connected, 22 listening; 20002 on IPv6.
        std::fs::write(proc.path().join("net/tcp"), "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 00000000:4E20 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1150 1 000000005d219995 100 0 0 10 0\n   1: 0100007F:4E21 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 1151 1 000000005d219995 100 0 0 10 0\n   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1152 1 000000005d219995 100 0 0 10 0\n").unwrap();
        std::fs::write(proc.path().join("net/tcp6"), "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 00000000000000000000000000000000:4E22 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1153 1 0000000000000000 100 0 0 10 0\n").unwrap();
        let found = listening(proc.path(), PortRange::default());
        assert_eq!(found, BTreeSet::from([20_000, 20_002]));
        assert_eq!(listening(Path::new("/nonexistent"), PortRange::default()), BTreeSet::new());
    }
}
