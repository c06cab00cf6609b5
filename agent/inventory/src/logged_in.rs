//! What people who are logged in by ssh use: systemd keeps them in `user.slice`, on either version of control groups.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use berth_core::resources::Resources;

pub(crate) struct LoggedIn {
    cgroups: PathBuf,
    /// CPU time in microseconds at the last look.
    before: Option<(Instant, u64)>,
}

impl LoggedIn {
    pub(crate) fn new(cgroups: PathBuf) -> Self {
        Self { cgroups, before: None }
    }

    /// The first look counts no CPU: it takes two to see what is used.
    pub(crate) fn used(&mut self, now: Instant) -> Resources {
        let cpu = self.cpu_time();
        let cpu_millis = match (self.before, cpu) {
            (Some((then, before)), Some(after)) => {
                rate(now.saturating_duration_since(then).as_micros(), before, after)
            }
            (None, _) | (_, None) => 0,
        };
        self.before = cpu.map(|cpu| (now, cpu));
        Resources { cpu_millis, memory_bytes: self.memory().unwrap_or(0) }
    }

    fn cpu_time(&self) -> Option<u64> {
        let v2 = field(&self.cgroups.join("user.slice/cpu.stat"), "usage_usec");
        v2.or_else(|| {
            let v1 = ["cpuacct", "cpu,cpuacct"].iter().find_map(|controller| {
                number(&self.cgroups.join(controller).join("user.slice/cpuacct.usage"))
            });
            v1.map(|nanos| nanos / 1000)
        })
    }

    /// Without the page cache that the kernel would give back.
    fn memory(&self) -> Option<u64> {
        let v2 = self.cgroups.join("user.slice");
        if let Some(current) = number(&v2.join("memory.current")) {
            let cache = field(&v2.join("memory.stat"), "inactive_file").unwrap_or(0);
            return Some(current.saturating_sub(cache));
        }
        let v1 = self.cgroups.join("memory/user.slice");
        let cache = field(&v1.join("memory.stat"), "total_inactive_file").unwrap_or(0);
        Some(number(&v1.join("memory.usage_in_bytes"))?.saturating_sub(cache))
    }
}

/// Thousandths of a core.
fn rate(wall_micros: u128, before: u64, after: u64) -> u32 {
    let millis = u128::from(after.saturating_sub(before)) * 1000 / wall_micros.max(1);
    u32::try_from(millis).unwrap_or(u32::MAX)
}

fn number(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn field(path: &Path, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn version_2() {
        let root = tempfile::tempdir().unwrap();
        let mut people = LoggedIn::new(root.path().to_owned());
        let start = Instant::now();
        write(
            root.path(),
            &[
                ("user.slice/cpu.stat", "usage_usec 1000000\nuser_usec 1\n"),
                ("user.slice/memory.current", "5000\n"),
                ("user.slice/memory.stat", "anon 1\ninactive_file 2000\n"),
            ],
        );
        assert_eq!(people.used(start), Resources::new(0, 3000));
        write(root.path(), &[("user.slice/cpu.stat", "usage_usec 4000000\n")]);
        assert_eq!(people.used(start + Duration::from_secs(2)), Resources::new(1500, 3000));
        // Everybody left, and the group with them; then somebody came.
        std::fs::remove_dir_all(root.path().join("user.slice")).unwrap();
        assert_eq!(people.used(start + Duration::from_secs(3)), Resources::default());
        write(root.path(), &[("user.slice/cpu.stat", "usage_usec 10\n")]);
        assert_eq!(people.used(start + Duration::from_secs(4)), Resources::default());
    }

    #[test]
    fn version_1() {
        let root = tempfile::tempdir().unwrap();
        let mut people = LoggedIn::new(root.path().to_owned());
        let start = Instant::now();
        write(
            root.path(),
            &[
                ("cpuacct/user.slice/cpuacct.usage", "1000000000\n"),
                ("memory/user.slice/memory.usage_in_bytes", "5000\n"),
                ("memory/user.slice/memory.stat", "cache 1\ntotal_inactive_file 1000\n"),
            ],
        );
        people.used(start);
        write(root.path(), &[("cpuacct/user.slice/cpuacct.usage", "1500000000\n")]);
        assert_eq!(people.used(start + Duration::from_secs(1)), Resources::new(500, 4000));
    }
}
