use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use berth_core::figures::{Storage, Traffic};
use uuid::Uuid;

use super::*;
use crate::files::Machine;

/// A machine of texts.
#[derive(Clone, Default)]
struct Texts(Arc<Mutex<BTreeMap<PathBuf, String>>>);

impl Texts {
    fn write(&self, path: &str, text: &str) {
        self.0.lock().unwrap().insert(path.into(), text.to_owned());
    }

    fn remove(&self, prefix: &str) {
        self.0.lock().unwrap().retain(|path, _| !path.starts_with(prefix));
    }

    /// A container whose control group is of the second version.
    fn container(&self, init: u32, cpu_usec: u64, memory: u64, bytes: u64) {
        let group = format!("/cg/docker/{init}");
        self.write(&format!("/proc/{init}/cgroup"), &format!("0::/docker/{init}\n"));
        self.write(&format!("{group}/cpu.stat"), &format!("usage_usec {cpu_usec}\nuser_usec 0\n"));
        self.write(&format!("{group}/memory.current"), &format!("{memory}\n"));
        self.write(&format!("{group}/memory.stat"), "anon 1\ninactive_file 1000\n");
        self.write(&format!("{group}/io.stat"), &format!("8:0 rbytes={bytes} wbytes=0\n"));
        self.write(&format!("{group}/pids.current"), "3\n");
        let dev = format!("a\nb\n lo: 99 0 0 0 0 0 0 0 99 0\neth0: {bytes} 0 0 0 0 0 0 0 10 0\n");
        self.write(&format!("/proc/{init}/net/dev"), &dev);
    }
}

impl Files for Texts {
    fn read(&self, path: &Path, text: &mut String) -> io::Result<()> {
        let all = self.0.lock().unwrap();
        text.clear();
        text.push_str(all.get(path).ok_or(io::ErrorKind::NotFound)?);
        Ok(())
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.lock().unwrap().keys().any(|known| known.starts_with(path))
    }

    fn list(&self, _: &Path) -> Vec<String> {
        vec!["sda".to_owned(), "dm-0".to_owned()]
    }

    fn storage(&self, _: &Path) -> Storage {
        Storage { used_bytes: 1, total_bytes: 2 }
    }
}

#[allow(clippy::disallowed_methods, reason = "a moment to count from")]
fn begin() -> Instant {
    Instant::now()
}

fn machine() -> Texts {
    let texts = Texts::default();
    texts.write("/proc/self/mountinfo", "1 2 0:3 / /cg rw - cgroup2 cgroup2 rw\n");
    texts.write("/proc/meminfo", "MemTotal: 100 kB\nMemAvailable: 60 kB\n");
    texts
}

fn target(init: u32) -> Target {
    let container = ContainerId::new(Uuid::from_u128(init.into()));
    Target { container, engine: format!("docker/{init}"), init, gpus: Vec::new() }
}

fn after(begin: Instant, seconds: u64) -> Instant {
    begin + Duration::from_secs(seconds)
}

#[test]
fn rates_and_levels() {
    let (texts, begin) = (machine(), begin());
    let mut sampler = Sampler::new(texts.clone(), "/data".into());
    texts.container(7, 1_000_000, 5000, 100);
    texts.write("/proc/stat", "cpu  100 0 0 500 0 0 0 0\n");
    texts.write(
        "/proc/diskstats",
        "8 0 sda 0 0 10 0 0 0 20 0\n253 0 dm-0 0 0 10 0 0 0 20 0\n8 1 sda1 0 0 9 0 0 0 9 0\n",
    );
    texts.write("/proc/net/dev", "eth0: 1000 0 0 0 0 0 0 0 2000 0\nveth1: 9 0 0 0 0 0 0 0 9 0\n");
    texts.write("/proc/loadavg", "0 0 0 1/300 1\n");
    assert_eq!(sampler.look(begin, &[target(7)], &BTreeMap::new()), None);

    texts.container(7, 3_500_000, 9000, 600);
    texts.write("/proc/stat", "cpu  600 0 0 500 0 0 0 0\n");
    texts.write("/proc/diskstats", "8 0 sda 0 0 20 0 0 0 40 0\n253 0 dm-0 0 0 99 0 0 0 99 0\n");
    texts
        .write("/proc/net/dev", "eth0: 1500 0 0 0 0 0 0 0 3000 0\nveth1: 9999 0 0 0 0 0 0 0 9 0\n");
    let report = sampler.look(after(begin, 5), &[target(7)], &BTreeMap::new()).unwrap();
    let figures = Figures {
        cpu_millis: 500,
        memory_bytes: 8000,
        network: Traffic { r#in: 100, out: 0 },
        disk: Traffic { r#in: 100, out: 0 },
        processes: 3,
        gpu: None,
    };
    assert_eq!(report.containers, [(target(7).container, figures)]);
    let blade = report.blade;
    assert_eq!(blade.storage, Storage { used_bytes: 1, total_bytes: 2 });
    assert_eq!(blade.figures.memory_bytes, 40 * 1024);
    assert_eq!(blade.figures.processes, 300);
    assert_eq!(blade.figures.network, Traffic { r#in: 100, out: 200 });
    assert_eq!(blade.figures.disk, Traffic { r#in: 1024, out: 2048 });
    // 500 ticks of a hundredth of a second in five seconds.
    assert_eq!(blade.figures.cpu_millis, 1000);
}

#[test]
fn one_that_vanishes_is_skipped() {
    let (texts, begin) = (machine(), begin());
    let mut sampler = Sampler::new(texts.clone(), "/data".into());
    let targets = [target(7), target(8), target(9)];
    for init in 7..10 {
        texts.container(init, 0, 5000, 0);
    }
    sampler.look(begin, &targets, &BTreeMap::new());
    // In the middle of a look: its process is there, its group is not; and the other way round.
    texts.remove("/cg/docker/7");
    texts.remove("/proc/8");
    let report = sampler.look(after(begin, 5), &targets, &BTreeMap::new()).unwrap();
    assert_eq!(report.containers.len(), 1);
    assert_eq!(report.containers[0].0, targets[2].container);
    // Back again, it is a new one.
    texts.container(7, 9_000_000, 5000, 0);
    let report = sampler.look(after(begin, 10), &targets, &BTreeMap::new()).unwrap();
    assert_eq!(report.containers.len(), 1);
    let report = sampler.look(after(begin, 15), &targets, &BTreeMap::new()).unwrap();
    assert_eq!(report.containers.len(), 2);
    assert_eq!(report.containers[0].1.cpu_millis, 0);
}

#[test]
fn one_that_was_started_anew_begins_anew() {
    let (texts, begin) = (machine(), begin());
    let mut sampler = Sampler::new(texts.clone(), "/data".into());
    texts.container(7, 9_000_000, 5000, 900);
    sampler.look(begin, &[target(7)], &BTreeMap::new());
    texts.container(8, 1_000_000, 5000, 100);
    let again = Target { container: target(7).container, ..target(8) };
    let report = sampler.look(after(begin, 5), std::slice::from_ref(&again), &BTreeMap::new());
    assert_eq!(report.unwrap().containers, []);
    texts.container(8, 2_000_000, 5000, 100);
    let report = sampler.look(after(begin, 10), &[again], &BTreeMap::new()).unwrap();
    assert_eq!(report.containers[0].1.cpu_millis, 200);
}

/// A first version that counts nothing: processes are asked, and those that end take nothing back.
#[test]
fn disks_that_nobody_counts() {
    let (texts, begin) = (machine(), begin());
    texts.write(
        "/proc/self/mountinfo",
        "1 2 0:3 / /cg rw - cgroup cgroup rw,cpuacct,memory,blkio,pids\n",
    );
    texts.container(7, 0, 5000, 0);
    texts.write("/proc/7/cgroup", "3:cpuacct,memory,blkio,pids:/docker/7\n");
    texts.write("/cg/docker/7/cpuacct.usage", "0\n");
    texts.write("/cg/docker/7/memory.usage_in_bytes", "5000\n");
    texts.write("/cg/docker/7/blkio.throttle.io_service_bytes_recursive", "Total 0\n");
    let process = |number: u32, bytes: u64| {
        let text = format!("read_bytes: {bytes}\nwrite_bytes: {}\n", bytes * 2);
        texts.write(&format!("/proc/{number}/io"), &text);
    };
    let mut sampler = Sampler::new(texts.clone(), "/data".into());
    let mut look = |seconds| {
        let report = sampler.look(after(begin, seconds), &[target(7)], &BTreeMap::new());
        report.map(|report| report.containers[0].1.disk)
    };
    texts.write("/cg/docker/7/cgroup.procs", "7\n70\n");
    process(7, 100);
    process(70, 1000);
    assert_eq!(look(0), None);
    process(7, 200);
    process(70, 1400);
    assert_eq!(look(5), Some(Traffic { r#in: 100, out: 200 }));
    texts.write("/cg/docker/7/cgroup.procs", "7\n71\n");
    process(7, 205);
    process(71, 20);
    assert_eq!(look(10), Some(Traffic { r#in: 5, out: 10 }));
}

/// The number of its process has gone to another program before anybody noticed.
#[test]
fn a_number_that_went_to_another() {
    let (texts, begin) = (machine(), begin());
    let mut sampler = Sampler::new(texts.clone(), "/data".into());
    texts.container(7, 0, 5000, 0);
    sampler.look(begin, &[target(7)], &BTreeMap::new());
    texts.write("/proc/7/cgroup", "0::/user.slice\n");
    let report = sampler.look(after(begin, 5), &[target(7)], &BTreeMap::new()).unwrap();
    assert_eq!(report.containers, []);
}

#[test]
fn gpus_of_their_holders() {
    let (texts, begin) = (machine(), begin());
    let mut sampler = Sampler::new(texts.clone(), "/data".into());
    texts.container(7, 0, 5000, 0);
    texts.container(8, 0, 5000, 0);
    let id = GpuId::parse("GPU-1").unwrap();
    let gpu = GpuFigures { percent: Some(9), memory_bytes: 5, power_milliwatts: None };
    let gpus = BTreeMap::from([(id.clone(), gpu)]);
    let targets = [Target { gpus: vec![id], ..target(7) }, target(8)];
    sampler.look(begin, &targets, &gpus);
    let report = sampler.look(after(begin, 5), &targets, &gpus).unwrap();
    assert_eq!(report.containers[0].1.gpu, Some(gpu));
    assert_eq!(report.containers[1].1.gpu, None);
    assert_eq!(report.blade.figures.gpu, Some(gpu));
}

/// This very process, in whatever control group it is, if one can be seen from here.
#[test]
fn this_machine() {
    let begin = begin();
    let mut sampler = Sampler::new(Machine, std::env::temp_dir());
    let me = Target { engine: String::new(), ..target(std::process::id()) };
    assert_eq!(sampler.look(begin, std::slice::from_ref(&me), &BTreeMap::new()), None);
    let report = sampler.look(after(begin, 5), &[me], &BTreeMap::new()).unwrap();
    assert!(report.blade.figures.memory_bytes > 1 << 20);
    assert!(report.blade.figures.processes > 1);
    assert!(report.blade.storage.total_bytes > report.blade.storage.used_bytes);
    assert!(report.blade.storage.used_bytes > 0);
}
