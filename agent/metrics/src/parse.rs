//! The kernel's texts. What is not there, or not to be read, is nothing.

use berth_core::figures::Traffic;

/// A file of one number. Control groups write "max" for none.
pub(crate) fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Of lines "key value", the value.
pub(crate) fn keyed(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix([' ', '\t']));
    number(value?)
}

/// `io.stat`: "8:0 rbytes=1 wbytes=2 rios=...", a line for each device.
pub(crate) fn io_stat(text: &str) -> Traffic {
    let sum = |key: &str| {
        let words = text.lines().flat_map(str::split_ascii_whitespace);
        sum(words.filter_map(|word| number(word.strip_prefix(key)?)))
    };
    Traffic { r#in: sum("rbytes="), out: sum("wbytes=") }
}

/// `blkio.*.io_service_bytes`: "8:0 Read 1", "8:0 Write 2", "Total 3".
pub(crate) fn blkio(text: &str) -> Traffic {
    let of = |kind: &str| {
        sum(text.lines().filter_map(|line| {
            let mut words = line.split_ascii_whitespace().skip(1);
            number((words.next()? == kind).then(|| words.next())??)
        }))
    };
    Traffic { r#in: of("Read"), out: of("Write") }
}

/// `/proc/PID/io`: what went to and from disks, and not only to and from the page cache.
pub(crate) fn process_io(text: &str) -> Traffic {
    let of = |key| keyed(text, key).unwrap_or(0);
    Traffic { r#in: of("read_bytes:"), out: of("write_bytes:") }
}

/// `net/dev`: what the interfaces that are wanted have received and sent.
pub(crate) fn net_dev(text: &str, is_wanted: impl Fn(&str) -> bool) -> Traffic {
    let mut all = Traffic::default();
    for line in text.lines() {
        // The two lines of the header have no colon.
        let Some((name, numbers)) = line.split_once(':') else { continue };
        if is_wanted(name.trim()) {
            let mut numbers = numbers.split_ascii_whitespace();
            let received = numbers.next().and_then(number).unwrap_or(0);
            let sent = numbers.nth(7).and_then(number).unwrap_or(0);
            all.r#in = all.r#in.saturating_add(received);
            all.out = all.out.saturating_add(sent);
        }
    }
    all
}

pub(crate) fn interfaces(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim()))
}

/// `/proc/diskstats`, in sectors of 512 bytes whatever the device has.
pub(crate) fn diskstats(text: &str, is_wanted: impl Fn(&str) -> bool) -> Traffic {
    let mut all = Traffic::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (Some(name), Some(read), Some(written)) = (words.get(2), words.get(5), words.get(9))
        else {
            continue;
        };
        if is_wanted(name) {
            let bytes = |sectors: &str| number(sectors).unwrap_or(0).saturating_mul(512);
            all.r#in = all.r#in.saturating_add(bytes(read));
            all.out = all.out.saturating_add(bytes(written));
        }
    }
    all
}

/// `/proc/stat`: the ticks in which a core did something. Guests' are in their user's already.
pub(crate) fn busy_ticks(text: &str) -> u64 {
    let Some(cpu) = text.lines().find_map(|line| line.strip_prefix("cpu ")) else { return 0 };
    let ticks: Vec<u64> = cpu.split_ascii_whitespace().filter_map(number).collect();
    // user nice system idle iowait irq softirq steal; what another guest of the host took was not ours.
    let busy = [0, 1, 2, 5, 6];
    sum(busy.iter().filter_map(|at| ticks.get(*at).copied()))
}

/// `/proc/meminfo`: what is taken and cannot be had for the asking.
pub(crate) fn memory_used(text: &str) -> u64 {
    let kib = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        number(line.trim().trim_end_matches("kB"))
    };
    let total = kib("MemTotal:").unwrap_or(0);
    total.saturating_sub(kib("MemAvailable:").unwrap_or(total)).saturating_mul(1024)
}

/// `/proc/loadavg`: "0.00 0.01 0.05 1/234 5678": how many there are.
pub(crate) fn tasks(text: &str) -> u32 {
    let all = text.split_ascii_whitespace().nth(3).and_then(|word| word.split_once('/'));
    all.and_then(|(_, all)| all.parse().ok()).unwrap_or(0)
}

/// `/proc/PID/cgroup`: "4:memory:/docker/...", "0::/system.slice/...". Names of controllers, and the path.
pub(crate) fn membership(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'))
}

/// Of `/proc/self/mountinfo`: where control groups are mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// What of the hierarchy is mounted there: "/", but for a program in a container.
    pub(crate) root: String,
    pub(crate) point: String,
    /// Empty for the second version.
    pub(crate) controllers: Vec<String>,
}

pub(crate) fn cgroup_mounts(text: &str) -> Vec<Mount> {
    text.lines().filter_map(cgroup_mount).collect()
}

/// "33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime shared:1 - cgroup cgroup rw,cpu,cpuacct"
fn cgroup_mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, point) = (before.next()?.to_owned(), before.next()?.to_owned());
    let mut after = after.split(' ');
    let controllers = match after.next()? {
        "cgroup2" => Vec::new(),
        "cgroup" => {
            let options = after.nth(1)?.split(',');
            options.filter(|option| !matches!(*option, "rw" | "ro")).map(str::to_owned).collect()
        }
        _ => return None,
    };
    Some(Mount { root, point, controllers })
}

fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn traffic(r#in: u64, out: u64) -> Traffic {
        Traffic { r#in, out }
    }

    #[test]
    fn control_groups() {
        let cpu = "usage_usec 7500000\nuser_usec 7000000\nsystem_usec 500000\nnr_periods 5\n";
        assert_eq!(keyed(cpu, "usage_usec"), Some(7_500_000));
        assert_eq!(keyed(cpu, "usage"), None);
        assert_eq!(number("8589934592\n"), Some(8_589_934_592));
        assert_eq!(number("max\n"), None);
        let memory = "cache 0\ninactive_file 5\ntotal_inactive_file 4096\n";
        assert_eq!(keyed(memory, "inactive_file"), Some(5));
        assert_eq!(keyed(memory, "total_inactive_file"), Some(4096));
        let io = "254:0 rbytes=1024 wbytes=4096 rios=1 wios=2 dbytes=9 dios=0\n\
                  253:0 rbytes=1 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n7:0 \n";
        assert_eq!(io_stat(io), traffic(1025, 4096));
        let blkio = "254:0 Read 4096\n254:0 Write 8192\n254:0 Sync 8192\n254:0 Async 4096\n\
                     254:0 Discard 0\n254:0 Total 12288\n8:0 Read 1\nTotal 12289\n";
        assert_eq!(super::blkio(blkio), traffic(4097, 8192));
        assert_eq!(super::blkio("Total 0\n"), traffic(0, 0));
    }

    #[test]
    fn processes() {
        let text = "rchar: 41993762\nwchar: 41950827\nread_bytes: 4096\nwrite_bytes: 41947136\n\
                    cancelled_write_bytes: 0\n";
        assert_eq!(process_io(text), traffic(4096, 41_947_136));
        assert_eq!(process_io(""), traffic(0, 0));
    }

    const NET: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 7588061912 6308581    0    0    0     0          0         0 7588061912 6308581    0    0    0     0       0          0
  eth0: 1826091980  107818    0    0    0     0          0         0  6947182   72411    0    0    0     0       0          0
docker0:13120     202    0    0    0     0          0         0    47688     367    0   20    0     0       0          0
";

    #[test]
    fn interfaces_and_disks() {
        assert_eq!(net_dev(NET, |name| name != "lo"), traffic(1_826_105_100, 6_994_870));
        assert_eq!(net_dev(NET, |name| name == "eth0"), traffic(1_826_091_980, 6_947_182));
        assert_eq!(interfaces(NET).collect::<Vec<_>>(), ["lo", "eth0", "docker0"]);
        let disks = "   7       0 loop0 1 0 9 0 1 0 9 0 0 0 0 0 0 0 0 0 0\n 254       0 vda 6954869 151876 \
                     182649610 7047351 4521300 1893776 413464712 3453488 0 604304 10796440 1313020 272 \
                     348248024 165800 738351 129799\n 254 1 vda1 1\n";
        let read = diskstats(disks, |name| name == "vda");
        assert_eq!(read, traffic(182_649_610 * 512, 413_464_712 * 512));
    }

    #[test]
    fn the_machine() {
        let stat = "cpu  2432024 276658 716912 1770277 14086 7 9445 353 0 0\n\
                    cpu0 1166212 132923 354546 948889 4729 0 2209 170 0 0\n";
        assert_eq!(busy_ticks(stat), 2_432_024 + 276_658 + 716_912 + 7 + 9445);
        let memory =
            "MemTotal:        8000 kB\nMemFree:          100 kB\nMemAvailable:    5000 kB\n";
        assert_eq!(memory_used(memory), 3000 * 1024);
        assert_eq!(memory_used("MemTotal: 8000 kB\n"), 0);
        assert_eq!(tasks("1.36 2.10 2.31 3/345 22172\n"), 345);
    }

    #[test]
    fn where_a_process_belongs() {
        let text =
            "9:name=systemd:/docker/ab\n4:memory:/docker/ab\n2:cpu,cpuacct:/docker/ab\n0::/a:b\n";
        let all: Vec<_> = membership(text).collect();
        assert_eq!(all[2], ("cpu,cpuacct", "/docker/ab"));
        assert_eq!(all[3], ("", "/a:b"));
    }

    #[test]
    fn where_control_groups_are() {
        let text = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
                    33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
                    35 31 0:32 /docker/ab /sys/fs/cgroup/memory ro master:9 - cgroup cgroup rw,memory\n\
                    41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw\n";
        let mounts = cgroup_mounts(text);
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[0].controllers, ["cpu", "cpuacct"]);
        assert_eq!((mounts[1].root.as_str(), mounts[1].controllers.len()), ("/docker/ab", 1));
        assert_eq!(mounts[2].point, "/sys/fs/cgroup/unified");
        assert!(mounts[2].controllers.is_empty());
    }

    proptest! {
        /// Whatever stands in a file, nothing panics and nothing overflows.
        #[test]
        fn any_text(text in "(([a-z=:/|]{0,9}|[0-9]{1,21}|-1|cpu|Read|rbytes=[0-9]{1,20})[ \n]){0,60}") {
            let _ = (number(&text), keyed(&text, "a"), io_stat(&text), blkio(&text), tasks(&text));
            let _ = (net_dev(&text, |_| true), diskstats(&text, |_| true), busy_ticks(&text));
            let _ = (memory_used(&text), membership(&text).count(), cgroup_mounts(&text));
        }
    }
}
