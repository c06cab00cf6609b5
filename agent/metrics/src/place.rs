//! Where the figures of a container's control group are: each controller in the version that this machine has it in.

use std::path::{Path, PathBuf};

use berth_core::figures::Traffic;

use crate::{
    files::Files,
    parse::{self, Mount},
};

/// A controller's folder for one group.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Version {
    One(PathBuf),
    Two(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    cpu: Version,
    memory: Version,
    disk: Version,
    processes: Version,
}

/// What a control group says of itself at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Group {
    pub(crate) cpu_nanos: u64,
    pub(crate) memory_bytes: u64,
    /// `None`: it does not count; see [`crate::process_io`].
    pub(crate) disk: Option<Traffic>,
    pub(crate) processes: u32,
}

impl Place {
    /// `membership`: of a process in the group, or in one below it as an init system makes them. `None` where its path cannot
    /// be reached from here.
    pub(crate) fn find(mounts: &[Mount], membership: &str, engine: &str) -> Option<Self> {
        let folder = |controller: &str| {
            let has = |names: &str| names.split(',').any(|name| name == controller);
            let one = mounts.iter().find(|mount| mount.controllers.iter().any(|c| c == controller));
            if let Some(mount) = one {
                let (_, path) = parse::membership(membership).find(|(names, _)| has(names))?;
                return Some(Version::One(under(mount, container_of(path, engine))?));
            }
            let mount = mounts.iter().find(|mount| mount.controllers.is_empty())?;
            let (_, path) = parse::membership(membership).find(|(names, _)| names.is_empty())?;
            Some(Version::Two(under(mount, container_of(path, engine))?))
        };
        Some(Self {
            cpu: folder("cpuacct")?,
            memory: folder("memory")?,
            disk: folder("blkio")?,
            processes: folder("pids")?,
        })
    }

    /// `None` when it is gone. A controller that is not switched on says nothing, and its figure is zero.
    pub(crate) fn read(&self, files: &impl Files, text: &mut String) -> Option<Group> {
        let cpu_nanos = match &self.cpu {
            Version::One(folder) => {
                files.read(&folder.join("cpuacct.usage"), text).ok()?;
                parse::number(text)?
            }
            Version::Two(folder) => {
                files.read(&folder.join("cpu.stat"), text).ok()?;
                parse::keyed(text, "usage_usec")?.saturating_mul(1000)
            }
        };
        let (usage, folder, inactive) = match &self.memory {
            Version::One(folder) => ("memory.usage_in_bytes", folder, "total_inactive_file"),
            Version::Two(folder) => ("memory.current", folder, "inactive_file"),
        };
        let used = number(files, &folder.join(usage), text);
        let has = files.read(&folder.join("memory.stat"), text).is_ok();
        let idle = if has { parse::keyed(text, inactive).unwrap_or(0) } else { 0 };
        let processes = match &self.processes {
            Version::One(folder) | Version::Two(folder) => {
                number(files, &folder.join("pids.current"), text)
            }
        };
        Some(Group {
            cpu_nanos,
            memory_bytes: used.saturating_sub(idle),
            disk: self.disk(files, text),
            processes: u32::try_from(processes).unwrap_or(u32::MAX),
        })
    }

    fn disk(&self, files: &impl Files, text: &mut String) -> Option<Traffic> {
        match &self.disk {
            // Which of them counts depends on the disk's scheduler and on whether somebody limits it: newer kernels count for
            // nobody else. The other has no line of any device.
            Version::One(folder) => ["throttle", "bfq"].into_iter().find_map(|policy| {
                let file = folder.join(format!("blkio.{policy}.io_service_bytes_recursive"));
                files.read(&file, text).ok()?;
                text.contains(" Read ").then(|| parse::blkio(text))
            }),
            Version::Two(folder) => {
                files.read(&folder.join("io.stat"), text).ok()?;
                Some(parse::io_stat(text))
            }
        }
    }

    /// A file with the numbers of the processes in the group.
    pub(crate) fn members(&self) -> PathBuf {
        match &self.cpu {
            Version::One(folder) | Version::Two(folder) => folder.join("cgroup.procs"),
        }
    }
}

fn number(files: &impl Files, path: &Path, text: &mut String) -> u64 {
    match files.read(path, text) {
        Ok(()) => parse::number(text).unwrap_or(0),
        Err(_) => 0,
    }
}

/// Up to the part of the path that has the engine's id.
fn container_of<'a>(path: &'a str, engine: &str) -> &'a str {
    let end = path.find(engine).filter(|_| !engine.is_empty()).map(|at| at + engine.len());
    let rest = end.and_then(|end| Some(end + path[end..].find('/')?));
    rest.map_or(path, |end| &path[..end])
}

/// `None` for a group outside of what is mounted.
fn under(mount: &Mount, path: &str) -> Option<PathBuf> {
    let inside = match mount.root.as_str() {
        "/" => path,
        root => path.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with('/'))?,
    };
    // A group above a program's own name space is shown with "..".
    let is_plain = inside.split('/').all(|name| name != "..");
    is_plain.then(|| Path::new(&mount.point).join(inside.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(root: &str, point: &str, controllers: &[&str]) -> Mount {
        let controllers = controllers.iter().map(|name| (*name).to_owned()).collect();
        Mount { root: root.into(), point: point.into(), controllers }
    }

    #[test]
    fn both_versions_and_both_at_once() {
        let unified = [mount("/", "/sys/fs/cgroup", &[])];
        let place =
            Place::find(&unified, "0::/system.slice/docker-ab.scope/init.scope\n", "ab").unwrap();
        let folder = PathBuf::from("/sys/fs/cgroup/system.slice/docker-ab.scope");
        assert_eq!(place.cpu, Version::Two(folder));

        let hybrid = [
            mount("/", "/c/cpu", &["cpu", "cpuacct"]),
            mount("/", "/c/memory", &["memory"]),
            mount("/", "/c/unified", &[]),
        ];
        let membership = "4:memory:/docker/ab\n2:cpu,cpuacct:/docker/ab\n0::/docker/ab\n";
        let place = Place::find(&hybrid, membership, "ab").unwrap();
        assert_eq!(place.cpu, Version::One("/c/cpu/docker/ab".into()));
        assert_eq!(place.memory, Version::One("/c/memory/docker/ab".into()));
        assert_eq!(place.processes, Version::Two("/c/unified/docker/ab".into()));
    }

    #[test]
    fn what_cannot_be_reached() {
        assert_eq!(Place::find(&[], "0::/a\n", "a"), None);
        assert_eq!(Place::find(&[mount("/", "/c", &[])], "", ""), None);
        assert_eq!(Place::find(&[mount("/", "/c", &[])], "0::/../x\n", "x"), None);
        assert_eq!(Place::find(&[mount("/x", "/c", &[])], "0::/xy\n", "y"), None);
        let inside = Place::find(&[mount("/x", "/c", &[])], "0::/x/y\n", "").unwrap();
        assert_eq!(inside.cpu, Version::Two("/c/y".into()));
    }
}
